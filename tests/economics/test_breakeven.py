import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.breakeven import (
    ArmCost,
    BreakEven,
    break_even,
    predicted_queries,
    total_cost,
)
from harness.errors import ConfigError

amounts = st.floats(0, 1e6, allow_nan=False)
costs = st.builds(ArmCost, fixed=amounts, per_query=amounts, update=amounts)


@pytest.mark.parametrize(
    ("arm", "against", "expected"),
    [
        ((100, 1), (20, 3), BreakEven("above", 40)),  # (100 − 20) / (3 − 1)
        ((20, 3), (100, 1), BreakEven("below", 40)),
        ((20, 1), (100, 3), BreakEven("always")),
        ((20, 1), (100, 1), BreakEven("always")),
        ((20, 1), (20, 3), BreakEven("always")),
        ((100, 3), (20, 1), BreakEven("never")),
        ((100, 1), (20, 1), BreakEven("never")),
        ((20, 3), (20, 1), BreakEven("never")),
        ((20, 1), (20, 1), BreakEven("tie")),
        ((0, 0), (0, 0), BreakEven("tie")),
    ],
)
def test_the_cases_are_told_apart(arm, against, expected):
    assert break_even(ArmCost(*arm), ArmCost(*against)) == expected


def test_updates_add_to_the_fixed_cost():
    fine_tuned, retrieval = ArmCost(100, 1, update=50), ArmCost(20, 3, update=10)
    # (100 + 2·50 − 20 − 2·10) / (3 − 1)
    assert break_even(fine_tuned, retrieval, updates=2) == BreakEven("above", 80)


def test_per_correct_answer_every_term_is_divided_by_the_accuracy():
    # 100/.5 = 200, 1/.5 = 2 against 20/.25 = 80, 3/.25 = 12: (200 − 80) / (12 − 2)
    fine_tuned, retrieval = ArmCost(100, 1, accuracy=0.5), ArmCost(20, 3, accuracy=0.25)
    assert break_even(fine_tuned, retrieval, per_correct=True) == BreakEven("above", 12)


def test_an_arm_that_is_never_right_never_wins_per_correct_answer():
    wrong, right = ArmCost(0, 0, accuracy=0), ArmCost(100, 3, accuracy=0.1)
    assert break_even(wrong, right, per_correct=True) == BreakEven("never")
    assert break_even(right, wrong, per_correct=True) == BreakEven("always")
    assert break_even(wrong, wrong, per_correct=True) == BreakEven("never")


@pytest.mark.parametrize(
    ("arm", "options"),
    [
        (ArmCost(None, 1, accuracy=1), {}),
        (ArmCost(1, None, accuracy=1), {}),
        (ArmCost(1, 1, accuracy=1), {"updates": 1}),
        (ArmCost(1, 1), {"per_correct": True}),
    ],
)
def test_what_rests_on_an_unknown_cost_is_unknown(arm, options):
    known = ArmCost(1, 2, update=1, accuracy=1)
    assert break_even(arm, known, **options) is None
    assert break_even(known, arm, **options) is None


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "3", True])
def test_a_cost_that_cannot_be_one_is_refused(value):
    with pytest.raises(ConfigError, match=r"the per query cost is .*; it is 0 or more"):
        ArmCost(1, value)


def test_an_accuracy_in_percent_is_refused():
    with pytest.raises(ConfigError, match="the accuracy is 60; it is a share"):
        ArmCost(1, 1, accuracy=60)


def test_negative_updates_are_refused():
    with pytest.raises(ConfigError, match="the number of updates is -1"):
        break_even(ArmCost(1, 1, update=1), ArmCost(1, 1, update=1), updates=-1)


def test_energy_parity_of_bloomz_7b():
    # Luccioni et al. 2024: training and fine-tuning, against 1e-4 kWh an inference.
    parity = break_even(ArmCost(51_686 + 7_571, 0), ArmCost(0, 1e-4))
    assert parity.case == "above"
    assert parity.queries == pytest.approx(592.6e6, rel=1e-4)


def test_predicted_volume_of_five_million_tokens():
    assert predicted_queries(5e6, 768, "full") == pytest.approx(19_531.25)
    assert predicted_queries(5e6, 768, "lora") == pytest.approx(2 * 5e6 / 768)


def test_no_extra_prompt_token_never_pays_training_back():
    assert predicted_queries(5e6, 0, "full") is None


def test_an_unknown_training_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="'lorra'; did you mean 'lora'"):
        predicted_queries(5e6, 768, "lorra")


@given(arm=costs, against=costs, updates=st.integers(0, 100))
def test_the_two_arms_see_one_crossing_from_two_sides(arm, against, updates):
    other = {
        "above": "below",
        "below": "above",
        "always": "never",
        "never": "always",
        "tie": "tie",
    }
    one, two = break_even(arm, against, updates), break_even(against, arm, updates)
    assert other[one.case] == two.case
    assert one.queries == two.queries


@given(arm=costs, volume=amounts, more=amounts)
def test_total_cost_never_falls_with_volume_or_updates(arm, volume, more):
    assert total_cost(arm, volume + more) >= total_cost(arm, volume)
    assert total_cost(arm, volume, updates=more) >= total_cost(arm, volume)


def test_at_the_crossing_both_arms_cost_the_same():
    arm, against = ArmCost(100, 1, update=50), ArmCost(20, 3, update=10)
    assert total_cost(arm, 80, updates=2) == total_cost(against, 80, updates=2) == 280


def test_total_cost_of_an_unknown_is_unknown():
    assert total_cost(ArmCost(None, 1), 10) is None
    assert total_cost(ArmCost(1, 1), 10, updates=1) is None
