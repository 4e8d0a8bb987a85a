"""Which arm is advised at which volume: every volume where the advice changes, exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from harness.advise.figures import Figures, Line, carbon_line, line
from harness.advise.rule import advised
from harness.advise.situation import MONTHS_A_YEAR, Situation


@dataclass(frozen=True)
class Stretch:
    """Queries a month between ``low`` and ``high`` (may be infinite), and the arm advised there.

    Attributes:
        arm: None where no arm meets the limits.
    """

    low: float
    high: float
    arm: str | None


def advice_by_volume(arms: Sequence[Figures], situation: Situation) -> list[Stretch]:
    """The stretches of the volume, from 0 up, and what is advised in each.

    Costs are straight lines in the volume, so the advice changes only where two of them cross or
    where emissions reach their limit; between such volumes one query count speaks for all.
    """
    changes = sorted({volume for volume in _changes(arms, situation) if volume > 0})
    found: list[Stretch] = []
    for low, high in pairwise([0.0, *changes, math.inf]):
        inside = low * 2 + 1 if high == math.inf else (low + high) / 2
        if not low < inside < high:
            continue  # two crossings that only rounding tells apart
        arm = advised(arms, replace(situation, queries_per_month=inside))
        if found and found[-1].arm == arm:
            found[-1] = Stretch(found[-1].low, high, arm)
        else:
            found.append(Stretch(low, high, arm))
    return found


def _changes(arms: Sequence[Figures], situation: Situation) -> Iterator[float]:
    lines = []
    for figures in arms:
        found = line(figures, situation.rates, situation.changed_share)
        right = figures.accuracy if situation.per_correct else 1.0
        if found is not None and right:
            lines.append((_at_no_query(found, situation) / right, found.per_query / right))
        yield from _at_the_carbon_limit(figures, situation)
    for (fixed, each), (other_fixed, other_each) in combinations(lines, 2):
        if each != other_each:
            yield (other_fixed - fixed) / (each - other_each) / situation.months


def _at_the_carbon_limit(figures: Figures, situation: Situation) -> Iterator[float]:
    limit = situation.limits.carbon
    found = None if limit is None else carbon_line(figures, situation)
    if limit is not None and found is not None and found.per_query > 0:
        allowed = limit * situation.months / MONTHS_A_YEAR
        left = allowed - _at_no_query(found, situation)
        yield left / found.per_query / situation.months


def _at_no_query(found: Line, situation: Situation) -> float:
    return found.fixed + situation.updates * found.update
