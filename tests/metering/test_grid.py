import pytest

from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.grid import Grid, grid_of


def test_emissions_are_energy_times_pue_times_intensity():
    assert Grid(0.4, "stated", "").emissions_kg(2.0, pue=1.5) == pytest.approx(1.2)


def test_emissions_of_unknown_energy_are_null():
    assert Grid(0.4, "stated", "").emissions_kg(None, pue=1.5) is None


def test_no_country_takes_the_world_average_marked_assumed_with_its_source():
    grid = grid_of(CostConfig())
    assert grid.kg_per_kwh == pytest.approx(0.475)
    assert grid.origin == "assumed"
    assert "world average" in grid.detail
    assert "iea.org" in grid.detail


def test_a_country_takes_codecarbons_figure():
    france, poland = grid_of(CostConfig(country="FRA")), grid_of(CostConfig(country="POL"))
    assert france.kg_per_kwh == pytest.approx(0.056, abs=0.01)
    assert poland.kg_per_kwh > 5 * france.kg_per_kwh
    assert france.origin == "stated"
    assert "France" in france.detail


def test_a_fixed_intensity_beats_the_country():
    grid = grid_of(CostConfig(country="POL", carbon_intensity_kg_per_kwh=0.0))
    assert (grid.kg_per_kwh, grid.origin) == (0.0, "stated")


def test_an_unknown_country_is_refused_instead_of_taken_for_the_world_average():
    with pytest.raises(ConfigError, match=r"'GBX'.*no figure.*carbon_intensity_kg_per_kwh"):
        grid_of(CostConfig(country="GBX"))
