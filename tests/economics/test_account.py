import pytest
from account_rows import cost, row, stated, write_prompts
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.account import account, money_needs
from harness.economics.config import HardwareConfig, PricesConfig
from harness.economics.prices import ApiPrice, Figure
from harness.metering.config import CostConfig


def api(prompt=1.0, output=2.0, cached=0.1):
    figures = [Figure(value, "a page", "2026-01-31") for value in (prompt, output, cached)]
    return ApiPrice(figures[0], figures[1], figures[2])


def of(rows, settings=None, apis=None, accuracy="contains", measured=None):
    return account("rag", rows, measured or len(rows), accuracy, settings, apis)


def test_a_query_is_priced_in_each_unit_and_said_in_three_ways():
    found = of([row()], cost()).per_query
    assert found["seconds"].per_query == pytest.approx(1)
    assert found["kwh"].per_thousand == pytest.approx(0.1)
    assert found["kgco2e"].per_query == pytest.approx(1e-4 * 2 * 0.5)
    assert found["usd"].per_thousand == pytest.approx(1)  # 3.6 US$ an hour, 1,000 s
    assert found["usd"].per_correct == pytest.approx(0.002)


def test_tuning_stands_beside_the_fixed_cost():
    found = of([row()], cost())
    assert (found.fixed["usd"], found.tune["usd"]) == (pytest.approx(3.6), pytest.approx(1.8))
    assert (found.fixed["kwh"], found.tune["kwh"]) == (pytest.approx(0.5), pytest.approx(0.1))


def test_idling_is_part_of_a_query_where_it_is_stated_and_is_told_apart():
    hardware = HardwareConfig(idle_watts=stated(3.6), utilisation=stated(0.5))
    found = of([row()], cost(hardware=hardware))
    # A second of work and so a second of waiting: 3.6 J, 1e-6 kWh; a rented hour pays for it.
    assert found.idle["kwh"] == pytest.approx(1e-6)
    assert found.per_query["kwh"].per_query == pytest.approx(1e-4 + 1e-6)
    assert found.idle["usd"] == 0
    assert set(of([row()], cost()).idle.values()) == {None}


def test_an_owned_machine_pays_for_its_electricity_too():
    prices = PricesConfig(purchase_usd=stated(8760), electricity_usd_per_kwh=stated(0.3))
    hardware = HardwareConfig(life_years=stated(1), utilisation=stated(0.5))
    found = of([row()], cost(prices=prices, hardware=hardware))
    # 2 US$ an hour of work, and 1e-4 kWh with a PUE of 2 at 0.3 US$.
    assert found.per_query["usd"].per_query == pytest.approx(2 / 3600 + 6e-5)


def test_carbon_intensity_has_both_parts_and_counts_correct_answers():
    found = of([row()], cost())
    making = 0.1 / 3600
    assert found.carbon.embodied_kg == pytest.approx(100 * making)
    assert found.carbon.per_query == pytest.approx(1e-4 + making)
    assert found.carbon.per_correct == pytest.approx(2 * (1e-4 + making))
    assert found.query_kg == found.carbon.per_query
    assert found.fixed_kg == pytest.approx(0.5 * 2 * 0.5 + 0.1)


def test_without_settings_the_grid_is_the_rows_own_and_money_says_what_it_needs():
    found = of([row()])
    assert found.per_query["kgco2e"].per_query == pytest.approx(1e-4 * 0.4)
    assert found.per_query["usd"] is None
    assert found.carbon.per_query is None
    assert found.query_kg == pytest.approx(1e-4 * 0.4)
    assert "--assume hourly_usd" in money_needs(None)
    assert money_needs(cost()) == ""
    owned = CostConfig(prices=PricesConfig(purchase_usd=stated(1)))
    assert "life_years" in money_needs(owned)
    hardware = HardwareConfig(life_years=stated(1), utilisation=stated(1))
    owned = CostConfig(prices=PricesConfig(purchase_usd=stated(1)), hardware=hardware)
    assert "the price of electricity" in money_needs(owned)


def test_tokens_are_those_of_one_query_and_the_shared_ones_come_from_the_prompts(tmp_path):
    write_prompts(tmp_path)
    tokens = of([row(folder=str(tmp_path))]).tokens
    assert (tokens.prompt, tokens.passages, tokens.shots, tokens.output) == (50, 20, None, 10)
    assert tokens.shared == pytest.approx(8)


def test_api_prices_take_tokens_and_a_kept_prefix_saves_all_but_the_first(tmp_path):
    write_prompts(tmp_path)
    found = of([row(folder=str(tmp_path))], apis={"one": api()}).api["one"]
    assert found.cost.per_query == pytest.approx((50 * 1 + 10 * 2) / 1e6)
    assert found.saving == pytest.approx(999 * 8 * 0.9 / 1e6)


def test_an_arm_that_is_never_right_has_no_cost_of_a_correct_answer():
    found = of([row(contains=0.0)], cost(), {"one": api()})
    assert found.per_query["usd"].per_correct is None
    assert found.carbon.per_correct is None
    assert found.api["one"].cost.per_correct is None


def test_zero_questions_and_rows_without_energy_leave_gaps_and_no_numbers():
    none = of([row(n_test=0)], cost(), {"one": api()})
    assert none.per_query == dict.fromkeys(("seconds", "kwh", "kgco2e", "usd"))
    assert (none.carbon, none.api["one"].cost, none.tokens.prompt) == (None, None, None)
    blank = {name: None for name in row() if name.endswith("_kwh")}
    dark = of([row(**blank, emissions_kg=None, energy_source=None)], cost())
    assert dark.per_query["seconds"].per_query == pytest.approx(1)
    assert (dark.per_query["kwh"], dark.per_query["kgco2e"]) == (None, None)
    assert dark.per_query["usd"].per_query == pytest.approx(0.001)  # rented: whatever the energy
    assert (dark.carbon.per_query, dark.fixed_kg, dark.source) == (None, None, "none")


def test_an_arm_without_setup_pays_nothing_before_the_first_query():
    bare = row(index_seconds=None, index_energy_kwh=None, tune_seconds=None, tune_energy_kwh=None)
    found = of([bare], cost())
    assert found.fixed == {"seconds": 0, "kwh": 0, "kgco2e": 0, "usd": 0}
    assert found.fixed_kg == 0
    assert of([bare]).fixed["usd"] == 0  # nothing ran, so no price is needed


def test_seeds_are_averaged_and_one_that_repeats_another_counts_once():
    slow = row(seed=1, decode_seconds=170.0)
    assert of([row(), slow]).per_query["seconds"].per_query == pytest.approx(1.5)
    assert of([row(), slow], measured=1).per_query["seconds"].per_query == pytest.approx(1)
    reused = row(seed=1, spent_seconds=0.0, spent_energy_kwh=None)
    assert of([row(), reused], measured=1).spent_kwh == (0.7, 0.0)


def test_a_seed_that_does_not_know_a_cost_leaves_the_mean_unknown():
    assert of([row(), row(seed=1, decode_energy_kwh=None)]).per_query["kwh"] is None


def test_the_estimate_beside_a_counter_is_kept():
    assert of([row(estimated_energy_kwh=0.9)]).other_energy_kwh == 0.9
    assert of([row()]).other_energy_kwh is None


amounts = st.floats(0, 1e6, allow_subnormal=False)


@given(price=amounts, more=amounts, seconds=amounts, longer=amounts)
def test_money_grows_with_price_and_with_time(price, more, seconds, longer):
    def usd(hourly, taken):
        settings = cost(prices=PricesConfig(hourly_usd=stated(hourly)))
        return of([row(decode_seconds=taken)], settings).per_query["usd"].per_query

    assert usd(price, seconds) <= usd(price + more, seconds)
    assert usd(price, seconds) <= usd(price, seconds + longer)


@given(low=st.floats(0, 2.5), more=st.floats(0, 2.5), kwh=amounts, further=amounts)
def test_carbon_grows_with_intensity_and_with_energy(low, more, kwh, further):
    def kg(intensity, used):
        settings = cost(carbon_intensity_kg_per_kwh=intensity)
        return of([row(decode_energy_kwh=used)], settings).query_kg

    assert kg(low, kwh) <= kg(low + more, kwh)
    assert kg(low, kwh) <= kg(low, kwh + further)


@given(tokens=st.integers(0, 10**9), more=st.integers(0, 10**9), price=amounts)
def test_an_endpoints_bill_grows_with_tokens_and_a_million_cost_the_price(tokens, more, price):
    def usd(prompt):
        found = of([row(prefill_tokens=prompt, decode_tokens=0)], apis={"one": api(price)})
        return found.api["one"].cost.per_query

    assert usd(tokens) <= usd(tokens + more)
    assert usd(100 * 1_000_000) == pytest.approx(price)  # 100 questions of a million tokens
