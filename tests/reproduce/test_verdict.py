from __future__ import annotations

import math

import pytest

from harness.reproduce.claims import Buckets, Choice, Claim, Difference, VolumeRatio
from harness.reproduce.effects import Effect
from harness.reproduce.verdict import (
    CONFIRMED,
    NOT_JUDGED,
    NOT_SHOWN,
    REFUTED,
    decide,
    judge,
    needed_questions,
)

from .samples import claim

AB = Difference("a", "b")


def an_effect(low: float, high: float, n: int = 500) -> Effect:
    return Effect((low + high) / 2, low, high, n, n, 1, "by hand")


@pytest.mark.parametrize(
    ("low", "high", "direction", "verdict"),
    [
        (0.11, 0.30, "greater", CONFIRMED),
        (0.10, 0.30, "greater", NOT_SHOWN),  # touches the least effect
        (0.05, 0.30, "greater", NOT_SHOWN),
        (0.01, 0.09, "greater", REFUTED),  # shown to be above 0, and too small to matter
        (-0.30, -0.11, "greater", REFUTED),
        (-0.30, -0.11, "less", CONFIRMED),
        (-0.30, -0.05, "less", NOT_SHOWN),
        (-0.09, 0.30, "less", REFUTED),
        (-0.20, 0.20, "greater", NOT_SHOWN),
    ],
)
def test_a_verdict_is_where_the_interval_lies(
    low: float, high: float, direction: str, verdict: str
) -> None:
    assert decide(low, high, direction, 0.1) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.4, 0.5, CONFIRMED),
        (-0.5, 0.5, CONFIRMED),  # ends at the ends of the range
        (-0.6, 0.5, NOT_SHOWN),
        (-0.7, 0.7, NOT_SHOWN),
        (-0.9, -0.6, REFUTED),
        (0.6, 0.9, REFUTED),
        (-0.9, -0.5, NOT_SHOWN),
        (0.6, math.inf, REFUTED),
        (0.4, math.inf, NOT_SHOWN),
        (-math.inf, -0.6, REFUTED),
    ],
)
def test_a_formula_holds_where_the_interval_lies_within_the_factor(
    low: float, high: float, verdict: str
) -> None:
    assert decide(low, high, "within", 0.5) == verdict


def of_volumes(**fields: object) -> Claim:
    return claim(VolumeRatio("lora", "rag"), direction="within", least=0.5, measures=(), **fields)


def test_an_interval_needs_blocks_enough_for_its_level() -> None:
    # seven blocks: 2^(1 − 7) = 0.0156 are at most 0.025, with six it is 0.031
    few = judge(of_volumes(), an_effect(-0.1, 0.1, n=6), 0.025)
    assert (few.verdict, few.needed) == (NOT_SHOWN, 7)
    assert few.reason == "6 metered blocks, 7 needed for an interval at this level"
    assert judge(of_volumes(), an_effect(-0.1, 0.1, n=7), 0.025).verdict == CONFIRMED
    assert judge(of_volumes(), an_effect(-0.1, 0.1, n=2), 0.025, judged=False).verdict == NOT_JUDGED


def test_a_formula_that_is_not_shown_says_why() -> None:
    one = judge(of_volumes(), an_effect(-0.9, 0.1, n=7), 0.025)
    assert one.verdict == NOT_SHOWN
    assert one.reason == "the interval holds an end of the range that the claim allows"


def test_questions_needed_are_those_of_the_formula() -> None:
    # (1.95996 + 0.84162)² · 0.25 / 0.01 = 196.2
    assert needed_questions(claim(AB, spread=0.5), 0.05) == 197
    # at 0.05 / 8: (2.73437 + 0.84162)² · 0.25 / 0.01 = 319.7
    assert needed_questions(claim(AB, spread=0.5), 0.05 / 8) == 320


def test_two_buckets_need_twice_as_many_each() -> None:
    buckets = Buckets("a", "b", "bucket", "low", "high")
    assert needed_questions(claim(buckets, spread=0.5), 0.05) == 2 * 393


def test_what_is_resampled_is_not_planned() -> None:
    assert needed_questions(claim(Choice(("a", "b"), 0.1), spread=0.5), 0.05) is None
    assert needed_questions(claim(AB), 0.05) is None


def test_twice_the_least_effect_is_confirmed_in_eighty_percent_of_studies() -> None:
    import numpy as np

    one = claim(AB, spread=0.5)
    n = needed_questions(one, 0.05)
    assert n is not None
    rng = np.random.default_rng(0)
    means = rng.normal(0.2, 0.5, (4000, n)).mean(axis=1)
    half = 1.95996 * 0.5 / n**0.5
    shares = [decide(m - half, m + half, "greater", 0.1) for m in means]
    assert 0.77 < shares.count(CONFIRMED) / 4000 < 0.83


def test_a_claim_without_runs_is_not_shown_with_the_reason() -> None:
    one = judge(claim(AB), "rag was not run on films", 0.05)
    assert (one.verdict, one.reason, one.effect) == (NOT_SHOWN, "rag was not run on films", None)


def test_a_claim_that_no_small_run_can_test_says_why() -> None:
    one = judge(claim(None, cannot="one size only"), "nothing", 0.05)
    assert (one.verdict, one.reason) == (NOT_SHOWN, "one size only")


def test_smoke_judges_nothing_however_clear_the_effect() -> None:
    one = judge(claim(AB), an_effect(0.5, 0.6), 0.05, judged=False)
    assert one.verdict == NOT_JUDGED and one.effect is not None


def test_too_few_questions_are_named() -> None:
    one = judge(claim(AB, spread=0.5), an_effect(-0.2, 0.3, n=40), 0.05)
    assert one.verdict == NOT_SHOWN
    assert "40 questions, and 197 were planned" in one.reason
    enough = judge(claim(AB, spread=0.5), an_effect(-0.2, 0.3, n=400), 0.05)
    assert enough.reason == "the interval holds the least effect"


def test_a_claim_about_the_method_is_judged_over_seeds() -> None:
    over = Effect(0.3, 0.2, 0.4, 500, 500, 3, "by hand", over_seeds=(-0.1, 0.7))
    assert judge(claim(AB), over, 0.05).verdict == CONFIRMED
    assert judge(claim(AB, test="seeds"), over, 0.05).verdict == NOT_SHOWN
    few = judge(claim(AB, test="seeds"), an_effect(0.2, 0.4), 0.05)
    assert few.verdict == NOT_SHOWN
    assert few.reason == "1 seeds of a trained arm, 3 needed to speak of the method"
