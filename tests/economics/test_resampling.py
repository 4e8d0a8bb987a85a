import math

import pytest

from harness.economics.breakeven import ArmCost, BreakEven
from harness.economics.resampling import resampled_break_even
from harness.errors import ConfigError

SPREAD = (0.96, 0.98, 1.0, 1.02, 1.04)


def blocks(per_query, against_per_query, fixed=100.0, against_fixed=20.0):
    return [
        (ArmCost(fixed * f, per_query * f), ArmCost(against_fixed, against_per_query))
        for f in SPREAD
    ]


def test_equal_blocks_give_an_interval_of_no_width():
    found = resampled_break_even([(ArmCost(100, 1), ArmCost(20, 3))] * 5)
    assert found.point == BreakEven("above", 40)
    assert (found.low, found.high) == (40, 40)
    assert found.shares == {"above": 1.0}
    assert found.blocks == 5


def test_a_clear_crossing_has_an_interval_around_it():
    found = resampled_break_even(blocks(1, 3))
    assert found.point.queries == pytest.approx(40)
    assert found.low < 40 < found.high
    # All blocks at 0.96 or at 1.04: (96 − 20)/(3 − .96) and (104 − 20)/(3 − 1.04).
    assert found.low >= 76 / 2.04
    assert found.high <= 84 / 1.96
    assert not found.unbounded


def test_where_the_costs_per_query_could_be_equal_the_interval_is_unbounded():
    found = resampled_break_even(blocks(0.995, 1.0))
    assert found.point.case == "above"
    assert found.unbounded
    assert math.isfinite(found.low)
    assert set(found.shares) == {"above", "never"}
    assert 0.3 < found.shares["never"] < 0.5
    assert sum(found.shares.values()) == pytest.approx(1)


def test_seen_from_the_other_arm_the_interval_is_the_same():
    pairs = blocks(1, 3)
    one = resampled_break_even(pairs)
    two = resampled_break_even([(b, a) for a, b in pairs])
    assert two.point.case == "below"
    assert (two.low, two.high) == (one.low, one.high)


def test_the_same_seed_gives_the_same_interval():
    assert resampled_break_even(blocks(1, 3), seed=3) == resampled_break_even(blocks(1, 3), seed=3)


def test_fewer_blocks_widen_the_tails_that_are_kept():
    # With three blocks the t interval is so wide that the interval spans every resample.
    three = blocks(1, 3)[1:4]
    found = resampled_break_even(three)
    assert found.low == pytest.approx((98 - 20) / (3 - 0.98))
    assert found.high == pytest.approx((102 - 20) / (3 - 1.02))


def test_one_block_has_a_point_and_no_interval():
    found = resampled_break_even([(ArmCost(100, 1), ArmCost(20, 3))])
    assert found.point == BreakEven("above", 40)
    assert (found.low, found.high, found.shares) == (None, None, {})
    assert not found.unbounded


def test_per_correct_answer_uses_the_accuracy_of_the_blocks():
    pair = (ArmCost(100, 1, accuracy=0.5), ArmCost(20, 3, accuracy=0.25))
    found = resampled_break_even([pair, pair], per_correct=True)
    assert found.point == BreakEven("above", 12)


def test_a_cost_that_one_block_does_not_know_is_unknown():
    pairs = [*blocks(1, 3), (ArmCost(None, 1), ArmCost(20, 3))]
    assert resampled_break_even(pairs) is None


def test_no_blocks_are_refused():
    with pytest.raises(ConfigError, match="one block of readings or more"):
        resampled_break_even([])


def test_a_confidence_in_percent_is_refused():
    with pytest.raises(ConfigError, match="confidence is 95"):
        resampled_break_even(blocks(1, 3), confidence=95)
