"""Verdicts on claims, and the number of questions that they need.

Confirmed: the corrected interval lies wholly beyond the least effect, in the claimed direction.
Refuted: it lies wholly short of it. Else not shown: no evidence is not refutation. A formula is
confirmed where the interval lies wholly within its factor, and refuted where wholly outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.compare.estimate import MIN_SEEDS
from harness.reproduce.claims import WITHIN, Buckets, Choice, Claim, VolumeRatio
from harness.reproduce.effects import Effect
from harness.reproduce.volumes import needed_blocks

CONFIRMED, REFUTED, NOT_SHOWN, NOT_JUDGED = "confirmed", "refuted", "not shown", "not judged"

POWER = 0.8


@dataclass(frozen=True)
class Verdict:
    """What the runs say of a claim.

    Attributes:
        reason: why it is not shown or not judged; "" where the interval says it.
        needed: questions that the claim was planned to need, or metered blocks that its level
            needs; None if it was not planned so.
    """

    claim: Claim
    verdict: str
    effect: Effect | None = None
    reason: str = ""
    needed: int | None = None


def judge(claim: Claim, effect: Effect | str, level: float, judged: bool = True) -> Verdict:
    """The verdict on a claim by its effect, or by the reason why it has none.

    Args:
        judged: whether runs of this scale may be judged at all.
    """
    nothing = NOT_SHOWN if judged else NOT_JUDGED
    if claim.cannot:
        return Verdict(claim, nothing, reason=claim.cannot)
    volumes = isinstance(claim.contrast, VolumeRatio)
    needed = needed_blocks(level) if volumes else needed_questions(claim, level)
    if isinstance(effect, str):
        return Verdict(claim, nothing, reason=effect, needed=needed)
    if not judged:
        why = "this scale shows that all is connected, and judges nothing"
        return Verdict(claim, NOT_JUDGED, effect, why, needed)
    ends = effect.over_seeds if claim.test == "seeds" else (effect.low, effect.high)
    if ends is None:
        why = f"{effect.seeds} seeds of a trained arm, {MIN_SEEDS} needed to speak of the method"
        return Verdict(claim, NOT_SHOWN, effect, why, needed)
    if volumes and needed is not None and effect.n < needed:
        why = f"{effect.n} metered blocks, {needed} needed for an interval at this level"
        return Verdict(claim, NOT_SHOWN, effect, why, needed)
    found = decide(*ends, claim.direction, claim.least)
    return Verdict(claim, found, effect, _reason(claim, found, effect, needed), needed)


def decide(low: float, high: float, direction: str, least: float) -> str:
    """The verdict of an interval: ``direction`` is "greater", "less" or "within"; ``least`` > 0."""
    if direction == WITHIN:
        if -least <= low and high <= least:
            return CONFIRMED
        return REFUTED if low > least or high < -least else NOT_SHOWN
    if direction == "less":
        low, high = -high, -low
    if low > least:
        return CONFIRMED
    return REFUTED if high < least else NOT_SHOWN


def _reason(claim: Claim, found: str, effect: Effect, needed: int | None) -> str:
    if found != NOT_SHOWN:
        return ""
    if claim.direction == WITHIN:
        return "the interval holds an end of the range that the claim allows"
    why = "the interval holds the least effect"
    if needed is not None and effect.n < needed:
        return f"{why}: {effect.n} questions, and {needed} were planned"
    return why


def needed_questions(claim: Claim, level: float) -> int | None:
    """Questions at which twice the least effect is confirmed, and none at all refuted, at 80 %.

    Both lie the least effect away from it: n = ((z(1 − level/2) + z(0.8)) · spread / least)², and
    for two buckets that many of twice the variance in each. None without a planned spread.
    """
    from scipy.special import ndtri

    if claim.spread is None or isinstance(claim.contrast, Choice) or claim.contrast is None:
        return None
    z = float(ndtri(1 - level / 2) + ndtri(POWER))
    n = (z * claim.spread / claim.least) ** 2
    return 2 * math.ceil(2 * n) if isinstance(claim.contrast, Buckets) else math.ceil(n)
