import pytest

from harness.columns import COLUMNS
from harness.economics.breakeven import ArmCost
from harness.economics.rows import arm_cost, idle_cost, update_cost, with_reading
from harness.economics.stated import load_cost
from harness.errors import ConfigError
from harness.metering.config import CostConfig

BLANK = dict.fromkeys(COLUMNS)
COMMON = BLANK | {
    "status": "ok",
    "task": "t",
    "model": "m",
    "split_sha256": "s",
    "n_test": 10,
    "exact_match": 0.5,
}
LORA = COMMON | {
    "arm": "lora",
    "seed": 0,
    "prepare_seconds": 5,
    "prepare_energy_kwh": 0.5,
    "train_seconds": 95,
    "train_energy_kwh": 9.5,
    "prefill_seconds": 6,
    "prefill_energy_kwh": 0.6,
    "decode_seconds": 4,
    "decode_energy_kwh": 0.4,
    "load_seconds": 1000,
    "probe_seconds": 1000,
    "total_energy_kwh": 20,
    "emissions_kg": 10,
}
RAG = COMMON | {
    "arm": "rag",
    "seed": 0,
    "index_seconds": 15,
    "tune_seconds": 5,
    "retrieve_seconds": 10,
    "prefill_seconds": 16,
    "decode_seconds": 4,
}


def test_fixed_and_per_query_cost_come_from_their_phases():
    assert arm_cost(LORA, "seconds", None) == ArmCost(100, 1, update=100)
    assert arm_cost(RAG, "seconds", "exact_match") == ArmCost(15, 3, update=15, accuracy=0.5)


def test_energy_is_turned_into_emissions_as_the_rows_own_total_was():
    assert arm_cost(LORA, "kwh", None) == ArmCost(10, 0.1, update=10)
    assert arm_cost(LORA, "kgco2e", None) == ArmCost(5, 0.05, update=5)


def test_a_phase_that_ran_without_its_energy_leaves_the_cost_unknown():
    assert arm_cost(RAG, "kwh", None) == ArmCost(None, None)


def test_a_row_without_questions_has_no_cost_per_query():
    for count in (0, None):
        assert arm_cost(LORA | {"n_test": count}, "seconds", None).per_query is None


def cost(**assumed) -> CostConfig:
    stated = {"purchase_usd": 876, "life_years": 1, "utilisation": 0.1, **assumed}
    return load_cost(None, [f"{name}={value}" for name, value in stated.items()])


def test_money_is_device_time_and_electricity():
    # 876 US$ over 876 hours of work are 1 US$ an hour; kWh at 0.5 US$ with a PUE of 2 cost 1 US$.
    owned = cost(electricity_usd_per_kwh=0.5, pue=2)
    found = arm_cost(LORA, "usd", None, owned)
    assert found.fixed == pytest.approx(100 / 3600 + 10)
    assert found.per_query == pytest.approx(1 / 3600 + 0.1)


def test_money_without_a_price_says_which_is_missing():
    with pytest.raises(ConfigError, match="price of the device"):
        arm_cost(LORA, "usd", None)
    with pytest.raises(ConfigError, match="price of electricity"):
        arm_cost(LORA, "usd", None, cost())


def test_emissions_at_another_place_are_of_its_grid_and_pue():
    there = load_cost(None, ["pue=2", "carbon_intensity_kg_per_kwh=0.1"])
    found = arm_cost(LORA, "kgco2e", None, there)
    assert (found.fixed, found.per_query) == (pytest.approx(2), pytest.approx(0.02))


def test_an_arm_at_an_endpoint_costs_its_bill_and_what_was_retrieved_here():
    paid = RAG | {"api_cost_usd": 0.2, "retrieve_energy_kwh": 0}
    found = arm_cost(paid, "usd", None, load_cost(None, ["hourly_usd=3.6"]))
    assert found.per_query == pytest.approx((0.2 + 10 * 0.001) / 10)
    bare = {name: None if name == "retrieve_seconds" else value for name, value in paid.items()}
    assert arm_cost(bare, "usd", None, load_cost(None, ["hourly_usd=1"])).per_query == 0.02


def test_an_update_trains_anew_and_indexes_what_changed():
    both = LORA | {"index_seconds": 50}
    assert update_cost(both, "seconds") == 5 + 95 + 50
    tenth = load_cost(None, ["changed_share=0.1"])
    assert update_cost(both, "seconds", tenth) == 100 + 5
    assert update_cost(RAG, "seconds", tenth) == 1.5
    assert update_cost(RAG, "kwh", tenth) is None  # its index has no energy: unknown, not free


def test_a_resident_model_idles_in_proportion_to_its_busy_seconds():
    # Busy 1 s a query at 25 % of the time: 3 s idle at 1200 W are 3600 J, a thousandth of a kWh.
    stated = load_cost(None, ["idle_watts=1200", "utilisation=0.25"])
    assert idle_cost(LORA, "kwh", stated) == pytest.approx(0.001)
    assert idle_cost(LORA, "seconds", stated) == 0
    assert arm_cost(LORA, "kwh", None, stated).per_query == pytest.approx(0.101)
    assert idle_cost(RAG, "kwh", stated) == pytest.approx(0.003)  # 3 s busy
    assert idle_cost(LORA, "kwh", load_cost(None, ["idle_watts=1200", "utilisation=1"])) == 0


def test_idle_power_follows_price_and_grid_and_is_left_out_where_not_stated():
    idle = {"idle_watts": 1200, "utilisation": 0.25}
    emitted = load_cost(
        None, [f"{n}={v}" for n, v in (idle | {"carbon_intensity_kg_per_kwh": 0.5}).items()]
    )
    assert idle_cost(LORA, "kgco2e", emitted) == pytest.approx(0.0005)
    owned = cost(**idle, electricity_usd_per_kwh=0.2)
    assert idle_cost(LORA, "usd", owned) == pytest.approx(0.0002)
    rented = load_cost(None, [*(f"{n}={v}" for n, v in idle.items()), "hourly_usd=1"])
    assert idle_cost(LORA, "usd", rented) == 0
    assert idle_cost(LORA, "kwh", None) is None
    assert idle_cost(LORA, "kwh", load_cost(None, ["idle_watts=5"])) is None


def test_a_reading_takes_the_place_of_what_it_metered_again():
    reading = BLANK | {"phases": "all", "train_seconds": 50, "decode_seconds": 20, "n_test": 10}
    assert arm_cost(with_reading(LORA, reading), "seconds", "exact_match") == ArmCost(
        50, 2, update=50, accuracy=0.5
    )
    serving = with_reading(LORA, reading | {"phases": "serving"})
    assert arm_cost(serving, "seconds", None) == ArmCost(100, 2, update=100)


def test_costs_grow_with_prices_and_intensity():
    prices = [cost(electricity_usd_per_kwh=0.1 * n) for n in range(6)]
    grids = [load_cost(None, [f"carbon_intensity_kg_per_kwh={0.1 * n}"]) for n in range(6)]
    for settings, unit in ((prices, "usd"), (grids, "kgco2e")):
        found = [arm_cost(LORA, unit, None, one) for one in settings]
        for name in ("fixed", "per_query", "update"):
            values = [getattr(one, name) for one in found]
            assert values == sorted(values)
            assert values[0] < values[-1]
