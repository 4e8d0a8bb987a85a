"""Which measures there are to compare, what is known of each, and what rows report of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.compare.arms import Arm, Row
from harness.compare.estimate import Reported
from harness.errors import ConfigError, suggestion
from harness.measures.definitions import ACCURACY, COSTS, FORGETTING, MEASURES, PROBES, RETRIEVAL

FIRST_CHOICES = ("contains", "multiple_choice", *ACCURACY)
"""What is primary if nobody says: the first of these that the arms have."""

IN_ROWS = tuple(name for name in MEASURES if name not in PROBES)
"""Measures with a column: a probe itself has only its scores before and after."""


@dataclass(frozen=True)
class Known:
    """What is known of a measure; ``higher_is_better`` is None where nobody says."""

    name: str
    unit: str
    higher_is_better: bool | None

    @property
    def a_share(self) -> bool:
        """Whether a question's score lies between 0 and 1 by definition."""
        known = ACCURACY.get(self.name) or RETRIEVAL.get(self.name)
        return known.a_share if known else self.unit.startswith("share")


def measures_of(arms: Sequence[Arm]) -> dict[str, Known]:
    """Every measure that the arms may be compared by: the harness's own, then the imported."""
    known = {
        name: Known(name, MEASURES[name].unit, MEASURES[name].higher_is_better) for name in IN_ROWS
    }
    for arm in arms:
        for row in arm.runs:
            for name, told in _others(row).items():
                if name in COSTS:
                    continue
                found = known.setdefault(name, Known(name, "", None))
                unit, direction = told.get("unit"), told.get("higher_is_better")
                if name not in MEASURES:
                    known[name] = Known(
                        name,
                        found.unit or (unit if isinstance(unit, str) else ""),
                        found.higher_is_better
                        if found.higher_is_better is not None or not isinstance(direction, bool)
                        else direction,
                    )
    return known


def checked(names: Sequence[str], known: dict[str, Known], flag: str, costs: bool = True) -> None:
    """Check that each name is one of a measure.

    Raises:
        ConfigError: it is not, or it is that of a cost where none may stand.
    """
    for name in names:
        if name in COSTS and not costs:
            raise ConfigError(
                f"{flag}: '{name}' is a cost, a figure of whole runs; costs are compared apart. "
                f"Name one of: {', '.join(known)}"
            )
        if name not in known and name not in COSTS:
            choices = [*known, *(COSTS if costs else ())]
            raise ConfigError(
                f"{flag}: no measure '{name}'{suggestion(name, choices)}; "
                f"it is one of: {', '.join(choices)}"
            )


def default_primary(known: Sequence[str], has: Sequence[set[str]]) -> tuple[str, ...]:
    """The first choice that every arm has, else the first that any has; empty without one.

    Args:
        known: the measures that may be chosen.
        has: of each arm that is compared, its measures.
    """
    others = [name for name in known if name not in MEASURES]
    order = [name for name in dict.fromkeys((*FIRST_CHOICES, *others)) if name in known]
    order += [name for name in known if name not in order]
    for name in order:
        if has and all(name in measures for measures in has):
            return (name,)
    return tuple(next(([name] for name in order if any(name in one for one in has)), []))


class Figure(NamedTuple):
    """What one row says of one measure."""

    mean: float
    low: float | None
    high: float | None
    n: int | None


class Report:
    """What the rows of an arm say of each measure, read from them once.

    Attributes:
        figures: measure -> a figure of each run that has one; of a frozen arm's replicates alone.
    """

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        runs = arm.runs[: arm.summary.replicates] if arm.summary.frozen else arm.runs
        self.figures: dict[str, list[Figure]] = {}
        for name in IN_ROWS:
            lower, upper, count = f"{name}_low", f"{name}_high", _counted_in(name)
            figures = [
                Figure(mean, row.get(lower), row.get(upper), row.get(count))
                for row in runs
                if (mean := row.get(name)) is not None
            ]
            if figures:
                self.figures[name] = figures
        for row in runs:
            for name, told in _others(row).items():
                value, n = _number(told.get("value")), _number(told.get("n"))
                if value is not None and name not in IN_ROWS:
                    ends = _number(told.get("low")), _number(told.get("high"))
                    figure = Figure(value, *ends, int(n) if n is not None else None)
                    self.figures.setdefault(name, []).append(figure)

    def mean(self, measure: str) -> float | None:
        """The mean over the arm's runs; None where no row has the measure."""
        figures = self.figures.get(measure)
        return sum(one.mean for one in figures) / len(figures) if figures else None

    def interval(self, measure: str) -> Reported | str:
        """The arm's figure with its interval; else why there is none.

        Over several seeds both are averaged: the seeds' intervals are about the same questions, so
        averaging makes them no narrower.
        """
        if measure not in self.figures:
            return f"{self.arm.label} has no {measure}"
        full = self._full(measure)
        if not full:
            return f"{self.arm.label} has neither predictions nor an interval for {measure}"
        mean, low, high = (sum(one[i] for one in full) / len(full) for i in range(3))
        return Reported(mean=mean, low=low, high=high, n=min(one[3] for one in full))

    def replicates(self, measure: str) -> int:
        """The runs that ``interval`` is an average of; 1 for what is known by construction."""
        return len(self._full(measure)) or 1

    def _full(self, measure: str) -> list[tuple[float, float, float, int]]:
        return [
            (one.mean, one.low, one.high, one.n or 0)
            for one in self.figures.get(measure, ())
            if one.low is not None and one.high is not None
        ]


def _counted_in(measure: str) -> str:
    """The column with the number of questions or items that a measure is a mean over."""
    if measure in FORGETTING:
        return f"{measure}_n"
    return "retrieval_n" if measure in RETRIEVAL else "n_test"


def _others(row: Row) -> dict[str, dict[str, Any]]:
    """The row's measures without a column; those that are no object hold nothing to compare."""
    found = row.get("other_measures")
    if not isinstance(found, dict):
        return {}
    return {str(name): told for name, told in found.items() if isinstance(told, dict)}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
