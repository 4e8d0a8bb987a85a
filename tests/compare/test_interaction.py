"""Whether an effect differs between buckets: shown where it does, 5 % where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compare import interaction as module
from harness.compare.interaction import interaction


def test_an_effect_in_one_bucket_alone_is_shown():
    buckets = ["low"] * 30 + ["high"] * 30
    d = np.array([1.0, 0.0] * 15 + [0.0] * 30)
    p, method = interaction(d, buckets, None)
    assert p is not None
    assert p < 0.01
    assert method == "4999 permutations of clusters between buckets"


def test_the_same_seed_gives_the_same_p():
    rng = np.random.default_rng(0)
    d = rng.choice([-1.0, 0.0, 1.0], 60)
    buckets = ["a", "b", "c"] * 20
    assert interaction(d, buckets, None, seed=1) == interaction(d, buckets, None, seed=1)


def test_by_enumeration_with_few_clusters():
    # Clusters {a: 1, 1; b: 0, 0}: of the 6 deals of labels 2 are as unequal as this one.
    p, _ = interaction(np.array([1.0, 1.0, 0.0, 0.0]), ["a", "a", "b", "b"], None)
    assert p == pytest.approx(1 / 3, abs=0.03)


def test_clusters_are_dealt_as_a_whole():
    # Six entities of ten equal questions: 60 questions alone would look certain.
    d = np.repeat([1.0, 0.0, 1.0, 0.0, 0.0, 0.0], 10)
    clusters = np.repeat(np.arange(6), 10)
    buckets = list(np.repeat(["a", "a", "a", "b", "b", "b"], 10))
    together, _ = interaction(d, buckets, clusters)
    alone, _ = interaction(d, buckets, None)
    assert together is not None
    assert alone is not None
    assert alone < 0.001 < 0.2 < together


def test_buckets_that_cross_clusters_are_compared_within_them():
    # Entities differ wildly, but within each the second relation gains one more.
    entity = np.repeat(np.linspace(-50, 50, 20), 2)
    d = entity + np.tile([0.0, 1.0], 20)
    p, method = interaction(d, ["capital", "anthem"] * 20, np.repeat(np.arange(20), 2))
    assert p is not None
    assert p < 0.001
    assert method == "4999 permutations of buckets within clusters"


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("clusters", [24, 2_400])
def test_equal_effects_are_called_different_in_one_of_twenty(
    crossed: bool, clusters: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "DEALS", 199)
    rng = np.random.default_rng(4)
    ids = np.repeat(np.arange(clusters), 3)
    labels = np.arange(len(ids)) % 3 if crossed else ids % 3
    names = np.array(["low", "middle", "high"])[labels]
    called, studies = 0, 400
    for number in range(studies):
        d = rng.choice([-1.0, 0.0, 0.0, 1.0], len(ids)) + rng.normal(0, 0.5, clusters)[ids]
        p, _ = interaction(d, list(names), ids, seed=number)
        assert p is not None
        called += p <= 0.05
    assert 5 <= called <= 35  # 20 expected; outside by chance in fewer than one of 1,000 runs


@pytest.mark.parametrize(
    ("buckets", "why"),
    [
        (["a"] * 4, "one bucket: nothing to compare"),
        (["a", "a", "a", "b"], "a bucket with fewer than two clusters"),
    ],
)
def test_what_cannot_be_tested_says_why(buckets: list[str], why: str):
    assert interaction(np.array([0.0, 1.0, 0.0, 1.0]), buckets, None) == (None, why)
