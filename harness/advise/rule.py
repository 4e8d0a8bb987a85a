"""Which arm is advised: of those that meet every limit, the one that costs least.

What "costs least" is counted by: the cost over the whole time where a least accuracy is set, since
then every arm that is left is good enough; else the cost of a correct answer, since the cheapest
arm may be one that is hardly ever right. What is unknown meets no limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.advise.figures import Figures, carbon_per_year, cost
from harness.advise.situation import Situation
from harness.report.pareto import front

AT_LEAST = ("accuracy",)
"""Limits that are a least value; the others are a most."""


@dataclass(frozen=True)
class Standing:
    """One arm in one situation. None is unknown.

    Attributes:
        cost: over the whole time, in the situation's unit.
        ranked_by: what arms are ranked by, less is better: ``cost``, or that of a correct answer.
        carbon: kg CO2e a year.
        fails: the limits that it does not meet, unknown ones included.
    """

    figures: Figures
    cost: float | None
    ranked_by: float | None
    carbon: float | None
    fails: tuple[str, ...]

    @property
    def arm(self) -> str:
        """The arm's label."""
        return self.figures.arm

    def value(self, limit: str) -> float | None:
        """What the arm has of what a limit is set on."""
        if limit == "carbon":
            return self.carbon
        found: float | None = getattr(self.figures, limit)
        return found


def standings(arms: Sequence[Figures], situation: Situation) -> list[Standing]:
    """How each arm does in the situation, in the order given."""
    limited = situation.limits.carbon is not None
    found = []
    for figures in arms:
        total = cost(figures, situation)
        # The grid's tables are slow to open, and money needs none.
        carbon = carbon_per_year(figures, situation) if limited else None
        standing = Standing(figures, total, _ranked_by(total, figures, situation), carbon, ())
        fails = tuple(
            name
            for name, bound in situation.limits.given().items()
            if not meets(name, standing.value(name), bound)
        )
        found.append(Standing(figures, total, standing.ranked_by, carbon, fails))
    return found


def meets(limit: str, value: float | None, bound: float) -> bool:
    """Whether a value keeps to a limit; an unknown one does not."""
    if value is None:
        return False
    return value >= bound if limit in AT_LEAST else value <= bound


def ranking(found: Sequence[Standing]) -> list[Standing]:
    """The arms that meet every limit and whose cost is known, the advised one first.

    Of two that cost the same the more accurate stands first, then the one that forgets less.
    """
    return sorted((one for one in found if not one.fails and one.ranked_by is not None), key=_order)


def advised(arms: Sequence[Figures], situation: Situation) -> str | None:
    """The arm that is advised; None if none meets the limits."""
    first = ranking(standings(arms, situation))
    return first[0].arm if first else None


def rival(found: Sequence[Standing], best: Standing | None) -> Standing | None:
    """The runner-up: the next that meets the limits, else the one that fails fewest of them.

    Of several that fail as many, the one whose correct answer costs least.
    """
    next_best = [one for one in ranking(found) if one is not best]
    failing = [one for one in found if one.fails and one.ranked_by is not None]
    return next(iter([*next_best, *sorted(failing, key=_distance)]), None)


def on_front(found: Sequence[Standing]) -> list[str]:
    """The arms that no other beats in cost, accuracy or forgetting without losing in another.

    Forgetting counts where every arm was probed.
    """
    probed = all(one.figures.forgetting is not None for one in found)
    points = [
        (one.cost, one.figures.accuracy, *((one.figures.forgetting,) if probed else ()))
        for one in found
    ]
    better = (False, True, *((False,) if probed else ()))
    return [found[position].arm for position in front(points, better)]


def _ranked_by(total: float | None, figures: Figures, situation: Situation) -> float | None:
    if total is None or not situation.per_correct:
        return total
    if not figures.accuracy:  # never right, or not known to be
        return None
    return total / (situation.queries * figures.accuracy)


def _distance(one: Standing) -> tuple[int, float]:
    right = one.figures.accuracy
    return len(one.fails), one.cost / right if one.cost is not None and right else math.inf


def _order(one: Standing) -> tuple[float, float, float]:
    accuracy, forgetting = one.figures.accuracy, one.figures.forgetting
    return (
        math.inf if one.ranked_by is None else one.ranked_by,
        0.0 if accuracy is None else -accuracy,
        math.inf if forgetting is None else forgetting,
    )
