"""Which limits bind where no arm meets them all: the fewest whose giving way admits an arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.advise.rule import AT_LEAST, Standing, ranking


@dataclass(frozen=True)
class Relaxation:
    """Limits that bind, and the arm that is admitted where they give way just so far.

    Attributes:
        to: limit -> the value that it would have to have.
    """

    arm: str
    to: dict[str, float]


def relaxations(found: Sequence[Standing]) -> list[Relaxation]:
    """For the fewest limits that have to give way: the arms that each such set of limits admits.

    Of those that a single limit admits, the one that asks least of it, and the one that would be
    advised were it dropped, unless it is the least accuracy, without which the cheapest would be.
    Of several limits, the latter. A limit on what is unknown of an arm cannot be relaxed for it.
    Empty where nothing helps.
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
        nearest = min(standings, key=lambda one: _asked(one, names[0]))
        first = ranking([replace(one, fails=()) for one in standings])[0]
        arms = [first] if len(names) > 1 else [nearest]
        if len(names) == 1 and nearest.arm != first.arm and names[0] not in AT_LEAST:
            arms.append(first)
        chosen += [Relaxation(one.arm, {name: _value(one, name) for name in names}) for one in arms]
    return chosen


def _asked(one: Standing, limit: str) -> float:
    value = _value(one, limit)
    return -value if limit in AT_LEAST else value


def _value(one: Standing, name: str) -> float:
    value = one.value(name)
    assert value is not None  # only known values are relaxed to
    return value
