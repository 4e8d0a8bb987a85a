"""A YAML file read with care: every error names the file, the place in it and the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import DataError, suggestion


@dataclass(frozen=True)
class Node:
    """One mapping of a file, and where it stands, as "experiments/p/claims.yaml: claim 'C1'"."""

    values: dict[str, Any]
    where: str

    def known(self, names: Sequence[str]) -> Node:
        """The same node, which has no other fields than ``names``.

        Raises:
            DataError: it has one.
        """
        for name in self.values:
            if name not in names:
                self.wrong(
                    f"no field '{name}'{suggestion(str(name), list(names))}; "
                    f"it is one of {', '.join(names)}"
                )
        return self

    def text(self, name: str, default: str | None = None) -> str:
        """A field of text on one line; without a default it has to be there and not be empty."""
        value = self.values.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.wrong(f"{name} is {value!r}; it is text")
        return " ".join(value.split())

    def number(self, name: str, default: float | None = None, above: float | None = None) -> float:
        """A finite number, greater than ``above`` where that is given."""
        value = self.values.get(name, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            self.wrong(f"{name} is {value!r}; it is a number")
        if above is not None and value <= above:
            self.wrong(f"{name} is {value}; it is above {above:g}")
        return float(value)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """A field that is one of ``choices``."""
        value = self.values.get(name, default)
        if value not in choices:
            self.wrong(
                f"{name} is {value!r}{suggestion(str(value), list(choices))}; "
                f"it is one of {', '.join(choices)}"
            )
        return str(value)

    def texts(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of texts; without a default it has at least one."""
        value = self.values.get(name, None if default is None else list(default))
        if (
            not isinstance(value, list)
            or not all(isinstance(one, str) and one for one in value)
            or (default is None and not value)
        ):
            self.wrong(f"{name} is {value!r}; it is a list of texts")
        return tuple(value)

    def numbers(self, name: str) -> dict[str, float]:
        """A mapping from text to numbers, with two entries or more."""
        inner = self.node(name)
        if len(inner.values) < 2:
            self.wrong(f"{name} has {len(inner.values)} entries; it has two or more")
        return {str(key): inner.number(key) for key in inner.values}

    def node(self, name: str, default: dict[str, Any] | None = None) -> Node:
        """A mapping inside this one."""
        value = self.values.get(name, default)
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            self.wrong(f"{name} is {value!r}; it is a mapping of names to values")
        return Node(value, f"{self.where}, {name}")

    def nodes(self, name: str, called: str, default: list[Any] | None = None) -> list[Node]:
        """A list of mappings, each told of as "<called> <number>"."""
        value = self.values.get(name, default)
        if not isinstance(value, list):
            self.wrong(f"{name} is {value!r}; it is a list")
        found = []
        for number, one in enumerate(value, start=1):
            if not isinstance(one, dict) or not all(isinstance(key, str) for key in one):
                self.wrong(f"{called} {number} is {one!r}; it is a mapping of names to values")
            found.append(Node(one, f"{self.where}: {called} {number}"))
        return found

    def wrong(self, what: str) -> NoReturn:
        """Say what is wrong here.

        Raises:
            DataError: always.
        """
        raise DataError(f"{self.where}: {what}")


def read_yaml(path: Path) -> Node:
    """The mapping that the file holds.

    Raises:
        DataError: it cannot be read, is no YAML, or holds something else.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise DataError(f"{path} holds no mapping of names to values")
    return Node(found, str(path))
