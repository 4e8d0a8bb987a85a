from __future__ import annotations

import numpy as np
import pytest

from harness.compare.estimate import over_seeds, these_weights
from harness.reproduce.claims import Buckets, Choice, Difference, Interaction, Matched, Slope
from harness.reproduce.effects import Effect, effect, matched_gap, unstable, weights

from .samples import sheet

LEVEL = 0.05


def found(value: Effect | str) -> Effect:
    assert isinstance(value, Effect), value
    return value


def test_a_slope_is_a_weighted_sum_of_its_arms() -> None:
    # x − mean = −1, 0, 1; sum of squares 2.
    assert weights(Slope({"a": 1, "b": 2, "c": 3}, {})) == {"a": -0.5, "c": 0.5}


def test_an_arm_that_slope_and_control_share_drops_out() -> None:
    slope = Slope({"a": 0, "b": 1}, {"a": 0, "c": 1})
    assert weights(slope) == {"b": 1.0, "c": -1.0}


def test_a_difference_has_the_interval_of_compare() -> None:
    ours = sheet({"a": [1, 1, 1, 0, 1, 1], "b": [0, 1, 0, 0, 1, 0]})
    one = found(effect(Difference("a", "b"), ours, LEVEL))
    same = these_weights(ours.scores["b"], ours.scores["a"], ours.clusters, True)
    assert one.value == pytest.approx(3 / 6)
    assert (one.low, one.high) == pytest.approx(same.interval(0.95))
    assert (one.n, one.seeds) == (6, 1)


def test_an_interaction_is_the_gain_that_was_lost() -> None:
    ours = sheet(
        {
            "rag": [1, 1, 1, 1, 0, 1, 1, 1],
            "base": [0, 0, 0, 0, 0, 0, 0, 0],
            "rag_ft": [1, 1, 0, 0, 1, 1, 0, 0],
            "ft": [1, 0, 0, 0, 1, 0, 0, 0],
        }
    )
    one = found(effect(Interaction("rag", "base", "rag_ft", "ft"), ours, LEVEL))
    assert one.value == pytest.approx((7 - 0) / 8 - (4 - 2) / 8)
    assert one.low < one.value < one.high


def test_a_gain_that_turns_into_its_opposite_on_every_question_is_two() -> None:
    n = 400
    ours = sheet({"rag": [1] * n, "base": [0] * n, "rag_ft": [0] * n, "ft": [1] * n})
    one = found(effect(Interaction("rag", "base", "rag_ft", "ft"), ours, LEVEL))
    assert one.value == pytest.approx(2.0)
    assert 1.9 < one.low < 2.0 and one.high == pytest.approx(2.0)


def test_a_slope_has_the_hand_computed_value() -> None:
    # Means .25, .5, 1 over 0, 1, 2: (1 − .25) / 2.
    ours = sheet({"a": [1, 0, 0, 0], "b": [1, 1, 0, 0], "c": [1, 1, 1, 1]})
    one = found(effect(Slope({"a": 0, "b": 1, "c": 2}, {}), ours, LEVEL))
    assert one.value == pytest.approx(0.375)


def test_three_seeds_give_an_interval_over_seeds_and_two_do_not() -> None:
    seeds = [[1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 1, 0]]
    base = [0, 0, 0, 1, 0, 0]
    three = sheet({"ft": seeds, "base": base}, frozen=["base"])
    one = found(effect(Difference("ft", "base"), three, LEVEL))
    assert one.seeds == 3 and one.over_seeds is not None
    broad = np.tile(three.scores["base"], (1, 3))
    same = over_seeds(broad, three.scores["ft"], three.clusters, True)
    assert not isinstance(same, str)
    assert one.over_seeds == pytest.approx(same.interval(0.95))
    two = sheet({"ft": seeds[:2], "base": base}, frozen=["base"])
    assert found(effect(Difference("ft", "base"), two, LEVEL)).over_seeds is None


def test_arms_with_other_seeds_are_compared_by_their_means() -> None:
    ours = sheet({"a": [[1, 0, 1, 0], [1, 1, 1, 0]], "b": [0, 0, 1, 0]})
    one = found(effect(Difference("a", "b"), ours, LEVEL))
    assert one.value == pytest.approx(5 / 8 - 1 / 4)
    assert one.seeds == 1 and one.over_seeds is None


def test_buckets_are_told_apart() -> None:
    ours = sheet(
        {"rag": [1, 1, 1, 0, 1, 1, 1, 1, 0], "base": [0, 0, 0, 0, 1, 1, 0, 0, 0]},
        columns={"bucket": ["low"] * 4 + ["high"] * 4 + ["middle"]},
    )
    one = found(effect(Buckets("rag", "base", "bucket", "low", "high"), ours, LEVEL))
    assert one.value == pytest.approx(3 / 4 - 2 / 4)
    assert one.n == 8 and one.low < one.value < one.high


def test_buckets_that_share_an_entity_are_refused() -> None:
    ours = sheet(
        {"rag": [1, 1, 1, 0], "base": [0, 0, 0, 0]},
        clusters=[0, 1, 0, 1],
        columns={"bucket": ["low", "low", "high", "high"]},
    )
    said = effect(Buckets("rag", "base", "bucket", "low", "high"), ours, LEVEL)
    assert said == "one entity has questions of both values of bucket"


def test_one_entity_is_refused() -> None:
    ours = sheet({"a": [1, 0], "b": [0, 0]}, clusters=[3, 3])
    assert "no spread" in str(effect(Difference("a", "b"), ours, LEVEL))


def test_harm_is_read_off_the_curve_at_the_same_accuracy() -> None:
    curve = [(0.4, 0.2), (0.6, 0.4)]
    assert matched_gap([(0.5, 0.1)], curve) == pytest.approx(0.3 - 0.1)
    assert matched_gap([(0.5, 0.1), (0.6, 0.1), (0.9, 0.0)], curve) == pytest.approx(0.25)


def test_an_arm_beyond_the_curve_is_not_matched() -> None:
    assert matched_gap([(0.3, 0.1), (0.7, 0.1)], [(0.4, 0.2), (0.6, 0.4)]) is None


def test_matched_harm_is_resampled_over_questions_and_items() -> None:
    n = 60
    right = {"low": 20, "middle": 30, "high": 40}
    accuracy = {arm: [1.0] * k + [0.0] * (n - k) for arm, k in right.items()}
    target = sheet(
        {"full_1": accuracy["low"], "lora": accuracy["middle"], "full_2": accuracy["high"]}
    )
    harm = sheet({"full_1": [0.5] * n, "full_2": [0.5] * n, "lora": [0.0] * n}, bounded=False)
    contrast = Matched(("lora",), ("full_1", "full_2"), "contains")
    one = found(effect(contrast, target, LEVEL, harm))
    assert one.value == pytest.approx(0.5)
    assert (one.low, one.high) == pytest.approx((0.5, 0.5))
    assert one.method == "1 of 1 arms within the curve; percentiles of resampled entities"


def test_arms_of_one_accuracy_are_no_curve() -> None:
    scores = {"full_1": [0, 0, 0], "full_2": [0, 0, 0], "lora": [0, 0, 0]}
    harm = sheet({arm: [0.1, 0.2, 0.3] for arm in scores}, bounded=False)
    contrast = Matched(("lora",), ("full_1", "full_2"), "contains")
    said = effect(contrast, sheet(scores), LEVEL, harm)
    assert said == "all arms of the curve are at one accuracy (0.0%): they are no curve"


def test_the_best_of_all_is_always_chosen() -> None:
    sums = np.array([[1.0, 0.0]] * 10)
    assert unstable(np.random.default_rng(0), sums, 3, 50) == 0.0


def test_two_entities_that_disagree_choose_the_other_always() -> None:
    sums = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert unstable(np.random.default_rng(0), sums, 1, 50) == 1.0


def test_a_stable_choice_has_a_probability_near_nothing() -> None:
    n = 100
    ours = sheet({"k0": [0] * n, "k1": [1] * n, "k2": [0] * n})
    one = found(effect(Choice(("k0", "k1", "k2"), 0.1), ours, LEVEL))
    assert (one.value, one.low, one.high) == (0.0, 0.0, 0.0)


def test_the_same_scores_give_the_same_interval() -> None:
    rng = np.random.default_rng(1)
    ours = sheet({f"k{i}": rng.integers(0, 2, 40).tolist() for i in range(3)})
    contrast = Choice(("k0", "k1", "k2"), 0.2)
    assert effect(contrast, ours, LEVEL) == effect(contrast, ours, LEVEL)
