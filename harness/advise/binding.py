"""Which limits bind where no arm meets them all: the fewest whose giving way admits an arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.advise.rule import Standing


@dataclass(frozen=True)
class Relaxation:
    """Limits that bind, and the arm that is admitted where they give way just so far.

    Attributes:
        to: limit -> the value that it would have to have.
    """

    arm: str
    to: dict[str, float]


def relaxations(found: Sequence[Standing]) -> list[Relaxation]:
    """For the fewest limits that have to give way: the best arm for each such set of limits.

    A limit on what is unknown of an arm cannot be relaxed for it. Where one limit has to give way
    the best arm is that which asks least of it, where several, the one that ranks first. Empty
    where nothing helps.
    """
    possible: dict[tuple[str, ...], list[Standing]] = {}
    for one in found:
        known = all(one.value(name) is not None for name in one.fails)
        if one.fails and one.ranked_by is not None and known:
            possible.setdefault(one.fails, []).append(one)
    fewest = min((len(names) for names in possible), default=0)
    chosen = []
    for names, standings in possible.items():
        if len(names) > fewest:
            continue
        best = min(standings, key=lambda one: _asked(one, names))
        chosen.append(Relaxation(best.arm, {name: _value(best, name) for name in names}))
    return chosen


def _asked(one: Standing, names: tuple[str, ...]) -> tuple[float, float]:
    by = math.inf if one.ranked_by is None else one.ranked_by
    if len(names) > 1:
        return by, 0.0
    value = _value(one, names[0])
    return (-value if names[0] == "accuracy" else value), by


def _value(one: Standing, name: str) -> float:
    value = one.value(name)
    assert value is not None  # only known values are relaxed to
    return value
