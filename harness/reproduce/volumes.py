"""A break-even held against its formula: the measured volume over the predicted one.

The measured volume is ``harness breakeven``'s, of metered blocks drawn anew; the predicted one is
2D/r or 3D/r of the same blocks' tokens. Ratios are taken as logarithms to the base 2, so that half
and twice are equally far from 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.columns import COLUMNS
from harness.economics.pairs import Pairs, pair_rows
from harness.economics.predicted import predicted
from harness.economics.resampling import resampled_break_even
from harness.economics.volume import Question, costs_of
from harness.errors import HarnessError
from harness.reproduce.claims import VolumeRatio
from harness.reproduce.effects import Effect, Volume, Volumes

Row = Mapping[str, Any]


def needed_blocks(level: float) -> int:
    """The fewest blocks whose resampling can give an interval at ``1 - level``.

    The widest one of n blocks reaches from the least to the greatest, and n readings all lie on one
    side of their median with probability 2^(1 − n).
    """
    return math.ceil(1 - math.log2(level))


def volume_effect(
    contrast: VolumeRatio, arm: Sequence[Row], against: Sequence[Row], level: float
) -> Effect | str:
    """log2(measured / predicted) with its interval at ``1 - level``; or why there is none.

    Args:
        arm, against: finished rows of the two, each with the ``folder`` that blocks are looked for.
    """
    whole = [[dict.fromkeys(COLUMNS) | dict(row) for row in rows] for rows in (arm, against)]
    try:
        pairs = pair_rows(contrast.arm, contrast.against, whole[0], whole[1], "blocks")
    except HarnessError as error:
        return str(error)
    told = predicted(pairs)
    if isinstance(told, str):
        return told
    if told.trained != contrast.arm:
        return f"{told.trained} is the trained arm, and the claim is of {contrast.arm}"
    if told.queries is None:
        return f"prompts of {told.other} are no longer, so {told.formula} names no volume"
    seconds = _volume(pairs, "seconds", level)
    if seconds is None:
        return "the blocks do not hold every cost in seconds"
    value, low, high = (_ratio(one, told.queries) for one in (seconds.queries, *seconds.ends))
    blocks = len(pairs.rows)
    return Effect(
        value=value,
        low=low,
        high=high,
        n=blocks,
        clusters=blocks,
        seeds=1,
        method="metered blocks drawn anew, whole",
        volumes=Volumes(
            formula=told.formula,
            trained_tokens=told.trained_tokens,
            extra_prompt_tokens=told.extra_prompt_tokens,
            predicted=told.queries,
            seconds=seconds,
            kwh=_volume(pairs, "kwh", level),
            reasons=told.reasons,
            told=pairs.told,
        ),
    )


def _volume(pairs: Pairs, unit: str, level: float) -> Volume | None:
    """The volume above which the first arm is cheaper for good; None where a cost is unknown.

    One block has no interval: its ends are then 0 and infinite.
    """
    found = resampled_break_even(costs_of(pairs.rows, unit, Question()), confidence=1 - level)
    if found is None:
        return None
    if found.point.case in ("below", "tie"):  # those ends are of the other arm's volume
        never = not {"above", "always"} & found.shares.keys() and found.blocks > 1
        return Volume(math.inf, math.inf if never else 0.0, math.inf)
    whole = {"always": 0.0, "never": math.inf}
    point = whole.get(found.point.case, found.point.queries)
    assert point is not None  # the case is "above"
    if found.low is None or found.high is None:
        return Volume(point, 0.0, math.inf)
    return Volume(point, min(found.low, point), max(found.high, point))


def _ratio(queries: float, predicted: float) -> float:
    """log2 of the ratio; infinite where a volume is, and below every number where it is 0."""
    return math.log2(queries / predicted) if queries > 0 else -math.inf
