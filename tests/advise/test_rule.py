from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.advise.binding import Relaxation, relaxations
from harness.advise.figures import Figures, Use, carbon_per_year, cost
from harness.advise.rule import advised, on_front, ranking, rival, standings
from harness.advise.situation import Limits, Situation
from harness.advise.volumes import Stretch, advice_by_volume
from harness.economics.config import HardwareConfig, PricesConfig, Stated
from harness.errors import ConfigError
from harness.metering.config import CostConfig

# 100 s of training and 1 s a query; 20 s of indexing and 3 s a query; 2 s a query and hardly right.
LORA = Figures("lora", train=Use(100, 1), query=Use(1, 0.01), accuracy=0.8, forgetting=0.2)
RAG = Figures("rag", index=Use(20, 0.2), query=Use(3, 0.03), accuracy=0.5, forgetting=0.0)
NONE = Figures("closed_book", query=Use(2, 0.02), accuracy=0.02, forgetting=0.0)
ARMS = [LORA, RAG, NONE]
GRID = CostConfig(carbon_intensity_kg_per_kwh=0.5, pue=2)


def situation(queries=10, **settings):
    """One month of so many queries, in seconds."""
    return Situation(queries_per_month=queries, **({"months": 1, "cost": GRID} | settings))


def stated(value):
    return Stated(value, "a test", "2026-01-01")


def priced(electricity=0.5, purchase=8760.0):
    """A machine of US$ 8,760, a year long always at work: a dollar an hour."""
    return CostConfig(
        prices=PricesConfig(
            electricity_usd_per_kwh=stated(electricity), purchase_usd=stated(purchase)
        ),
        hardware=HardwareConfig(life_years=stated(1), utilisation=stated(1)),
        pue=2,
        carbon_intensity_kg_per_kwh=0.5,
    )


def test_the_cost_is_what_is_paid_once_and_for_each_update_and_query():
    year = situation(queries=5, months=12, updates_per_month=2, changed_share=0.25)
    assert cost(LORA, year) == 100 + 24 * 100 + 60 * 1
    assert cost(RAG, year) == 20 + 24 * 0.25 * 20 + 60 * 3


def test_money_is_device_time_and_electricity():
    # 3,600 s at a dollar an hour, and 2 kWh with a PUE of 2 at half a dollar.
    hour = Figures("a", query=Use(360, 0.2))
    assert cost(hour, situation(unit="usd", cost=priced())) == pytest.approx(1 + 2 * 2 * 0.5)


def test_an_endpoint_bills_and_its_energy_is_unknown():
    far = Figures("far", query=Use(0, 0, bill_usd=0.3), elsewhere=True)
    assert cost(far, situation(unit="usd", cost=priced())) == pytest.approx(3)
    assert cost(far, situation(unit="kwh")) is None
    assert carbon_per_year(far, situation()) is None


def test_emissions_are_spread_over_the_year():
    # 1 kWh to train and 10 · 0.01 to answer, times 2 · 0.5, in one month of twelve.
    assert carbon_per_year(LORA, situation()) == pytest.approx(1.1 * 12)


def test_what_is_unknown_stays_unknown():
    assert cost(replace(RAG, query=Use(None, None)), situation()) is None
    assert cost(replace(RAG, query=Use(3, None)), situation()) == 50  # time alone is asked for


def test_with_a_least_accuracy_the_cheapest_that_meets_it_is_advised():
    limits = Limits(accuracy=0.5)
    assert advised(ARMS, situation(39, limits=limits)) == "rag"  # 20 + 3·39 < 100 + 39
    assert advised(ARMS, situation(41, limits=limits)) == "lora"


def test_without_one_a_cheap_arm_that_is_hardly_right_is_not_advised():
    one = situation(10, per_correct=True)
    # 20 s in all, but 20 / 0.2 = 100 s an answer; rag 50 / 5 = 10; lora 110 / 8 = 13.75.
    assert [(s.arm, s.ranked_by) for s in ranking(standings(ARMS, one))] == [
        ("rag", 10),
        ("lora", 13.75),
        ("closed_book", 100),
    ]


def test_an_arm_that_is_never_right_is_not_ranked_by_correct_answers():
    never = replace(NONE, accuracy=0.0)
    assert advised([never], situation(per_correct=True)) is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(accuracy=0.6), "lora"),
        (Limits(forgetting=0.1), "closed_book"),
        (Limits(accuracy=0.3, forgetting=0.1), "rag"),
        (Limits(accuracy=0.6, forgetting=0.1), None),
        (Limits(latency=1), None),  # unknown of every arm
        (Limits(carbon=13.3), "closed_book"),
        (Limits(accuracy=0.3, carbon=6.1), "rag"),  # 12 · (0.2 + 0.3) = 6; lora 13.2
    ],
)
def test_each_limit_is_kept(limits, expected):
    assert advised(ARMS, situation(limits=limits)) == expected


def test_a_value_on_the_limit_meets_it():
    assert advised([RAG], situation(limits=Limits(accuracy=0.5, forgetting=0.0))) == "rag"


def test_of_two_that_cost_the_same_the_more_accurate_is_advised():
    assert advised([NONE, replace(NONE, arm="better", accuracy=0.3)], situation()) == "better"


def test_the_runner_up_meets_the_limits_if_another_does():
    found = standings(ARMS, situation(limits=Limits(accuracy=0.5)))
    best = ranking(found)[0]
    assert (best.arm, rival(found, best).arm) == ("rag", "lora")


def test_the_runner_up_else_is_the_one_that_fails_fewest_limits():
    found = standings(ARMS, situation(limits=Limits(accuracy=0.6, forgetting=0.2)))
    other = rival(found, ranking(found)[0])
    # closed_book costs 20 s against rag's 50, but 1,000 against 100 for each that is right.
    assert (other.arm, other.fails) == ("rag", ("accuracy",))


def test_the_front_holds_what_nothing_beats_on_every_axis():
    worse = replace(LORA, arm="worse", accuracy=0.7, forgetting=0.3)
    assert on_front(standings([*ARMS, worse], situation())) == ["lora", "rag", "closed_book"]


def test_the_limit_that_binds_alone_is_named_with_the_value_that_admits():
    found = standings(ARMS, situation(limits=Limits(accuracy=0.9)))
    assert relaxations(found) == [Relaxation("lora", {"accuracy": 0.8})]


def test_either_of_two_limits_may_bind():
    found = standings(ARMS, situation(limits=Limits(accuracy=0.6, forgetting=0.1)))
    assert relaxations(found) == [
        Relaxation("lora", {"forgetting": 0.2}),
        Relaxation("rag", {"accuracy": 0.5}),
    ]


def test_limits_that_bind_together_are_named_together():
    arms = [replace(LORA, latency=2.0)]
    found = standings(arms, situation(limits=Limits(accuracy=0.9, latency=1)))
    assert relaxations(found) == [Relaxation("lora", {"accuracy": 0.8, "latency": 2.0})]


def test_what_is_unknown_cannot_be_relaxed_to():
    assert relaxations(standings(ARMS, situation(limits=Limits(latency=1)))) == []


def test_the_volumes_where_the_advice_changes_are_exact():
    limits = Limits(accuracy=0.5)
    assert advice_by_volume(ARMS, situation(limits=limits)) == [
        Stretch(0, 40, "rag"),
        Stretch(40, float("inf"), "lora"),
    ]


def test_above_the_volume_that_the_carbon_budget_holds_no_arm_is_advised():
    # lora emits 1 + 0.01 a query and rag 0.2 + 0.03, in kg a month: 24 kg a year are 2 a month.
    limits = Limits(accuracy=0.5, carbon=24)
    found = advice_by_volume(ARMS, situation(limits=limits))
    assert [one.arm for one in found] == ["rag", "lora", None]
    assert found[-1].low == pytest.approx(100)


@given(volumes=st.lists(st.floats(0.1, 1e6), min_size=2, max_size=2), updates=st.floats(0, 100))
def test_cost_never_falls_with_volume(volumes, updates):
    low, high = sorted(volumes)
    for unit in ("seconds", "kwh", "kgco2e", "usd"):
        for arm in ARMS:
            costs = [
                cost(arm, situation(v, updates_per_month=updates, unit=unit, cost=priced()))
                for v in (low, high)
            ]
            assert costs[0] <= costs[1]


@given(prices=st.lists(st.floats(0, 1e5), min_size=2, max_size=2))
def test_cost_never_falls_with_a_price(prices):
    low, high = sorted(prices)
    for arm in ARMS:
        for named in ("electricity", "purchase"):
            costs = [
                cost(arm, situation(unit="usd", cost=priced(**{named: price})))
                for price in (low, high)
            ]
            assert costs[0] <= costs[1]


@given(grids=st.lists(st.floats(0, 5), min_size=2, max_size=2), pue=st.floats(1, 10))
def test_emissions_never_fall_with_intensity(grids, pue):
    for arm in ARMS:
        kg = [
            carbon_per_year(
                arm, situation(cost=CostConfig(carbon_intensity_kg_per_kwh=grid, pue=pue))
            )
            for grid in sorted(grids)
        ]
        assert kg[0] <= kg[1]


@given(
    queries=st.floats(1, 1e5),
    accuracy=st.floats(0, 1),
    forgetting=st.floats(0, 1),
    per_correct=st.booleans(),
)
def test_the_advised_arm_meets_the_limits_and_none_that_does_beats_it(
    queries, accuracy, forgetting, per_correct
):
    one = situation(
        queries, per_correct=per_correct, limits=Limits(accuracy=accuracy, forgetting=forgetting)
    )
    found = ranking(standings(ARMS, one))
    if found:
        assert found[0].figures.accuracy >= accuracy
        assert found[0].figures.forgetting <= forgetting
        assert found[0].arm in on_front(found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queries": 0}, "the number of queries a month is 0"),
        ({"queries": -1}, "the number of queries a month is -1"),
        ({"months": 0}, "the number of months is 0"),
        ({"updates_per_month": -1}, "the number of updates a month is -1"),
        ({"changed_share": 2}, "it is a share"),
        ({"unit": "money"}, "it is one of seconds, kwh, kgco2e, usd"),
    ],
)
def test_a_situation_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        situation(**settings)


@pytest.mark.parametrize(
    "limits", [{"accuracy": 60}, {"forgetting": -1}, {"latency": 0}, {"memory": 0}, {"carbon": -1}]
)
def test_a_limit_that_cannot_be_is_refused(limits):
    with pytest.raises(ConfigError, match=r"--m(in|ax)-"):
        Limits(**limits)


def test_money_without_a_price_is_refused():
    with pytest.raises(ConfigError, match="needs the price of the device"):
        advised(ARMS, situation(unit="usd"))
