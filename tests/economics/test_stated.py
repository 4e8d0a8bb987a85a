import pytest

from harness.economics.config import BudgetConfig, PricesConfig, Source, SourcesConfig, Stated
from harness.economics.prices import Figure, OwnedDevice, RentedDevice
from harness.economics.stated import (
    assumptions,
    budget_of,
    embodied_of,
    load_cost,
    prices_of,
)
from harness.errors import ConfigError
from harness.metering.config import CostConfig

FILE = """
defaults: [default, _self_]
country: FRA
pue: 1.2
prices:
  hourly_usd: {value: 2.5, source: a contract, date: 2026-01-31}
hardware:
  life_years: {value: 2, source: policy, date: 2026-01-31}
  embodied_kg: {value: 1000, source: maker's report, date: 2025-05-01}
  reserved_share: {value: 0.5, source: four of eight, date: 2026-01-31}
budget:
  base_kg: {value: 100, source: inventory, date: 2026-01-31}
  base_year: 2025
  rate: {value: 0.042, source: SBTi, date: 2026-04-01}
  method_version: "5.3"
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "ours.yaml"
    file.write_text(FILE)
    return file


def test_a_file_of_ones_own_is_read_over_the_defaults(path):
    cost = load_cost(str(path))
    assert (cost.country, cost.pue, cost.sample_seconds) == ("FRA", 1.2, 1.0)
    assert prices_of(cost).device == RentedDevice(Figure(2.5, "a contract", "2026-01-31"))
    made = embodied_of(cost)
    assert made is not None
    # 1,000 kg over 17,520 hours, half of the machine.
    assert made.kg(3600) == pytest.approx(1000 / 17520 / 2)
    budget = budget_of(cost)
    assert budget is not None
    assert budget.allowance_kg(2026) == pytest.approx(95.8)


def test_every_file_of_the_group_loads_and_names_its_sources():
    for name in ("default", "laptop", "server", "cloud_gpu"):
        for one in assumptions(load_cost(name)):
            assert one.source, (name, one)


def test_what_the_command_line_assumes_stands_over_the_file(path):
    cost = load_cost(str(path), ["hourly_usd=3", "pue=1.5", "country=POL"])
    assert cost.prices.hourly_usd.value == 3
    assert cost.prices.hourly_usd.source == "the command line"
    assert (cost.pue, cost.country) == (1.5, "POL")


def test_a_country_that_is_assumed_stands_before_a_fixed_intensity_of_the_file():
    assert load_cost("server").carbon_intensity_kg_per_kwh is not None
    assert load_cost("server", ["country=FRA"]).carbon_intensity_kg_per_kwh is None


def test_assumptions_are_listed_with_unit_source_and_date(path):
    found = {one.name: one for one in assumptions(load_cost(str(path)))}
    assert found["hourly_usd"].unit == "US$/h"
    assert (found["embodied_kg"].source, found["embodied_kg"].date) == (
        "maker's report",
        "2025-05-01",
    )
    assert "France" in found["carbon_intensity_kg_per_kwh"].source
    assert "electricity_usd_per_kwh" not in found


def test_nothing_stated_is_no_price_no_hardware_and_no_budget():
    cost = CostConfig()
    assert prices_of(cost).device is None
    assert embodied_of(cost) is None
    assert budget_of(cost) is None


def test_an_owned_machine_needs_its_life_and_utilisation():
    with pytest.raises(ConfigError, match=r"hardware\.life_years: a purchase"):
        prices_of(load_cost(None, ["purchase_usd=1000"]))
    found = prices_of(load_cost(None, ["purchase_usd=1000", "life_years=4", "utilisation=0.5"]))
    assert isinstance(found.device, OwnedDevice)


@pytest.mark.parametrize(
    ("name", "assumed", "said"),
    [
        ("lapto", [], "did you mean 'laptop'"),
        ("nowhere.yaml", [], "no such file"),
        (None, ["hourly=3"], "NAME one of electricity_usd_per_kwh"),
        (None, ["hourly_usd"], "it is NAME=VALUE"),
        (None, ["hourly_usd=dear"], "'dear' is no number"),
        (None, ["hourly_usd=-1"], "prices.hourly_usd is -1.0; it is 0 or more"),
        (None, ["utilisation=0"], "utilisation is 0.0; it is above 0"),
        (None, ["utilisation=1.5"], "a share, from 0 to 1"),
        (None, ["purchase_usd=1", "hourly_usd=1"], "owned or rented"),
        (None, ["pue=0.5"], "pue is 0.5"),
        (None, ["country=France"], "three-letter ISO code"),
        (None, ["rate=0.042"], "cost.budget lacks base_kg, base_year, method_version"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name, assumed, said):
    with pytest.raises(ConfigError, match=said) as refused:
        load_cost(name, assumed)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices: {hourly_usd: {value: 2}}", "hourly_usd has no source"),
        ("prices: {hourly_usd: {value: 2, source: s, date: now}}", "has the date 'now'"),
        ("prices: {hourly: {value: 2}}", "hourly"),
        ("prices: {hourly_usd: {value: dear}}", "hourly_usd"),
        ("prices: [", "ours.yaml"),
        ("- 1", "holds no settings"),
        ("prices: !!python/object:os.system {}", "ours.yaml"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path, text, said):
    file = tmp_path / "ours.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        load_cost(str(file))
    assert "\n" not in str(refused.value)


def test_a_figure_without_its_source_is_refused_in_the_settings_of_a_run_too():
    with pytest.raises(ConfigError, match=r"cost\.prices\.hourly_usd has no source"):
        PricesConfig(hourly_usd=Stated(1.0))
    with pytest.raises(ConfigError, match=r"cost\.budget lacks"):
        BudgetConfig(base_year=2025)


def test_what_the_command_line_rents_is_no_longer_owned():
    cost = load_cost("server", ["hourly_usd=2"])
    assert (cost.prices.hourly_usd.value, cost.prices.purchase_usd.value) == (2, None)
    cost = load_cost("cloud_gpu", ["purchase_usd=20000", "utilisation=0.5"])
    assert (cost.prices.hourly_usd.value, cost.prices.purchase_usd.value) == (None, 20000)


def test_plain_numbers_of_the_place_have_a_source_and_a_date_too():
    found = {one.name: one for one in assumptions(load_cost("server"))}
    assert "Uptime Institute" in found["pue"].source
    assert found["pue"].date == "2023-11-23"
    assert found["carbon_intensity_kg_per_kwh"].source == "example: the supply contract"
    found = {one.name: one for one in assumptions(load_cost("laptop"))}
    assert found["carbon_intensity_kg_per_kwh"].date == "2023"  # the year of CodeCarbon's figure


def test_a_place_on_the_command_line_says_so_and_when():
    assumed = ["pue=1.7", "carbon_intensity_kg_per_kwh=0.3"]
    found = {one.name: one for one in assumptions(load_cost("server", assumed))}
    for name in ("pue", "carbon_intensity_kg_per_kwh"):
        assert found[name].source == "the command line"
        assert found[name].date


def test_a_number_without_a_source_is_said_to_have_none():
    found = {one.name: one for one in assumptions(CostConfig(pue=1.4))}
    assert found["pue"].source == "stated without a source"
    found = {one.name: one for one in assumptions(CostConfig())}
    assert "no overhead" in found["pue"].source


def test_a_source_needs_its_date_and_a_date_its_source():
    with pytest.raises(ConfigError, match=r"cost.sources.pue has the date ''"):
        SourcesConfig(pue=Source("the operator"))
    with pytest.raises(ConfigError, match=r"cost.sources.cpu_watts has no source"):
        SourcesConfig(cpu_watts=Source("", "2026-01-31"))


def test_a_machine_that_is_bought_gives_its_price_back_over_its_hours_of_work():
    device = prices_of(load_cost("server")).device
    assert device is not None
    hours = 5 * 8760 * 0.5
    assert device.usd_per_hour() * hours == pytest.approx(15000)
