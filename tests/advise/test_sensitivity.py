from dataclasses import replace

import pytest

from harness.advise.advice import advise
from harness.advise.readings import Asked, read_arms
from harness.advise.sensitivity import Flip
from harness.advise.situation import Limits, Situation
from harness.advise.tornado_chart import tornado_figure
from harness.economics.config import HardwareConfig, PricesConfig, Stated
from harness.metering.config import CostConfig
from harness.report.drawing import to_svg
from harness.results import read_results
from tests.advise.results import write_results

GRID = CostConfig(carbon_intensity_kg_per_kwh=0.5)


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    table = write_results(tmp_path_factory.mktemp("results"))
    return read_arms(read_results([table]).frame, Asked())[0]


def bars(arms, **settings):
    """The bars by name, of a month of 100 queries; lora costs 105 + 1, rag 20 + 3 a query."""
    one = {"queries_per_month": 100, "months": 1, "cost": GRID, "limits": Limits(accuracy=0.4)}
    found = advise(arms, Situation(**(one | settings)))
    return {bar.assumption.name: bar for bar in found.bars}


def test_a_bar_holds_the_difference_at_both_ends_of_the_range(arms):
    queries = bars(arms)["queries a month"]
    # rag − lora = 2 · queries − 85.
    assert (queries.low, queries.high) == (2 * 50 - 85, 2 * 200 - 85)
    assert queries.swing == 300
    assert (queries.at_low, queries.at_high) == ("lora", "lora")


def test_the_value_at_which_the_advice_changes_is_found_exactly(arms):
    queries = bars(arms)["queries a month"]
    assert (queries.below.to, queries.below.value) == ("rag", pytest.approx(42.5, rel=1e-9))
    assert queries.above is None


def test_updates_are_varied_from_none(arms):
    updates = bars(arms)["updates a month"]
    # Each costs lora 105 s and rag 20 s; without any rag costs 115 s more.
    assert (updates.low, updates.high) == (115, 30)
    assert updates.above.to == "rag"
    assert updates.above.value == pytest.approx(115 / 85)


def test_the_changed_share_counts_where_there_are_updates(arms):
    assert "changed share of the corpus" not in bars(arms)
    changed = bars(arms, updates_per_month=1, changed_share=0.5)["changed share of the corpus"]
    assert (changed.low, changed.high) == (20 * 0.25 + 10, 20 * 1 + 10)


def test_the_accuracy_of_both_is_varied_over_its_interval(arms):
    accuracy = bars(arms)["accuracy of lora"]
    reading = next(arm.accuracy for arm in arms if arm.name == "lora")
    assert (accuracy.assumption.low, accuracy.assumption.high) == (reading.low, reading.high)
    assert accuracy.swing == 0  # nothing is ranked by it where a least accuracy is set
    assert accuracy.below.to == "rag"
    assert accuracy.below.value == pytest.approx(0.4)


def test_per_correct_answer_accuracy_moves_the_difference(arms):
    accuracy = bars(arms, limits=Limits(), per_correct=True)["accuracy of rag"]
    one = accuracy.assumption
    assert accuracy.low == pytest.approx(320 / (100 * one.low) - 205 / 75)
    assert accuracy.swing > 0


def test_a_limit_is_varied_too(arms):
    least = bars(arms)["least accuracy"]
    assert (least.assumption.low, least.assumption.high) == pytest.approx((0.35, 0.45))
    assert (least.above.to, least.above.value) == (None, pytest.approx(0.75))
    # Where nothing is asked for, closed_book (200 s against 205) is the cheapest.
    assert (least.below.to, least.below.value) == ("closed_book", pytest.approx(0, abs=1e-9))


def test_energy_varies_with_assumed_watts_grid_and_pue_in_carbon(arms):
    found = bars(arms, unit="kgco2e")
    # rag − lora = 115 s at 0.01 kWh, times 0.5 kg.
    base = 1.15 * 0.5
    assert found["carbon intensity of the grid"].low == pytest.approx(base / 2)
    assert found["assumed watts, times"].high == pytest.approx(base * 2)
    assert (found["PUE"].low, found["PUE"].high) == pytest.approx((base, 2 * base))
    assert "PUE" not in bars(arms, unit="kwh")


def test_prices_vary_in_money_alone(arms):
    told = {"source": "a test", "date": "2026-01-01"}
    cost = replace(
        GRID,
        prices=PricesConfig(
            electricity_usd_per_kwh=Stated(0.5, **told), purchase_usd=Stated(8760, **told)
        ),
        hardware=HardwareConfig(life_years=Stated(1, **told), utilisation=Stated(0.5, **told)),
    )
    found = bars(arms, unit="usd", cost=cost)
    # 115 s at US$ 2 an hour, and 1.15 kWh at 0.5.
    time, energy = 115 * 2 / 3600, 1.15 * 0.5
    assert found["price of the machine"].high == pytest.approx(2 * time + energy)
    assert found["price of electricity"].low == pytest.approx(time + energy / 2)
    assert found["utilisation of the machine"].high == pytest.approx(time / 2 + energy)
    assert found["utilisation of the machine"].assumption.most == 1
    assert found["life of the machine"].low == pytest.approx(2 * time + energy)
    assert not {"price of electricity", "utilisation of the machine"} & set(bars(arms))


def test_an_hour_that_is_rented_holds_the_electricity(arms):
    cost = replace(GRID, prices=PricesConfig(hourly_usd=Stated(3.6, "a test", "2026-01-01")))
    found = bars(arms, unit="usd", cost=cost)
    assert found["price of an hour"].high == pytest.approx(115 * 2 / 1000)
    assert "assumed watts, times" not in found


def test_bars_are_sorted_by_their_swing(arms):
    swings = [bar.swing for bar in bars(arms).values()]
    assert swings == sorted(swings, reverse=True)


def test_without_an_arm_that_meets_the_limits_the_bars_say_where_one_would(arms):
    least = bars(arms, limits=Limits(accuracy=0.9))["least accuracy"]
    assert (least.low, least.high, least.swing) == (None, None, 0)
    assert least.below == Flip(pytest.approx(0.75), "lora")


def test_the_chart_draws_each_swing_and_marks_where_the_advice_changes(arms):
    found = advise(
        arms,
        Situation(queries_per_month=60, months=1, cost=GRID, limits=Limits(accuracy=0.4)),
    )
    svg = to_svg(tornado_figure(found))
    assert "what rag costs more than lora" in svg
    assert "now 60; below 42: rag" in svg
    # A diamond for the low end of queries and of months, and the high end of updates.
    assert sum(bar.at_low != "lora" for bar in found.bars if bar.swing) == 2
    assert sum(bar.at_high != "lora" for bar in found.bars if bar.swing) == 1


def test_without_a_runner_up_there_is_no_chart(arms):
    alone = [arm for arm in arms if arm.name == "lora"]
    found = advise(alone, Situation(queries_per_month=100, months=1, cost=GRID))
    assert found.other is None
    assert tornado_figure(found) is None
