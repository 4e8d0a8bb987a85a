"""Holm over a family by hand; intervals that agree with verdicts; words for every case."""

from __future__ import annotations

import pytest
from statsmodels.stats.multitest import multipletests

from harness.compare.estimate import Estimate, Term
from harness.compare.family import Entry, families, judge
from harness.compare.result import OVER_SEEDS, PRIMARY, SECONDARY, THESE_WEIGHTS, Contrast

CONTRAST = Contrast("closed_book", "rag")


def entry(
    z: float,
    *,
    higher_is_better: bool | None = True,
    family: str = PRIMARY,
    estimand: str = THESE_WEIGHTS,
    measure: str = "exact_match",
    error: float = 0.01,
) -> Entry:
    """An entry whose difference lies ``z`` standard errors from 0, known without doubt."""
    estimate = Estimate(
        baseline_value=0.5,
        arm_value=0.5 + z * error,
        terms=(Term(error, float("inf")),),
        method="z",
        n=100,
        clusters=100,
        centre=z * error,
    )
    return Entry(CONTRAST, measure, "share", higher_is_better, estimand, family, estimate)


def test_holm_by_hand():
    # p = .0455, .0027, .0124: levels .05/3 (.0027), .05/2 (.0124), .05 (.0455): all shown.
    found = judge([entry(2.0), entry(3.0), entry(2.5)], 0.05)
    assert [round(1 - one.confidence, 4) for one in found] == [0.05, 0.0167, 0.025]
    assert [one.verdict for one in found] == ["better"] * 3


def test_after_the_first_that_is_not_rejected_nothing_is():
    # p = .0455 alone would pass .05, but .0357 fails its .05/2 before.
    found = judge([entry(2.0), entry(2.1), entry(4.0)], 0.05)
    assert [one.verdict for one in found] == [
        "no difference shown",
        "no difference shown",
        "better",
    ]
    assert [round(1 - one.confidence, 4) for one in found] == [0.025, 0.025, 0.0167]


def test_adjusted_p_values_are_statsmodels():
    entries = [entry(z) for z in (0.3, 1.7, 2.2, 2.9, 3.3)]
    found = judge(entries, 0.05)
    raw = [one.estimate.p for one in entries if one.estimate]
    rejected, adjusted, _, _ = multipletests(raw, 0.05, "holm")
    assert [one.p_adjusted for one in found] == pytest.approx(list(adjusted))
    assert [one.verdict == "better" for one in found] == list(rejected)


def test_intervals_agree_with_verdicts():
    for one in judge([entry(z / 4) for z in range(-16, 17)], 0.05):
        assert one.low is not None
        assert one.high is not None
        assert (one.low <= 0 <= one.high) == (one.verdict == "no difference shown")


def test_families_and_estimands_are_adjusted_apart():
    entries = [
        entry(2.0),
        entry(2.0, estimand=OVER_SEEDS),
        entry(2.0, family=SECONDARY, measure="f1"),
        entry(2.0, family=SECONDARY),
        entry(0.1, family=SECONDARY),
    ]
    found = judge(entries, 0.05)
    # The two secondary tests of exact_match share a family, that of f1 stands alone.
    assert [one.verdict for one in found] == [*["better"] * 3, *["no difference shown"] * 2]
    listed = families(entries, 0.05)
    assert [(one.name, one.estimand, len(one.members), one.each_measure) for one in listed] == [
        (PRIMARY, THESE_WEIGHTS, 1, False),
        (PRIMARY, OVER_SEEDS, 1, False),
        (SECONDARY, THESE_WEIGHTS, 3, True),
    ]
    assert listed[2].members[0] == "f1: rag − closed_book"


@pytest.mark.parametrize(
    ("z", "higher_is_better", "verdict"),
    [
        (5, True, "better"),
        (5, False, "worse"),
        (-5, True, "worse"),
        (-5, False, "better"),
        (5, None, "higher"),
        (-5, None, "lower"),
        (0, True, "no difference shown"),
    ],
)
def test_the_verdict_follows_the_direction(z: float, higher_is_better: bool | None, verdict: str):
    assert judge([entry(z, higher_is_better=higher_is_better)], 0.05)[0].verdict == verdict


def test_equivalent_needs_a_margin_and_the_whole_interval_within_it():
    margin = {"exact_match": 0.03}
    assert judge([entry(0.5)], 0.05)[0].equivalent is None
    assert judge([entry(0.5)], 0.05, margin)[0].verdict == "equivalent"
    wide = judge([entry(0.5, error=0.02)], 0.05, margin)[0]
    assert (wide.verdict, wide.equivalent) == ("no difference shown", False)


def test_a_difference_within_the_margin_is_named_as_both():
    found = judge([entry(2.5, error=0.002)], 0.05, {"exact_match": 0.02})[0]
    assert (found.verdict, found.equivalent) == ("better", True)
    assert found.says == "better, but within the margin of 0.02"


def test_what_could_have_been_seen_is_said():
    found = judge([entry(0.0)], 0.05)[0]
    assert found.smallest_effect == pytest.approx((1.959964 + 0.841621) * 0.01, rel=1e-5)
    assert found.says == "no difference shown (could have seen ≥ 0.028)"


def test_an_entry_without_an_estimate_says_why_and_counts_for_nothing():
    lost = Entry(
        CONTRAST,
        "train_seconds",
        "s",
        False,
        THESE_WEIGHTS,
        PRIMARY,
        reason="1 reading",
        baseline_value=1.0,
        arm_value=3.0,
    )
    found = judge([lost, entry(2.0)], 0.05)
    assert found[0].says == "not tested: 1 reading"
    assert found[0].difference == 2.0
    assert found[1].verdict == "better"  # a family of one
    assert len(families([lost, entry(2.0)], 0.05)[0].members) == 1
