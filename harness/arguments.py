"""What a sub-command says of an argument that it does not take: one line, as of any wrong input."""

from __future__ import annotations

import argparse
from typing import NoReturn

from harness.errors import ConfigError


def refusing(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """The parser, which raises ConfigError where argparse would print its usage and exit."""

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"{message}; harness {command} --help explains the command")

    parser.error = refuse  # type: ignore[method-assign]
    return parser
