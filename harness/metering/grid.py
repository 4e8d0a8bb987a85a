"""Carbon intensity of electricity: from the user, or from CodeCarbon's bundled tables. Offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.quiet import quiet_codecarbon


@dataclass(frozen=True)
class Grid:
    """What a kWh emits, and where the figure is from.

    Attributes:
        origin: "stated" (a fixed value or a country was given) or "assumed" (world average).
        detail: the figure's source and year.
        date: the year that the figure is of; "" where its source does not say.
    """

    kg_per_kwh: float
    origin: str
    detail: str
    date: str = ""

    def emissions_kg(self, energy_kwh: float | None, pue: float) -> float | None:
        """kg CO2e of ``energy_kwh`` drawn by the machine: energy × PUE × intensity."""
        return None if energy_kwh is None else energy_kwh * pue * self.kg_per_kwh


def grid_of(config: CostConfig) -> Grid:
    """The grid that ``config`` names: fixed value, else country, else the world average.

    Raises:
        ConfigError: CodeCarbon has no figure for the country.
    """
    if config.carbon_intensity_kg_per_kwh is not None:
        return Grid(
            config.carbon_intensity_kg_per_kwh, "stated", "cost.carbon_intensity_kg_per_kwh"
        )
    if config.country is None:
        return _world_average()
    mixes = _tables().get_global_energy_mix_data()
    mix: dict[str, Any] | None = mixes.get(config.country)
    # CodeCarbon itself falls back to the world average here, with no more than a log line.
    if mix is None or mix.get("carbon_intensity") is None:
        raise ConfigError(
            f"cost.country is '{config.country}', for which CodeCarbon has no figure"
            " (it goes by ISO 3166 alpha-3, e.g. GBR for the United Kingdom); correct it, or give "
            "cost.carbon_intensity_kg_per_kwh"
        )
    return Grid(
        float(mix["carbon_intensity"]) / 1000,
        "stated",
        f"{mix['country_name']}, {mix['year']} average, CodeCarbon {_version()}'s table",
        str(mix["year"]),
    )


def _world_average() -> Grid:
    table = _tables().get_carbon_intensity_per_source_data()
    return Grid(
        float(table["world_average"]) / 1000,
        "assumed",
        f"world average, no cost.country given; {table['world_average_source']}",
    )


def _tables() -> Any:
    quiet_codecarbon()
    from codecarbon.input import DataSource

    return DataSource()


def _version() -> str:
    from importlib.metadata import version

    return version("codecarbon")
