"""Verdicts over a family of tests: Holm's procedure, and intervals that agree with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.compare.estimate import Estimate
from harness.compare.result import (
    BETTER,
    EQUIVALENT,
    HIGHER,
    LOWER,
    NOT_SHOWN,
    NOT_TESTED,
    PRIMARY,
    WORSE,
    Contrast,
    Family,
    Tested,
)


@dataclass(frozen=True)
class Entry:
    """One test before it is judged.

    Attributes:
        estimate: None where there is none; ``reason`` then says why.
        baseline_value, arm_value: shown where there is no estimate.
        baseline_seeds, arm_seeds: the replicates that those are means of.
    """

    contrast: Contrast
    measure: str
    unit: str
    higher_is_better: bool | None
    estimand: str
    family: str
    estimate: Estimate | None = None
    reason: str = ""
    baseline_value: float | None = None
    arm_value: float | None = None
    notes: tuple[str, ...] = ()
    baseline_seeds: int = 1
    arm_seeds: int = 1


def judge(
    entries: Sequence[Entry], alpha: float, margins: Mapping[str, float] | None = None
) -> list[Tested]:
    """A verdict for each entry, in their order; adjusted within each family and estimand.

    Primary measures are one family; each other measure is one by itself.

    Holm's procedure (1979) rejects the i-th smallest of m p-values while it is at most
    alpha / (m − i + 1). A rejected test's interval has the level at which it was rejected, the
    others have the level at which the procedure stopped: so an interval leaves out 0 exactly where
    its difference is shown. ``margins`` (measure -> least difference that matters) makes a result
    equivalent where its whole interval lies within ± margin. That is two one-sided tests at half
    the level, stricter than they need to be, so that the printed interval shows it.
    """
    levels = _levels(entries, alpha)
    return [
        _judged(entry, levels.get(position), (margins or {}).get(entry.measure))
        for position, entry in enumerate(entries)
    ]


def families(entries: Sequence[Entry], alpha: float) -> list[Family]:
    """The families that ``judge`` adjusts over: their tests by name, those not tested left out."""
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        if entry.estimate is not None:
            name = f"{entry.measure}: {entry.contrast.name}"
            members[entry.family, entry.estimand].append(name)
    return [
        Family(name, estimand, tuple(tests), alpha, each_measure=name != PRIMARY)
        for (name, estimand), tests in members.items()
    ]


def _together(entry: Entry) -> tuple[str, ...]:
    """What an entry has in common with those that it is adjusted with."""
    if entry.family == PRIMARY:
        return entry.family, entry.estimand
    return entry.family, entry.estimand, entry.measure


def _levels(entries: Sequence[Entry], alpha: float) -> dict[int, tuple[float, float]]:
    """Position of each tested entry -> the level it was tested at, and its adjusted p."""
    groups: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
    for position, entry in enumerate(entries):
        if entry.estimate is not None:
            groups[_together(entry)].append((entry.estimate.p, position))
    levels = {}
    for group in groups.values():
        adjusted, level = 0.0, 0.0
        stopped = False
        for rank, (p, position) in enumerate(sorted(group)):
            left = len(group) - rank
            adjusted = max(adjusted, min(1.0, p * left))
            if not stopped:  # after the first that is not rejected, the others stay at its level
                level = alpha / left
                stopped = p > level
            levels[position] = (level, adjusted)
    return levels


def _judged(entry: Entry, tested: tuple[float, float] | None, margin: float | None) -> Tested:
    estimate = entry.estimate
    if estimate is None or tested is None:
        values = (entry.baseline_value, entry.arm_value)
        known = None if None in values else values[1] - values[0]  # type: ignore[operator]
        return Tested(
            contrast=entry.contrast,
            measure=entry.measure,
            unit=entry.unit,
            higher_is_better=entry.higher_is_better,
            estimand=entry.estimand,
            family=entry.family,
            baseline_value=entry.baseline_value,
            arm_value=entry.arm_value,
            difference=known,
            verdict=NOT_TESTED,
            baseline_seeds=entry.baseline_seeds,
            arm_seeds=entry.arm_seeds,
            reason=entry.reason,
            notes=entry.notes,
        )
    level, adjusted = tested
    low, high = estimate.interval(1 - level)
    equivalent = None if margin is None else -margin < low and high < margin
    shown = estimate.p <= level
    return Tested(
        contrast=entry.contrast,
        measure=entry.measure,
        unit=entry.unit,
        higher_is_better=entry.higher_is_better,
        estimand=entry.estimand,
        family=entry.family,
        baseline_value=estimate.baseline_value,
        arm_value=estimate.arm_value,
        difference=estimate.difference,
        verdict=_verdict(estimate.difference, entry.higher_is_better, shown, bool(equivalent)),
        low=low,
        high=high,
        confidence=1 - level,
        p=estimate.p,
        p_adjusted=adjusted,
        smallest_effect=estimate.smallest_effect(level),
        margin=margin,
        equivalent=equivalent,
        n=estimate.n or None,
        clusters=estimate.clusters or None,
        baseline_seeds=estimate.baseline_seeds,
        arm_seeds=estimate.arm_seeds,
        paired=estimate.paired,
        method=estimate.method,
        notes=entry.notes,
    )


def _verdict(
    difference: float, higher_is_better: bool | None, shown: bool, equivalent: bool
) -> str:
    if not shown:
        return EQUIVALENT if equivalent else NOT_SHOWN
    up = difference > 0
    if higher_is_better is None:
        return HIGHER if up else LOWER
    return BETTER if up == higher_is_better else WORSE
