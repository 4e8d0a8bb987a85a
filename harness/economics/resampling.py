"""How sure a break-even is: metered blocks drawn anew, and what each draw says.

A block holds one reading of both arms, taken close to each other, and is drawn whole: what slowed
the machine slowed both. A cost that was measured once is repeated in every block, and adds no
spread: say so where the interval is shown.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist, fmean

from harness.economics.breakeven import CASES, ArmCost, BreakEven, break_even
from harness.errors import ConfigError

FEW_BLOCKS = 5
"""With fewer blocks than this the interval is too narrow, whatever the method."""


@dataclass(frozen=True)
class ResampledBreakEven:
    """A break-even with what resampling its blocks gave.

    Attributes:
        point: of the means over all blocks.
        low, high: interval of the volume above which the arm with the lower cost per query is
            cheaper for good; ``high`` is infinite where the difference in cost per query could
            be 0 or of the other sign. None with fewer than two blocks.
        shares: case -> share of the resamples that gave it; empty with fewer than two blocks.
        blocks: how many there were.
    """

    point: BreakEven
    low: float | None
    high: float | None
    shares: Mapping[str, float]
    blocks: int

    @property
    def unbounded(self) -> bool:
        """Whether no volume can be named by which the crossing has surely come."""
        return self.high == math.inf


def resampled_break_even(
    blocks: Sequence[tuple[ArmCost, ArmCost]],
    updates: float = 0,
    per_correct: bool = False,
    confidence: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> ResampledBreakEven | None:
    """The first arm of the blocks against the second; None where a cost is unknown.

    The interval is the expanded percentile interval (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789), since a plain one is too narrow for few blocks. A draw in
    which the arm is dearer per query after all counts as an infinite volume, and one in which it
    is cheaper from the start as 0.

    Raises:
        ConfigError: there is no block, or a setting cannot be.
    """
    if not blocks:
        raise ConfigError("break-even needs one block of readings or more; there is none")
    if not 0 < confidence < 1 or draws < 100:
        raise ConfigError(
            f"confidence is {confidence} and draws {draws}; a confidence is between 0 and 1, "
            "and 100 draws or more are needed"
        )
    point = _of_means(blocks, updates, per_correct)
    if point is None:
        return None
    if len(blocks) < 2:
        return ResampledBreakEven(point, None, None, {}, len(blocks))
    random = Random(seed)  # noqa: S311 - a resample, not a secret
    found = []
    known: dict[tuple[int, ...], BreakEven] = {}  # few blocks can be drawn in few ways
    for _ in range(draws):
        drawn = tuple(sorted(random.choices(range(len(blocks)), k=len(blocks))))
        if drawn not in known:
            outcome = _of_means([blocks[number] for number in drawn], updates, per_correct)
            assert outcome is not None  # as every cost of the point is known
            known[drawn] = outcome
        found.append(known[drawn])
    counts = Counter(outcome.case for outcome in found)
    shares = {case: counts[case] / draws for case in CASES if counts[case]}
    volumes = sorted(_volume_for_good(outcome, point.case == "below") for outcome in found)
    tail = _expanded_tail(confidence, len(blocks))
    low, high = (
        volumes[math.floor(tail * (draws - 1))],
        volumes[math.ceil((1 - tail) * (draws - 1))],
    )
    return ResampledBreakEven(point, low, high, shares, len(blocks))


def _of_means(
    blocks: Sequence[tuple[ArmCost, ArmCost]], updates: float, per_correct: bool
) -> BreakEven | None:
    arm, against = (mean_cost([block[side] for block in blocks]) for side in (0, 1))
    return break_even(arm, against, updates, per_correct)


def mean_cost(costs: Sequence[ArmCost]) -> ArmCost:
    """The mean of each cost; None where a block does not know it."""

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None

    return ArmCost(
        fixed=mean([cost.fixed for cost in costs]),
        per_query=mean([cost.per_query for cost in costs]),
        update=mean([cost.update for cost in costs]),
        accuracy=mean([cost.accuracy for cost in costs]),
    )


def _volume_for_good(outcome: BreakEven, of_the_other: bool) -> float:
    """The volume above which the arm, or ``of_the_other`` arm, is cheaper for good."""
    start, end = ("never", "below") if of_the_other else ("always", "above")
    if outcome.case == end:
        assert outcome.queries is not None
        return outcome.queries
    return 0.0 if outcome.case == start else math.inf


def _expanded_tail(confidence: float, blocks: int) -> float:
    """The share cut off at each end, so that a normal mean of few blocks gets a t interval."""
    from scipy import stats

    t = float(stats.t.ppf((1 + confidence) / 2, blocks - 1))
    return NormalDist().cdf(-t * math.sqrt(blocks / (blocks - 1)))
