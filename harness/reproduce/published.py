"""The figures that a paper printed: ``published.csv``, one a line, and how each was verified."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError

COLUMNS = (
    "paper",
    "table",
    "version",
    "dataset",
    "setting",
    "model",
    "condition",
    "metric",
    "value",
    "unit",
    "n",
    "verification",
)
UNITS = {"percent": 0.01, "fraction": 1.0}
"""Unit of a value -> what makes a share of it; others stay as they are."""

CONFIRMED_BY_A_SECOND = ("two_sources", "three secondary copies agree")


@dataclass(frozen=True)
class Published:
    """One figure.

    Attributes:
        value: as a share where it is one.
        share: whether it is.
        verification: what was done to verify it, in the file's words.
    """

    value: float
    share: bool
    verification: str
    row: Mapping[str, str]

    @property
    def verified(self) -> bool:
        """Whether more than one source gives this value."""
        return self.verification in CONFIRMED_BY_A_SECOND


def read_published(path: Path) -> list[Published]:
    """Every figure in the file.

    Raises:
        DataError: it cannot be read, a column is missing, or a value is no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            header = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error})") from error
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; it has {', '.join(header)}")
    return [_published(path, number, row) for number, row in enumerate(rows, start=2)]


def _published(path: Path, number: int, row: dict[str, str]) -> Published:
    try:
        value = float(row["value"])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path}, line {number}: value is {row['value']!r}; it is a number")
    unit, verification = row["unit"], row["verification"]
    if not verification:
        raise DataError(f"{path}, line {number}: verification is empty; say how it was verified")
    return Published(value * UNITS.get(unit, 1.0), unit in UNITS, verification, row)


def find(figures: Sequence[Published], wanted: Mapping[str, str], where: str) -> Published:
    """The only figure whose columns have the ``wanted`` values.

    Raises:
        DataError: there is none, or more than one; ``where`` names who asks.
    """
    found = [
        figure
        for figure in figures
        if all(figure.row.get(name) == value for name, value in wanted.items())
    ]
    if len(found) != 1:
        asked = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
        raise DataError(
            f"{where}: {len(found) or 'no'} published figures have {asked}; exactly one must"
        )
    return found[0]
