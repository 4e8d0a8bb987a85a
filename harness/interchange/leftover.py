"""A foreign JSON object from which what has a place of its own is taken, leaf by leaf."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


class Leftover:
    """What is left of a foreign file once its figures and settings have found their columns.

    ``take`` removes a leaf and remembers where it went, so that nothing is dropped: every leaf is
    either in ``placed`` or in ``rest()``. The object that is given is changed.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self.placed: dict[Path, str] = {}

    def look(self, *path: str | int) -> Any:
        """The value at a path, left where it is; None where there is none."""
        value: Any = self._content
        for key in path:
            known = (isinstance(value, dict) and isinstance(key, str) and key in value) or (
                isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value)
            )
            if not known:
                return None
            value = value[key]
        return value

    def take_text(self, to: str, *path: str | int) -> str | None:
        """The text at a path, taken; None, and left, where it is empty or something else."""
        value = self.look(*path)
        if not isinstance(value, str) or not value.strip():
            return None
        return str(self._take(to, path))

    def take_number(self, to: str, *path: str | int) -> float | None:
        """The finite number at a path, taken; None, and left, where it is something else."""
        value = self.look(*path)
        if not is_number(value):
            return None
        self._take(to, path)
        return float(value)

    def take_int(self, to: str, *path: str | int) -> int | None:
        """The whole number at a path, taken; None, and left, where it is something else."""
        value = self.look(*path)
        if not is_number(value) or value != int(value):
            return None
        self._take(to, path)
        return int(value)

    def take_bool(self, to: str, *path: str | int) -> bool | None:
        """The truth value at a path, taken; None, and left, where it is something else."""
        value = self.look(*path)
        return bool(self._take(to, path)) if isinstance(value, bool) else None

    def take_object(self, to: str, *path: str | int) -> Any:
        """The object or list at a path, taken whole; None, and left, where it is something else."""
        value = self.look(*path)
        if not isinstance(value, dict | list) or not value:
            return None
        start = self._from_start(path)
        taken = self._take(to, path)
        del self.placed[start]
        self.placed.update({(*start, *leaf): to for leaf, _ in leaves(taken)})
        return finite(taken)

    def rest(self) -> dict[str, Any]:
        """What was not taken, as it was; a NaN or infinite number as text, since JSON has none."""
        found = finite(self._content)
        assert isinstance(found, dict)
        return found

    def not_finite(self) -> list[str]:
        """The places of NaN and infinite numbers in what was not taken."""
        return [
            ".".join(map(str, path))
            for path, value in leaves(self._content)
            if isinstance(value, float) and not math.isfinite(value)
        ]

    def _take(self, to: str, path: Path) -> Any:
        self.placed[self._from_start(path)] = to
        holders: list[Any] = [self._content]
        for key in path[:-1]:
            holders.append(holders[-1][key])
        value = holders[-1].pop(path[-1])
        # A dictionary that is emptied goes, too; a list keeps its places.
        for depth in range(len(path) - 1, 0, -1):
            if holders[depth] or not isinstance(holders[depth - 1], dict):
                break
            del holders[depth - 1][path[depth - 1]]
        return value

    def _from_start(self, path: Path) -> Path:
        """The path with places in lists counted from the start."""
        found: list[str | int] = []
        value: Any = self._content
        for key in path:
            if isinstance(value, list) and isinstance(key, int) and key < 0:
                found.append(len(value) + key)
            else:
                found.append(key)
            value = value[found[-1]]
        return tuple(found)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= 1.7976931348623157e308
    )


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of a JSON value with its path; an empty object or list is a leaf."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def finite(value: Any) -> Any:
    """The JSON value with NaN and infinite numbers as text: "NaN", "Infinity", "-Infinity"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return value
