"""What charts read from the rows of runs: an arm's figures, averaged over its seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness.columns import COLUMNS
from harness.measures.costs import costs
from harness.measures.definitions import COSTS, MEASURES

if TYPE_CHECKING:
    import pandas as pd

    from harness.compare.result import ArmSummary

LONGEST_NAME = 32
"""Characters of a name that a chart shows; the rest is an ellipsis."""

MONEY = "api_cost_usd"
"""The one figure in money that rows have: what an endpoint was paid."""

PRICE = "price of 1,000 queries"
"""How a column begins that a report adds to rows: what queries cost at a price that is stated."""

OWNED, RENTED = "on the owned machine", "on the rented machine"
"""How the column of the machine's price ends; that of an endpoint's ends with its name."""

Row = dict[str, Any]

Intervals = Mapping[tuple[str, str], tuple[float, float]]
"""Label of an arm and measure -> ends of the interval of its mean over seeds."""


@dataclass(frozen=True)
class Reading:
    """An arm's figure: the mean over its seeds, with its interval over questions.

    Attributes:
        exact: whether the interval is that of the mean, taken from single questions. Otherwise
            its ends are the means of the seeds' ends: never narrower, since the spread of a mean
            is at most the mean spread. Either says nothing of other seeds.
    """

    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]
    exact: bool = True


@dataclass(frozen=True)
class Arm:
    """One arm as charts see it: its name, cut for display, and a row for each replicate.

    Attributes:
        intervals: measure -> interval of the mean over seeds, where it is known better than from
            the rows.
    """

    label: str
    name: str
    task: str
    frozen: bool
    rows: tuple[Row, ...]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def read(self, measure: str) -> Reading | None:
        """The arm's figure of a measure or a cost; None where no row knows it."""
        found = combine([_figure(row, measure) for row in self.rows])
        if found is None or measure not in self.intervals:
            return found
        low, high = self.intervals[measure]
        return replace(found, low=low, high=high, exact=True)

    def read_bucket(self, bucket: str, measure: str) -> Reading | None:
        """The same among the questions of one bucket."""
        entries = [(row.get("by_bucket") or {}).get(bucket) for row in self.rows]
        return combine([_entry(entry, measure) for entry in entries])

    def mean(self, column: str) -> float | None:
        """The mean of a column over the rows that know it."""
        known = [value for row in self.rows if (value := number(row.get(column))) is not None]
        return fmean(known) if known else None

    def texts(self, column: str) -> set[str]:
        """What the rows say in a column, whole numbers without a point."""
        found = [row[column] for row in self.rows if row.get(column) is not None]
        return {f"{value:g}" if isinstance(value, float) else str(value) for value in found}


def read_arms(
    frame: pd.DataFrame, arms: Sequence[ArmSummary], intervals: Intervals | None = None
) -> list[Arm]:
    """The arms that have rows, with distinct names; a frozen arm's repeated rows count once."""
    keys = zip(map(str, frame["folder"]), map(str, frame["run_id"]), strict=True)
    lines = {key: position for position, key in enumerate(keys)}
    read = []
    for arm, name in zip(arms, shown_names([arm.label for arm in arms]), strict=True):
        counted = arm.run_ids[: max(1, arm.replicates)]
        found = [(arm.folder, run_id) for run_id in counted]
        positions = [lines[key] for key in found if key in lines]
        if positions:
            rows = tuple(_row(frame.iloc[position].to_dict()) for position in positions)
            still = all(row.get("forgetting_by_construction") for row in rows)
            better = {
                measure: ends
                for (label, measure), ends in (intervals or {}).items()
                if label == arm.label
            }
            read.append(Arm(arm.label, name, arm.task, arm.frozen or still, rows, better))
    return read


def unit_of(measure: str, arms: Sequence[Arm]) -> str:
    """The measure's unit: from its definition, else as the rows state it, else ""."""
    known = MEASURES.get(measure) or COSTS.get(measure)
    if measure == MONEY:
        return COLUMNS[MONEY].unit
    if measure.startswith(PRICE):
        return "US$"
    return known.unit if known else str(_stated(measure, "unit", arms) or "")


def higher_is_better(measure: str, arms: Sequence[Arm]) -> bool | None:
    """The measure's direction, found in the same places; None where nobody states it."""
    known = MEASURES.get(measure) or COSTS.get(measure)
    stated = known.higher_is_better if known else _stated(measure, "higher_is_better", arms)
    return stated if isinstance(stated, bool) else None


def shown_names(texts: Iterable[str], longest: int = LONGEST_NAME) -> list[str]:
    """Each text on one line, without invisible characters, cut, and unlike every other."""
    names: list[str] = []
    for text in texts:
        line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
        name = short = line if len(line) <= longest else f"{line[: longest - 1]}…"
        count = 1
        while (name or "–") in names:
            count += 1
            name = f"{short} ({count})"
        names.append(name or "–")
    return names


def number(value: object) -> float | None:
    """A finite number as a float, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _row(cells: Mapping[Any, Any]) -> Row:
    """The row with plain Python values, None for NaN and pandas' NA, and its costs added."""
    row: Row = {str(name): _plain(value) for name, value in cells.items()}
    return row | costs(row)


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list | str):
        return value
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, bool) else number(value)


def _figure(row: Row, measure: str) -> tuple[float, float | None, float | None] | None:
    value = number(row.get(measure))
    if value is None:
        return _entry(row.get("other_measures"), measure)
    return value, number(row.get(f"{measure}_low")), number(row.get(f"{measure}_high"))


def _entry(entries: object, measure: str) -> tuple[float, float | None, float | None] | None:
    """A figure from a column that holds an object: measure -> mean or value, low, high."""
    entry = entries.get(measure) if isinstance(entries, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    value = number(entry.get("mean", entry.get("value")))
    return None if value is None else (value, number(entry.get("low")), number(entry.get("high")))


def combine(
    found: Sequence[tuple[float, float | None, float | None] | None],
) -> Reading | None:
    """The reading of an arm from each seed's value and interval; None where no seed has any."""
    known = [entry for entry in found if entry is not None]
    if not known:
        return None
    values = tuple(value for value, _, _ in known)
    lows = [low for _, low, _ in known if low is not None]
    highs = [high for _, _, high in known if high is not None]
    if len(lows) < len(known) or len(highs) < len(known):
        return Reading(fmean(values), None, None, values)
    return Reading(fmean(values), fmean(lows), fmean(highs), values, exact=len(values) == 1)


def _stated(measure: str, what: str, arms: Sequence[Arm]) -> object:
    for arm in arms:
        for row in arm.rows:
            others = row.get("other_measures")
            entry = others.get(measure) if isinstance(others, Mapping) else None
            if isinstance(entry, Mapping) and entry.get(what) is not None:
                return entry[what]
    return None
