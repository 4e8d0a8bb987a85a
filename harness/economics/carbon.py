"""Software Carbon Intensity, the same study on other grids, and what fits a yearly budget.

SCI = (E·I + M) / R (Green Software Foundation, SCI 1.1; ISO/IEC 21031:2024): E with PUE, I the
location's average, offsets left out. Budget: SBTi absolute contraction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.economics.checks import (
    checked_amount,
    checked_positive,
    checked_pue,
    checked_share,
)
from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.grid import Grid, grid_of

COUNTRIES = ("FRA", "GBR", "USA", "IND", "POL")
"""Grids to set side by side, from nuclear to coal; figures are those of CodeCarbon's tables."""


@dataclass(frozen=True)
class Embodied:
    """What making the hardware emitted.

    Attributes:
        total_kg: of the whole device, kg CO2e (TE).
        life_hours: expected life (EL).
        reserved_share: part of the device that the work holds (RR/ToR).
        source: where the figures are from.
    """

    total_kg: float
    life_hours: float
    source: str
    reserved_share: float = 1.0

    def __post_init__(self) -> None:
        checked_amount(self.total_kg, "the embodied carbon", "kg CO2e")
        checked_positive(self.life_hours, "the device's life", "hours")
        checked_share(self.reserved_share, "the share of the device that is reserved")

    def kg(self, seconds: float) -> float:
        """M = TE · (TiR/EL) · (RR/ToR), kg CO2e of ``seconds`` of use."""
        hours = checked_amount(seconds, "the time", "seconds") / 3600
        return self.total_kg * hours / self.life_hours * self.reserved_share


@dataclass(frozen=True)
class CarbonIntensity:
    """kg CO2e; what is None is unknown, never zero.

    Attributes:
        operational_kg: E·I of all queries.
        embodied_kg: M of all queries.
        per_query: SCI with R a query.
        per_correct: SCI with R a correct answer; None too where none was correct.
    """

    operational_kg: float | None
    embodied_kg: float | None
    per_query: float | None
    per_correct: float | None


def carbon_intensity(
    energy_kwh: float | None,
    seconds: float | None,
    queries: int,
    accuracy: float | None,
    grid: Grid,
    pue: float,
    embodied: Embodied | None,
) -> CarbonIntensity:
    """SCI of ``queries`` that together took ``energy_kwh`` and ``seconds``.

    Without ``embodied`` there is no SCI: the operational part alone would be too low.

    Raises:
        ConfigError: there is no query, or a figure cannot be.
    """
    checked_positive(queries, "the number of queries")
    if energy_kwh is not None:
        checked_amount(energy_kwh, "the energy", "kWh")
    checked_pue(pue)
    right = None if accuracy is None else checked_share(accuracy, "the accuracy") * queries
    operational = grid.emissions_kg(energy_kwh, pue)
    making = None if embodied is None or seconds is None else embodied.kg(seconds)
    if operational is None or making is None:
        return CarbonIntensity(operational, making, None, None)
    total = operational + making
    return CarbonIntensity(operational, making, total / queries, total / right if right else None)


def emissions_by_country(
    energy_kwh: float | None, pue: float = 1.0, countries: Sequence[str] = COUNTRIES
) -> dict[str, tuple[float | None, Grid]]:
    """Country -> kg CO2e of the same energy there, and the grid with its source.

    Raises:
        ConfigError: CodeCarbon has no figure for a country.
    """
    grids = {country: grid_of(CostConfig(country=country, pue=pue)) for country in countries}
    return {country: (grid.emissions_kg(energy_kwh, pue), grid) for country, grid in grids.items()}


@dataclass(frozen=True)
class Budget:
    """SBTi absolute contraction: E_t = E_base · (1 − rate · (t − base_year)), never below 0.

    Attributes:
        base_kg: emissions of the base year.
        rate: share of them that each year takes off: .042 for 1.5 °C, .025 for well below 2 °C.
        method_version: of the rule that the rate is from; SBTi has changed it.
    """

    base_year: int
    base_kg: float
    rate: float
    method_version: str

    def __post_init__(self) -> None:
        checked_amount(self.base_kg, "the base year's emissions", "kg CO2e")
        checked_share(self.rate, "the yearly reduction")
        if not self.method_version.strip():
            raise ConfigError(
                "the budget has no method_version: say which version the rate is from"
            )

    def allowance_kg(self, year: int) -> float:
        """What ``year`` may emit.

        Raises:
            ConfigError: it is before the base year.
        """
        if year < self.base_year:
            raise ConfigError(f"the year {year} is before the base year {self.base_year}")
        return max(0.0, self.base_kg * (1 - self.rate * (year - self.base_year)))


def fitting(allowance_kg: float, each_kg: float | None) -> int | None:
    """How many trainings, or queries, of ``each_kg`` an allowance holds.

    None where what one emits is unknown or 0, so that no number of them fills it.
    """
    checked_amount(allowance_kg, "the allowance", "kg CO2e")
    if each_kg is None or checked_amount(each_kg, "the emissions of one", "kg CO2e") == 0:
        return None
    # A whole number must not fall short by the rounding of a division.
    return math.floor(allowance_kg / each_kg * (1 + 1e-12))
