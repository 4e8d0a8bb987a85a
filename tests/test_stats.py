import math

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp, ttest_rel

from harness.stats import mean_interval, paired_difference_interval, share_interval


def names(clusters: int, size: int) -> list[str]:
    return [f"entity {i}" for i in range(clusters) for _ in range(size)]


def test_binary_values_without_clusters_get_wilsons_interval():
    interval = mean_interval([1.0] * 7 + [0.0] * 13)
    expected = binomtest(7, 20).proportion_ci(method="wilson")
    assert interval.mean == pytest.approx(0.35)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.n, interval.clusters, interval.method) == (20, 20, "wilson")


def test_all_right_is_not_certain():
    interval = mean_interval([1.0] * 20)
    # Wilson at p = 1: n / (n + z²) = 20 / (20 + 3.8415)
    assert (interval.low, interval.high) == pytest.approx((20 / 23.8415, 1.0), abs=1e-4)


def test_other_values_without_clusters_get_the_t_interval():
    values = [0.2, 0.5, 0.9, 0.4, 1.3]
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    interval = mean_interval(values)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_clustered_t_interval_equals_t_of_cluster_means_when_clusters_are_of_one_size():
    values = [0.2, 0.4, 0.5, 0.9, 1.3, 1.1, 0.1, 0.3]
    means = np.reshape(values, (4, 2)).mean(axis=1)
    expected = ttest_1samp(means, 0).confidence_interval(0.95)
    interval = mean_interval(values, names(4, 2))
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.n, interval.clusters) == (8, 4)


def test_questions_that_repeat_each_other_count_once():
    alone = mean_interval([1.0, 0.0] * 30)
    repeated = mean_interval([v for v in [1.0, 0.0] * 30 for _ in range(4)], names(60, 4))
    assert repeated.clusters == 60
    # A little wider than 60 independent ones, for the few degrees of freedom; never narrower.
    assert 1 < (repeated.high - repeated.low) / (alone.high - alone.low) < 1.1


def test_clusters_that_all_succeed_count_as_one_answer_each():
    interval = mean_interval([1.0] * 80, names(20, 4))
    assert interval.low < mean_interval([1.0] * 20).low
    assert interval.high == 1.0


def test_an_empty_cluster_name_makes_a_question_its_own_cluster():
    assert mean_interval([1, 0, 1, 1], ["", "", "a", "a"]).clusters == 3


def test_one_cluster_has_a_mean_but_no_interval():
    interval = mean_interval([1.0, 0.0], ["a", "a"])
    assert (interval.mean, interval.low, interval.high) == (0.5, None, None)


def test_no_values_are_none_and_not_zero():
    assert mean_interval([]) is None
    assert paired_difference_interval([], []) is None


@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_values_that_are_missing_or_infinite_are_rejected_with_their_place(bad):
    with pytest.raises(ValueError, match=r"values\[1\] is"):
        mean_interval([1.0, bad])


def test_lengths_must_match():
    with pytest.raises(ValueError, match="2 values but 1 cluster"):
        mean_interval([1, 0], ["a"])
    with pytest.raises(ValueError, match="a has 2, b has 1"):
        paired_difference_interval([1, 0], [1])


def test_paired_difference_of_losses_is_the_paired_t_interval():
    before, after = [2.0, 2.5, 3.0, 2.2], [2.6, 2.7, 3.9, 2.3]
    expected = ttest_rel(after, before).confidence_interval(0.95)
    interval = paired_difference_interval(after, before)
    assert interval.mean == pytest.approx(0.45)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_paired_difference_of_binary_values_adds_one_gain_and_one_loss():
    # 100 questions, 20 lost, 5 gained: Bonett & Price by hand with t instead of z.
    before = [1.0] * 20 + [0.0] * 5 + [1.0] * 75
    after = [0.0] * 20 + [1.0] * 5 + [1.0] * 75
    interval = paired_difference_interval(before, after)
    lost, gained = 21 / 102, 6 / 102
    spread = math.sqrt((lost + gained - (lost - gained) ** 2) / 102)
    assert interval.mean == pytest.approx(0.15)
    # t of 99 degrees of freedom is 1.98422; the variance is scaled by 100 / 99.
    half = 1.98422 * spread * math.sqrt(100 / 99)
    assert interval.low == pytest.approx(lost - gained - half, abs=1e-4)
    assert interval.high == pytest.approx(lost - gained + half, abs=1e-4)


def test_no_change_at_all_is_not_certain():
    interval = paired_difference_interval([1.0] * 50, [1.0] * 50)
    assert interval.mean == 0
    assert interval.low < -0.02
    assert interval.high > 0.02


@pytest.mark.parametrize(("probability", "agreement"), [(0.5, 0.0), (0.9, 0.4), (0.97, 1.0)])
def test_binary_interval_covers_the_truth(probability, agreement):
    """``agreement``: the chance that a question copies its entity's answer."""
    rng, hits, studies = np.random.default_rng(1), 0, 600
    clusters = names(40, 3)
    for _ in range(studies):
        own = rng.random((40, 3)) < probability
        shared = np.repeat(rng.random((40, 1)) < probability, 3, axis=1)
        answers = np.where(rng.random((40, 3)) < agreement, shared, own)
        interval = mean_interval(answers.ravel().astype(float), clusters)
        hits += interval.low <= probability <= interval.high
    # 93.5 % less two standard errors of 600 studies
    assert hits / studies >= 0.915


def test_binary_difference_interval_covers_the_truth():
    rng, hits, studies = np.random.default_rng(2), 0, 600
    clusters = names(50, 4)
    for _ in range(studies):
        loses = np.repeat(rng.random((50, 1)), 4, axis=1) < 0.3  # by entity
        gains = ~loses & (rng.random((50, 4)) < 0.1)
        interval = paired_difference_interval(
            (~gains).ravel().astype(float), (~loses).ravel().astype(float), clusters
        )
        hits += interval.low <= 0.3 - 0.07 <= interval.high
    assert hits / studies >= 0.915


def test_an_interval_of_shares_stays_between_0_and_1():
    few = [0.0, 0.0, 0.9]
    free = mean_interval(few)
    assert free.low < 0
    cut = share_interval(few)
    assert (cut.low, cut.high) == (0.0, min(1.0, free.high))
    assert cut.mean == free.mean
    assert share_interval([]) is None
    assert share_interval([0.5], ["a"]).low is None
