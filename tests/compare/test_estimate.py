"""Differences: by hand where that is short, by agreement of test and interval elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.estimate import (
    Estimate,
    Reported,
    fewest_discordant,
    from_intervals,
    mcnemar_mid_p,
    over_seeds,
    runs_difference,
    these_weights,
)


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def binary(gains: int, losses: int, same: int) -> tuple[np.ndarray, np.ndarray]:
    """Baseline and arm of one seed: so many questions won, lost and alike."""
    baseline = [0.0] * gains + [1.0] * losses + [1.0] * same
    arm = [1.0] * gains + [0.0] * losses + [1.0] * same
    return column(*baseline), column(*arm)


def test_the_mid_p_of_mcnemar_by_hand():
    # Five questions differ, all one way: 2 · P(X = 0) − P(X = 0) = 1/32.
    assert mcnemar_mid_p(5, 0) == pytest.approx(1 / 32)
    # One against three: 2 · (1 + 4)/16 − 4/16 = 6/16.
    assert mcnemar_mid_p(1, 3) == pytest.approx(6 / 16)
    assert mcnemar_mid_p(0, 0) == 1.0
    assert mcnemar_mid_p(2, 2) == pytest.approx(1.0)


def test_the_fewest_discordant_questions_are_the_first_that_the_test_rejects():
    assert fewest_discordant(0.05) == 5
    assert mcnemar_mid_p(5, 0) <= 0.05 < mcnemar_mid_p(4, 0)
    assert fewest_discordant(1 / 32) == 5
    assert fewest_discordant(0.05 / 6) == 7


def test_one_seed_of_binary_scores_is_bonett_and_prices_interval():
    baseline, arm = binary(gains=12, losses=4, same=84)
    found = these_weights(baseline, arm, None, bounded=True)
    assert found.difference == pytest.approx(0.08)
    # doi:10.3102/1076998611411915: p12' = 13/102, p21' = 5/102; here with n and n/(n − 1) of t.
    centre = 8 / 102
    squares = 18 - 102 * centre**2
    spread = math.sqrt(squares * 100 / 99) / 102
    assert found.centre == pytest.approx(centre)
    assert found.terms[0].standard_error == pytest.approx(spread)
    low, high = found.interval(0.95)
    assert (low, high) == pytest.approx(
        (centre - 1.98422 * spread, centre + 1.98422 * spread), 1e-4
    )
    assert found.exact_p == pytest.approx(mcnemar_mid_p(12, 4))
    assert found.method == "Bonett–Price with McNemar mid-p"


def test_questions_that_all_agree_show_nothing_and_are_not_certain():
    same = column(*[1.0] * 30)
    found = these_weights(same, same, None, bounded=True)
    low, high = found.interval(0.95)
    assert found.difference == 0.0
    assert low < -0.05 < 0.05 < high
    assert found.p == 1.0


def test_a_test_that_does_not_agree_draws_the_interval_out_to_zero():
    baseline, arm = binary(gains=12, losses=4, same=84)
    found = these_weights(baseline, arm, None, bounded=True)
    stricter = Estimate(**{**vars(found), "exact_p": 0.2})
    assert found.interval(0.95)[0] > 0 or found.p > 0.05
    assert stricter.p == 0.2
    assert stricter.interval(0.95)[0] <= 0
    assert stricter.interval(0.75)[0] > 0


def test_unbounded_values_are_the_paired_t_interval():
    baseline, arm = column(1.0, 2.0, 4.0), column(2.0, 4.0, 7.0)
    found = these_weights(baseline, arm, None, bounded=False)
    # Differences 1, 2, 3: mean 2, standard error 1/√3, two degrees of freedom: t = 4.302653.
    assert found.interval(0.95) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    # P(|t_2| > 2√3) = 1 − 2√3/√(2 + 12).
    assert found.p == pytest.approx(1 - math.sqrt(12) / math.sqrt(14))


def test_questions_of_one_entity_count_as_one_draw():
    d = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    clusters = np.repeat(np.arange(4), 3)
    arm = (d[:, None], np.zeros((12, 1)))
    alone = these_weights(arm[1], arm[0], None, bounded=False)
    together = these_weights(arm[1], arm[0], clusters, bounded=False)
    assert (together.n, together.clusters) == (12, 4)
    # Cluster sums of residuals ±1.5: variance 4 · 2.25 · 4/3 / 144.
    assert together.terms[0].standard_error == pytest.approx(math.sqrt(12 / 144))
    assert together.terms[0].freedom == 3
    assert together.interval(0.95)[1] > alone.interval(0.95)[1]


def test_cluster_names_need_not_be_numbers_from_zero():
    baseline, arm = binary(3, 1, 8)
    ids = np.repeat([7, 3, 9, 3], 3)
    assert these_weights(baseline, arm, ids, True).clusters == 3


def test_seeds_add_a_term_of_their_own():
    baseline = np.zeros((100, 1))
    arm = np.zeros((100, 3))
    arm[:50], arm[50:60, 0], arm[50:54, 1] = 1.0, 1.0, 1.0  # means .60, .54, .50
    found = over_seeds(baseline, arm, None, True, baseline_frozen=True)
    assert isinstance(found, Estimate)
    seeds = found.terms[1]
    assert seeds.freedom == 2
    assert seeds.standard_error == pytest.approx(np.std([0.6, 0.54, 0.5], ddof=1) / 3**0.5)
    fixed = these_weights(baseline, arm, None, True)
    half = [t.standard_error * q for t, q in zip(found.terms, (1.984217, 4.302653), strict=True)]
    low, high = found.interval(0.95)
    assert high - low == pytest.approx(2 * math.hypot(*half), rel=1e-5)
    assert found.difference == fixed.difference
    assert low < fixed.interval(0.95)[0]


def test_the_same_seeds_are_paired_and_others_are_not():
    rng = np.random.default_rng(0)
    baseline = (rng.random((60, 3)) < 0.5).astype(float)
    arm = baseline.copy()
    arm[:6] = 1.0
    paired = over_seeds(baseline, arm, None, True, same_seeds=True)
    apart = over_seeds(baseline, arm, None, True, same_seeds=False)
    assert isinstance(paired, Estimate)
    assert isinstance(apart, Estimate)
    assert (len(paired.terms), len(apart.terms)) == (2, 3)


@pytest.mark.parametrize(
    ("seeds", "frozen", "why"),
    [
        (1, (True, False), "1 seed of a trained arm, 3 needed"),
        (2, (False, False), "2 seeds of a trained arm, 3 needed"),
        (3, (True, True), "both arms are frozen: nothing depends on the seed"),
    ],
)
def test_no_claim_over_seeds_without_three(seeds: int, frozen: tuple[bool, bool], why: str):
    scores = np.zeros((10, seeds))
    found = over_seeds(scores, scores, None, True, baseline_frozen=frozen[0], arm_frozen=frozen[1])
    assert found == why


def test_readings_of_runs_need_three_on_both_sides():
    assert runs_difference([1.0], [2.0, 3.0, 4.0]) == "1 reading of an arm, 3 needed"
    found = runs_difference([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])
    assert isinstance(found, Estimate)
    # Both standard errors 1/√3 with two degrees of freedom, in quadrature.
    half = 4.302653 * math.sqrt(2 / 3)
    assert found.interval(0.95) == pytest.approx((4 - half, 4 + half), rel=1e-6)


def test_reported_intervals_combine_by_quadrature():
    found = from_intervals(Reported(0.5, 0.4, 0.6, 100), Reported(0.8, 0.72, 0.86, 90))
    assert isinstance(found, Estimate)
    half = math.hypot(0.1, 0.08)  # the longer side of each
    assert found.interval(0.95) == pytest.approx((0.3 - half, 0.3 + half))
    assert not found.paired
    assert found.n == 90


def test_what_has_no_spread_is_not_certain_but_untested():
    point = Reported(0.5, 0.5, 0.5, 100)
    assert from_intervals(point, Reported(0.7, 0.7, 0.7, 100)) == (
        "intervals without any width: no spread to test by"
    )
    assert isinstance(from_intervals(point, Reported(0.7, 0.6, 0.8, 100)), Estimate)
    assert runs_difference([1.0] * 3, [2.0] * 3) == (
        "every reading of an arm is the same: no spread to test by"
    )


def test_a_difference_of_shares_stays_within_what_is_possible():
    wide = from_intervals(Reported(0.05, 0.0, 0.2, 9), Reported(0.95, 0.7, 1.0, 9), bounded=True)
    assert isinstance(wide, Estimate)
    assert wide.interval(0.99)[1] == 1.0


def test_a_cluster_that_holds_much_widens_the_interval():
    # Sums of residuals about the mean 1/3: of 6 questions of one entity (all 1) and 12 alone (0).
    d = np.array([1.0] * 6 + [0.0] * 12)[:, None]
    clusters = np.array([0] * 6 + list(range(1, 13)))
    found = these_weights(np.zeros((18, 1)), d, clusters, bounded=False)
    big, small = 6 * (2 / 3) / (1 - 6 / 18), (1 / 3) / (1 - 1 / 18)
    expected = math.sqrt((big**2 + 12 * small**2) * 12 / 13) / 18
    assert found.terms[0].standard_error == pytest.approx(expected)
    # All variance within the entity: what each adds is its size squared, 36 and twelve times 1.
    assert found.terms[0].freedom == pytest.approx(1 + (36 + 12) ** 2 / (36**2 + 12))


def test_the_smallest_effect_has_eighty_percent_power():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(200, 1))
    found = these_weights(np.zeros((200, 1)), scores - scores.mean(), None, bounded=False)
    effect = found.smallest_effect(0.05)
    error = found.terms[0].standard_error
    shown = np.abs(rng.normal(effect, error, 20_000)) > 1.971957 * error  # t with 199
    assert shown.mean() == pytest.approx(0.8, abs=0.01)


def test_the_smallest_effect_does_not_depend_on_the_difference_seen():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(50, 1))
    zero = np.zeros((50, 1))
    assert these_weights(zero, noise, None, False).smallest_effect(0.05) == pytest.approx(
        these_weights(zero, noise + 3.0, None, False).smallest_effect(0.05)
    )


def test_the_smallest_effect_is_never_below_what_mcnemar_can_show():
    same = column(*[1.0] * 10)
    found = these_weights(same, same, None, bounded=True)
    assert found.smallest_effect(0.05) >= 5 / 10


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=4, max_size=60),
    st.integers(1, 3),
    st.sampled_from([0.9, 0.95, 0.99]),
)
@settings(max_examples=200, deadline=None)
def test_interval_and_test_always_agree(pairs: list, size: int, confidence: float):
    baseline = np.array([[a] for a, _ in pairs], dtype=float)
    arm = np.array([[b] for _, b in pairs], dtype=float)
    clusters = np.arange(len(pairs)) // size if size > 1 else None
    found = these_weights(baseline, arm, clusters, bounded=True)
    low, high = found.interval(confidence)
    assert -1 <= low <= found.difference <= high <= 1
    if abs(found.p - (1 - confidence)) > 1e-9:
        assert (low <= 0 <= high) == (found.p > 1 - confidence)


@given(st.integers(3, 5), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_interval_and_test_agree_over_seeds(seeds: int, draw: int):
    rng = np.random.default_rng(draw)
    baseline = (rng.random((40, seeds)) < 0.4).astype(float)
    arm = (rng.random((40, seeds)) < rng.random()).astype(float)
    found = over_seeds(baseline, arm, None, True)
    assert isinstance(found, Estimate)
    low, high = found.interval(1 - found.p)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-6)


def test_swapping_the_arms_swaps_the_signs():
    rng = np.random.default_rng(3)
    a, b = (rng.random((50, 3)) < 0.5) + 0.0, (rng.random((50, 3)) < 0.7) + 0.0
    ids = np.arange(50) // 2
    one, other = over_seeds(a, b, ids, True), over_seeds(b, a, ids, True)
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    low, high = one.interval(0.95)
    assert other.interval(0.95) == pytest.approx((-high, -low))
    assert one.p == pytest.approx(other.p)


@pytest.mark.parametrize(
    ("baseline", "arm", "clusters", "told"),
    [
        (np.zeros((3, 1)), np.zeros((4, 1)), None, "the same questions in both"),
        (np.zeros((3, 1)), np.full((3, 1), np.nan), None, "arm holds a value that is no finite"),
        (np.full((3, 1), np.inf), np.zeros((3, 1)), None, "baseline holds a value"),
        (np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(3, dtype=int), "one cluster leaves no"),
        (np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(2, dtype=int), "3 questions but 2 cluster"),
    ],
)
def test_what_cannot_be_estimated_is_refused(baseline, arm, clusters, told: str):
    with pytest.raises(ValueError, match=told):
        these_weights(baseline, arm, clusters, bounded=True)
