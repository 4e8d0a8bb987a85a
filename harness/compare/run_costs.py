"""The tests of one contrast's costs: figures of whole runs, of which few are measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.compare.arms import Arm, Row
from harness.compare.comparable import cost_notes, untested_cost
from harness.compare.estimate import Estimate, runs_difference
from harness.compare.family import Entry
from harness.compare.result import OVER_SEEDS, Contrast
from harness.measures.costs import costs
from harness.measures.definitions import COSTS

FAMILY = "costs"

SETUP = ("index", "pairs", "adapter", "replay")
ANSWERS = ("answers",)
RESTS_ON: dict[str, tuple[str, ...]] = {
    "setup_seconds": SETUP,
    "setup_energy_kwh": SETUP,
    "answer_seconds": ANSWERS,
    "answer_energy_kwh": ANSWERS,
    "latency_p50_seconds": ANSWERS,
    "latency_p95_seconds": ANSWERS,
    "prompt_tokens": ANSWERS,
    "answer_tokens": ANSWERS,
}
"""Cost -> the artifacts whose making it measures; every other cost rests on all of them."""


NO_COST = ("probes", "model", "choices")
"""Artifacts that measure an arm or come once a machine: no cost holds their making."""


@dataclass(frozen=True)
class Readings:
    """One cost over the runs of an arm.

    Attributes:
        values: of every run that knows it.
        own: those that are measurements of their own. A run that reused an artifact reports what
            another run measured when it made it.
        reused: kinds of artifact that the other runs reused.
    """

    values: tuple[float, ...]
    own: tuple[float, ...]
    reused: tuple[str, ...]

    @property
    def mean(self) -> float | None:
        """What is shown of the arm where nothing is tested."""
        return sum(self.own) / len(self.own) if self.own else None


def readings(arm: Arm) -> dict[str, Readings]:
    """Each cost that a run of the arm knows."""
    figures = [(costs(row), _reused(row)) for row in arm.runs]
    found = {}
    for name in COSTS:
        known = [(figure[name], _of(name, reused)) for figure, reused in figures]
        values = tuple(value for value, _ in known if value is not None)
        own = tuple(value for value, reused in known if value is not None and not reused)
        if values:
            found[name] = Readings(
                values,
                own or values[:1],
                tuple(sorted({kind for _, kinds in known for kind in kinds})),
            )
    return found


def cost_entries(
    contrast: Contrast,
    arms: tuple[Arm, Arm],
    known: tuple[Mapping[str, Readings], Mapping[str, Readings]],
    wanted: Sequence[str],
) -> list[Entry]:
    """The tests of the costs ``wanted`` that the baseline or the arm knows.

    Args:
        arms: baseline and arm.
        known: their readings.
    """
    return [
        _entry(contrast, arms, (known[0].get(name), known[1].get(name)), name)
        for name in wanted
        if name in known[0] or name in known[1]
    ]


def _entry(
    contrast: Contrast,
    arms: tuple[Arm, Arm],
    known: tuple[Readings | None, Readings | None],
    name: str,
) -> Entry:
    ours, theirs = known
    if ours is None or theirs is None:
        missing = arms[0] if ours is None else arms[1]
        outcome: Estimate | str = f"{missing.label} has no {name}"
    else:
        reason = untested_cost(*arms, name)
        outcome = reason or runs_difference(ours.own, theirs.own)
    estimate = outcome if isinstance(outcome, Estimate) else None
    return Entry(
        contrast=contrast,
        measure=name,
        unit=COSTS[name].unit,
        higher_is_better=COSTS[name].higher_is_better,
        estimand=OVER_SEEDS,
        family=FAMILY,
        estimate=estimate,
        reason=outcome if isinstance(outcome, str) else "",
        baseline_value=ours.mean if ours and not estimate else None,
        arm_value=theirs.mean if theirs and not estimate else None,
        notes=(*cost_notes(*arms, name), *_repeated(arms, known)),
        baseline_seeds=len(ours.own) if ours else 0,
        arm_seeds=len(theirs.own) if theirs else 0,
    )


def _repeated(
    arms: tuple[Arm, Arm], known: tuple[Readings | None, Readings | None]
) -> Iterator[str]:
    """That some runs repeat the reading of another."""
    for arm, read in zip(arms, known, strict=True):
        if read and len(read.own) < len(read.values) and read.reused:
            yield (
                f"{arm.label}: {len(read.own)} reading{'s' if len(read.own) > 1 else ''} in "
                f"{len(read.values)} runs, which reused {', '.join(read.reused)}"
            )


def _reused(row: Row) -> tuple[str, ...]:
    found = row.get("reused")
    return tuple(kind for kind in found if isinstance(kind, str)) if isinstance(found, list) else ()


def _of(cost: str, reused: Sequence[str]) -> tuple[str, ...]:
    """Those artifacts out of ``reused`` whose making the cost measures."""
    if cost in RESTS_ON:
        return tuple(kind for kind in reused if kind in RESTS_ON[cost])
    return tuple(kind for kind in reused if kind not in NO_COST)
