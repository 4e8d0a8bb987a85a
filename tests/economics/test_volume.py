"""The whole of a break-even: updates, scenarios, idle power, prediction, and how it is told."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from economics_samples import LORA, RAG, WATTS
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.columns import COLUMNS
from harness.economics.breakeven import UNITS, ArmCost, total_cost
from harness.economics.config import HardwareConfig, PricesConfig, Stated
from harness.economics.pairs import Pairs, paired
from harness.economics.predicted import Predicted, predicted
from harness.economics.rows import arm_cost
from harness.economics.scenarios import SCENARIOS, Scenario, assumed_watts, in_scenario
from harness.economics.stated import JOULES_PER_KWH, load_cost
from harness.economics.volume import Question, study
from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.row import cells_of, new_row


def pairs(*rows: dict) -> Pairs:
    return paired(pd.DataFrame(rows or [LORA, RAG]), "lora", "rag", "seeds")


# lora: 100 s and 1 s a query. rag: 20 s and 3 s a query.


def test_each_update_costs_an_adapter_its_fit_and_an_index_its_share():
    found = study(pairs(), "seconds", Question())
    assert found.found.point.queries == 40
    # u updates: (100 + 100 u − 20 − 20 u) / 2 queries.
    assert {n: one.point.queries for n, one in found.by_updates.items()} == {
        0: 40,
        1: 80,
        2: 120,
        5: 240,
        10: 440,
    }
    tenth = Question(updates=3, cost=load_cost(None, ["changed_share=0.1"]))
    told = study(pairs(), "seconds", tenth)
    assert told.found.point.queries == pytest.approx((80 + 3 * (100 - 2)) / 2)
    assert 3 in told.by_updates


def test_choosing_settings_stands_apart():
    _, rag = study(pairs(), "seconds", Question()).sides
    assert rag.tune == 7
    assert rag.cost.fixed == 20


def test_scenarios_change_the_watts_of_one_part_at_a_time():
    # train: 0.001 of 0.005 kWh are memory's (36 W for 100 s), the rest the processor's.
    doubled = in_scenario(LORA, Scenario("", 2, 1))
    assert doubled is not None
    assert doubled["train_energy_kwh"] == pytest.approx(2 * 0.004 + 0.001)
    halved = in_scenario(LORA, Scenario("", 1, 0.5))
    assert halved is not None
    assert halved["train_energy_kwh"] == pytest.approx(0.0045)
    assert in_scenario(LORA, Scenario("", 1, 1)) == LORA
    found = study(pairs(), "kwh", Question())
    assert list(found.scenarios) == [one.name for one in SCENARIOS]
    volumes = {n: one.point.queries for n, one in found.scenarios.items() if one}
    # lora: 0.005 + 0.00004 a query, memory's parts 0.001 and 0.00001;
    # rag: 0.001 + 0.00015 a query, memory's parts 0.0002 and 0.00003.
    assert volumes["memory × 2"] == pytest.approx((0.004 + 0.0008) / (0.00011 + 0.00002))
    assert volumes["processor × 2"] == pytest.approx(
        (2 * 0.004 + 0.001 - 2 * 0.0008 - 0.0002) / (2 * 0.00012 + 0.00003 - 2 * 0.00003 - 0.00001)
    )


def test_seconds_have_no_scenarios_and_neither_have_watts_that_are_stated():
    assert study(pairs(), "seconds", Question()).scenarios == {}
    stated = WATTS | {"cpu": WATTS["cpu"] | {"origin": "stated"}}
    rows = [row | {"cost_assumptions": stated} for row in (LORA, RAG)]
    found = study(pairs(*rows), "kwh", Question()).scenarios
    assert found["processor × 2"] is None
    assert found["memory × 2"] is not None
    assert assumed_watts(rows[0]) == {"memory": 36}


def test_a_scenario_that_cannot_be_told_is_none():
    with_gpu = LORA | {"cost_assumptions": WATTS | {"gpu": {"value": None, "origin": "counter"}}}
    assert in_scenario(with_gpu, Scenario("", 2, 1)) is None
    assert in_scenario(with_gpu, Scenario("", 1, 2)) is not None
    assert in_scenario(LORA | {"cost_assumptions": None}, Scenario("", 2, 1)) is None
    # More of memory than there is energy at all: the figures do not belong together.
    assert in_scenario(LORA | {"train_energy_kwh": 0.0005}, Scenario("", 1, 2)) is None


def test_the_prediction_is_of_trained_tokens_over_extra_prompt_tokens():
    found = predicted(pairs())
    assert isinstance(found, Predicted)
    assert (found.trained, found.formula) == ("lora", "2D/r")
    assert found.extra_prompt_tokens == 200  # (2200 − 200) / 10
    assert found.queries == 2 * 50_000 / 200
    # 100 s / 50,000 tokens are 2 ms, 20 s / 2,200 are 9.09 ms.
    assert "2 ms, a prompt token of rag 9.09 ms: 0.22 times, where FLOP say 2" in found.reasons[0]
    assert any("searching is not in it: rag 100 ms a query" in r for r in found.reasons)
    assert any("index of rag 20 s" in reason for reason in found.reasons)
    assert any("lora 5.0, rag 7.0 tokens" in reason for reason in found.reasons)
    assert not any("begin with" in reason for reason in found.reasons)
    shared = predicted(pairs(LORA | {"train_shared_tokens": 16}, RAG))
    assert any("the 16 tokens that all examples of lora begin" in r for r in shared.reasons)
    full = predicted(pairs(LORA | {"adapter": "full"}, RAG))
    assert isinstance(full, Predicted)
    assert (full.formula, full.queries) == ("3D/r", 750)


def test_where_nothing_can_be_predicted_it_is_said():
    assert "neither arm is trained" in str(predicted(pairs(LORA | {"trained_tokens": None}, RAG)))
    assert "both arms are" in str(predicted(pairs(LORA, RAG | {"trained_tokens": 5})))
    assert "how long the prompts" in str(predicted(pairs(LORA, RAG | {"prefill_tokens": None})))
    shorter = predicted(pairs(LORA, RAG | {"prefill_tokens": 100}))
    assert isinstance(shorter, Predicted)
    assert shorter.queries is None


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"n_test": 0}, "lora lacks any test question answered"),
        ({"decode_energy_kwh": None}, "lora lacks the cost per query"),
        ({"train_energy_kwh": None}, "lora lacks the fixed cost"),
    ],
)
def test_what_is_unknown_is_named_with_its_arm(lora, message):
    with pytest.raises(ConfigError, match=message):
        study(pairs(LORA | lora, RAG), "kwh", Question())


def test_an_arm_that_was_never_trained_has_no_fixed_cost_and_is_cheaper_below():
    bare = LORA | {"train_seconds": None, "train_energy_kwh": None, "decode_seconds": 100.0}
    found = study(pairs(bare, RAG), "seconds", Question())
    assert found.sides[0].cost.fixed == 0
    assert found.found.point.case == "below"


AMOUNTS = st.floats(0, 1e9)
RATES = st.floats(1e-6, 1e3)


@settings(deadline=None)
@given(AMOUNTS, AMOUNTS, AMOUNTS, st.lists(AMOUNTS, min_size=2), st.integers(0, 50))
def test_cost_grows_with_volume_and_with_updates(fixed, each, update, volumes, updates):
    cost = ArmCost(fixed, each, update)
    totals = [total_cost(cost, volume, updates) for volume in sorted(volumes)]
    assert totals == sorted(totals)
    assert total_cost(cost, volumes[0], updates + 1) >= total_cost(cost, volumes[0], updates)


@settings(deadline=None, max_examples=50)
@given(RATES, st.floats(1e-6, 5), RATES, RATES)
def test_units_go_there_and_back(kwh, intensity, price, dearer):
    """Energy at an intensity is emissions, at a price money; each gives the kWh back."""
    row = LORA | {"train_energy_kwh": kwh, "train_seconds": kwh * JOULES_PER_KWH / 1e3}
    cost, other = owned(price, intensity), owned(price + dearer, intensity)
    fixed = {unit: arm_cost(row, unit, None, cost).fixed for unit in UNITS}
    assert fixed["kgco2e"] / intensity == pytest.approx(fixed["kwh"])
    assert fixed["usd"] / price == pytest.approx(fixed["kwh"])
    assert fixed["seconds"] * 1e3 / JOULES_PER_KWH == pytest.approx(kwh)
    assert arm_cost(row, "usd", None, other).fixed > fixed["usd"]


def owned(price: float, intensity: float) -> CostConfig:
    """A machine that costs its electricity alone."""

    def figure(value: float) -> Stated:
        return Stated(value, "the test", "2026-01-01")

    return CostConfig(
        carbon_intensity_kg_per_kwh=intensity,
        prices=PricesConfig(electricity_usd_per_kwh=figure(price), purchase_usd=figure(0.0)),
        hardware=HardwareConfig(life_years=figure(1.0), utilisation=figure(1.0)),
    )


def written(folder: Path, rows: list[dict]) -> str:
    """A folder with the rows as its table."""
    with (folder / "runs.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in rows:
            known = {name: value for name, value in row.items() if value is not None}
            writer.writerow(cells_of(new_row(experiment="made", **known)))
    return str(folder)


@pytest.fixture
def table(tmp_path: Path) -> str:
    return written(tmp_path, [LORA, RAG])


GIVEN = ["--arm", "lora", "--against", "rag"]


def test_all_that_is_known_is_printed_and_what_is_not_is_told(table, capsys):
    assert main(["breakeven", table, *GIVEN, "--unit", "all"]) == 0
    out = capsys.readouterr().out
    assert "lora is cheaper than rag above 40 queries, in s" in out
    assert "in kWh" in out
    assert "choosing settings 7 s, left out" in out
    assert "\n10       above 440" in out
    assert "processor × ½" in out
    assert "predicted in FLOP: lora is cheaper above 500 queries (2D/r" in out
    assert "measured: in s above 40, in kWh above 36" in out
    assert "energy is an estimate, not read from a counter; assumed: cpu 100 W" in out
    assert "usd: a cost in money needs the price of the device" in out
    assert "all of it, as no changed_share is stated" in out


def test_an_arm_that_never_wins_has_no_interval_and_a_fit_for_each_update(tmp_path, capsys):
    path = written(
        tmp_path,
        [
            row | {"seed": s, "run_id": f"{row['arm']}-{s}"}
            for row in (LORA | {"decode_seconds": 500.0}, RAG)
            for s in (0, 1)
        ],
    )
    assert main(["breakeven", path, *GIVEN, "--updates", "1"]) == 0
    out = capsys.readouterr().out
    assert "lora is cheaper than rag at no volume, in s with 1 updates" in out
    assert "\nresamples: never 100%" in out
    assert "no limit" not in out
    assert "above 1,000 queries (2D/r, 2 fits" in out


def test_idle_power_is_shown_apart_where_it_is_stated(table, capsys):
    stated = ["--assume", "idle_watts=36", "--assume", "utilisation=0.5"]
    assert main(["breakeven", table, *GIVEN, "--unit", "kwh", *stated]) == 0
    # 1 s busy and 1 s idle at 36 W: 0.00001 kWh over the 0.00004 of work.
    assert "lora: fixed 0.005 kWh; per query 5e-05 kWh (1e-05 of it idling)" in (
        capsys.readouterr().out
    )


def test_the_same_as_json(table, capsys):
    given = [*GIVEN, "--unit", "all", "--per", "correct", "--updates", "1", "--json"]
    assert main(["breakeven", table, *given, "--assume", "idle_watts=5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["readings"] == "seeds"
    assert found["energy"] == "estimate"
    assert found["per"] == "correct"
    # (200 / 0.5 − 40 / 0.25) / (3 / 0.25 − 1 / 0.5) = 24
    assert found["results"]["seconds"]["queries"] == pytest.approx(24)
    assert found["results"]["seconds"]["arms"]["lora"]["idle_per_query"] is None
    assert found["predicted"]["queries"] == 500
    assert found["assumed_watts"] == {"cpu": 100, "memory": 36}
    assert found["refused"]["usd"].startswith("a cost in money")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--updates", "-1"], "the number of updates is -1.0; it is 0 or more"),
        (["--updates", "nan"], "the number of updates is nan"),
        (["--updates", "many"], "invalid float value: 'many'"),
        (["--readings", "blocks"], "there is no metered block of lora and rag"),
        (["--task", "u"], "no row has task 'u'; there is: t"),
        (["--unit", "usd"], "a cost in money needs the price of the device"),
    ],
)
def test_bad_input_is_one_line(table, capsys, options, message):
    assert main(["breakeven", table, *GIVEN, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
