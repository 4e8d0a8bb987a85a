"""A wrong argument of a sub-command is one line that names its help."""

from __future__ import annotations

import argparse

import pytest

from harness.arguments import refusing
from harness.errors import ConfigError


def test_a_flag_that_is_not_there_raises_and_names_the_help():
    parser = argparse.ArgumentParser(add_help=False)
    assert refusing(parser, "judge") is parser
    with pytest.raises(ConfigError, match=r"--colour.*; harness judge --help explains the command"):
        parser.parse_args(["--colour"])
