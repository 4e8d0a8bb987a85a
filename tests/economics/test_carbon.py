import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.carbon import (
    COUNTRIES,
    Budget,
    CarbonIntensity,
    Embodied,
    carbon_intensity,
    emissions_by_country,
    fitting,
)
from harness.errors import ConfigError
from harness.metering.grid import Grid

GRID = Grid(0.5, "stated", "made up")
DEVICE = Embodied(total_kg=100, life_hours=1000, source="made up", reserved_share=0.5)
PARIS = Budget(2020, 1000, 0.042, "made up 1")


def test_embodied_carbon_is_the_share_of_life_and_device_that_is_held():
    assert DEVICE.kg(36_000) == pytest.approx(0.5)  # 100 kg · 10/1000 · ½


def test_intensity_per_query_and_per_correct_answer():
    # 2 kWh · 1.5 · .5 = 1.5 kg, and .5 kg embodied: 2 kg over 100 queries, 25 of them right
    found = carbon_intensity(2, 36_000, 100, 0.25, GRID, 1.5, DEVICE)
    assert found == CarbonIntensity(1.5, 0.5, 0.02, 0.08)


def test_without_right_answers_there_is_no_intensity_of_one():
    assert carbon_intensity(2, 36_000, 100, 0, GRID, 1.5, DEVICE).per_correct is None
    assert carbon_intensity(2, 36_000, 100, None, GRID, 1.5, DEVICE).per_correct is None


def test_unknown_energy_or_hardware_leaves_the_intensity_unknown():
    assert carbon_intensity(None, 36_000, 100, 1, GRID, 1, DEVICE) == CarbonIntensity(
        None, 0.5, None, None
    )
    assert carbon_intensity(2, 36_000, 100, 1, GRID, 1, None) == CarbonIntensity(
        1.0, None, None, None
    )
    assert carbon_intensity(2, None, 100, 1, GRID, 1, DEVICE).per_query is None


def test_five_countries_emit_by_their_own_grid_with_its_source():
    found = emissions_by_country(2, pue=1.5)
    assert tuple(found) == COUNTRIES
    assert len(found) == 5
    for kg, grid in found.values():
        assert kg == pytest.approx(3 * grid.kg_per_kwh)
        assert "CodeCarbon" in grid.detail
    assert found["FRA"][0] < found["USA"][0] < found["POL"][0]


def test_unknown_energy_emits_an_unknown_amount_everywhere():
    assert [kg for kg, _ in emissions_by_country(None).values()] == [None] * 5


def test_an_unknown_country_is_refused():
    with pytest.raises(ConfigError, match=r"'XXX'.*no figure"):
        emissions_by_country(1, countries=("XXX",))


@pytest.mark.parametrize(
    ("year", "kg"), [(2020, 1000), (2021, 958), (2030, 580), (2043, 34), (2044, 0), (2100, 0)]
)
def test_the_allowance_falls_in_a_straight_line_to_nothing(year, kg):
    assert PARIS.allowance_kg(year) == pytest.approx(kg)


def test_what_fits_into_an_allowance():
    assert fitting(958, 100) == 9
    assert fitting(0.3, 0.1) == 3
    assert fitting(0, 1) == 0
    assert fitting(1, 2) == 0


def test_what_emits_nothing_or_an_unknown_amount_has_no_count():
    assert fitting(958, 0) is None
    assert fitting(958, None) is None


@given(kwh=st.floats(0, 1e6), low=st.floats(0, 5), more=st.floats(0, 5))
def test_emissions_never_fall_with_the_intensity_of_the_grid(kwh, low, more):
    clean, dirty = (
        carbon_intensity(kwh, 60, 10, 1, Grid(i, "stated", ""), 1, DEVICE).per_query
        for i in (low, low + more)
    )
    assert dirty >= clean


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: carbon_intensity(1, 1, 0, 1, GRID, 1, DEVICE), "the number of queries is 0"),
        (lambda: carbon_intensity(-1, 1, 1, 1, GRID, 1, DEVICE), "the energy is -1"),
        (lambda: carbon_intensity(1, 1, 1, 1, GRID, 0.5, DEVICE), "the PUE is 0.5"),
        (lambda: Embodied(1, 0, "x"), "the device's life is 0"),
        (lambda: Budget(2020, -1, 0.042, "1"), "the base year's emissions is -1"),
        (lambda: Budget(2020, 1, 4.2, "1"), "the yearly reduction is 4.2; it is a share"),
        (lambda: Budget(2020, 1, 0.042, ""), "has no method_version"),
        (lambda: PARIS.allowance_kg(2019), "2019 is before the base year 2020"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
