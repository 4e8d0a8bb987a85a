"""What each assumption does by itself: to what the runner-up costs more, and to the advice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.advise.assumptions import Assumption, Case
from harness.advise.rule import advised, standings

STEPS = 60
"""Values looked at on each side for a change of advice; two changes between them go unseen."""

HALVINGS = 60


@dataclass(frozen=True)
class Flip:
    """The value, nearest on its side, at which the advice changes, and what it becomes."""

    value: float
    to: str | None


@dataclass(frozen=True)
class Bar:
    """One assumption of the tornado.

    Attributes:
        low, high: what the runner-up costs more at both ends of the range; None where that is
            unknown, as there is no runner-up or an arm that is never right.
        at_low, at_high: the arm advised there.
        below, above: where the advice changes; None if it does not, however far it is followed.
    """

    assumption: Assumption
    low: float | None
    high: float | None
    at_low: str | None
    at_high: str | None
    below: Flip | None
    above: Flip | None

    @property
    def swing(self) -> float:
        """How far the ends lie apart; 0 where one of them is unknown."""
        return 0.0 if self.low is None or self.high is None else abs(self.high - self.low)


def tornado(found: Sequence[Assumption], best: str | None, other: str | None) -> list[Bar]:
    """A bar for each assumption, the largest swing first, then those that change the advice.

    Args:
        best, other: the advised arm and the runner-up, whose difference is shown throughout.
    """
    bars = [_bar(one, best, other) for one in found]
    return sorted(bars, key=lambda bar: (-bar.swing, bar.below is None and bar.above is None))


def difference(case: Case, best: str | None, other: str | None) -> float | None:
    """What ``other`` costs more than ``best``, in what arms are ranked by."""
    by_arm = {one.arm: one.ranked_by for one in standings(*case)}
    ours, theirs = by_arm.get(best or ""), by_arm.get(other or "")
    return None if ours is None or theirs is None else theirs - ours


def _bar(one: Assumption, best: str | None, other: str | None) -> Bar:
    low, high = one.case(one.low), one.case(one.high)
    return Bar(
        one,
        difference(low, best, other),
        difference(high, best, other),
        advised(*low),
        advised(*high),
        _flip(one, one.least, best),
        _flip(one, one.most, best),
    )


def _flip(one: Assumption, end: float, best: str | None) -> Flip | None:
    """The first change of advice between the value and ``end``, by bisection."""
    for near, far in pairwise(_steps(one, end)):
        if advised(*one.case(far)) != best:
            return _bisected(one, near, far, best)
    return None


def _bisected(one: Assumption, near: float, far: float, best: str | None) -> Flip:
    """The change of advice between ``near``, where ``best`` is advised, and ``far``."""
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        if advised(*one.case(middle)) == best:
            near = middle
        else:
            far = middle
    return Flip(far, advised(*one.case(far)))


def _steps(one: Assumption, end: float) -> Iterator[float]:
    """Values from the present one to ``end``: in equal ratios, or for shares in equal steps."""
    yield one.value
    if end == one.value:
        return
    start = one.value or end / 1e6  # 0 has no ratio to anything
    if one.share or end == 0:
        for step in range(1, STEPS):
            yield one.value + (end - one.value) * step / STEPS
        yield end
        return
    for step in range(1, STEPS + 1):
        # The end itself, as rounding may carry a share past 1.
        yield end if step == STEPS else start * math.exp(math.log(end / start) * step / STEPS)
