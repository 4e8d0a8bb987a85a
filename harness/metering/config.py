"""The settings of the meter and of the figures behind its energy; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.economics.config import (
    BudgetConfig,
    HardwareConfig,
    PricesConfig,
    SourcesConfig,
    UseConfig,
)
from harness.errors import ConfigError

ENERGY_MODES = ("auto", "none")

STATED_LATER = ("prices", "hardware", "use", "budget", "sources")
"""Blocks that are applied when results are read: no run depends on them."""


@dataclass
class CostConfig:
    """How energy is measured, and what the user states about the machine and its grid.

    Attributes:
        energy: "auto" reads hardware counters where there are any and estimates the rest;
            "none" leaves every energy and emission empty.
        cpu_watts: what the processors (all sockets together) draw under full load; a run is
            billed for the share of it that its CPU time is. It is used in place of a counter.
            Null takes the counter, else CodeCarbon's table, else its guess (both assumed).
        memory_watts: what the machine's memory draws, all the time; 0 where ``cpu_watts`` already
            holds it. Null takes CodeCarbon's guess from the memory size (assumed).
        gpu: count the GPU's energy; null counts it when the run uses the GPU.
        country: three-letter ISO code of the country whose grid feeds the machine. Null takes the
            world average, marked assumed; it is never looked up over the network.
        carbon_intensity_kg_per_kwh: kg CO2e per kWh, in place of the country's figure.
        pue: power usage effectiveness: facility energy over the machine's own.
        sample_seconds: how often hardware and memory are read in the background.
        prices, hardware, use, budget: what results are priced by when they are read.
        sources: who says the plain numbers above, and when.
    """

    energy: str = "auto"
    cpu_watts: float | None = None
    memory_watts: float | None = None
    gpu: bool | None = None
    country: str | None = None
    carbon_intensity_kg_per_kwh: float | None = None
    pue: float = 1.0
    sample_seconds: float = 1.0
    prices: PricesConfig = field(default_factory=PricesConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    use: UseConfig = field(default_factory=UseConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    sources: SourcesConfig = field(default_factory=SourcesConfig)

    def __post_init__(self) -> None:
        if self.energy not in ENERGY_MODES:
            raise ConfigError(
                f"cost.energy is '{self.energy}'; it is one of {', '.join(ENERGY_MODES)}"
            )
        # Written as "not in range" so that nan, which compares false, is refused too.
        if self.cpu_watts is not None and not 0 < self.cpu_watts < 1e5:
            raise ConfigError(
                f"cost.cpu_watts is {self.cpu_watts}; it is the watts of all processors under "
                "full load, above 0, or null if unknown"
            )
        if self.memory_watts is not None and not 0 <= self.memory_watts < 1e5:
            raise ConfigError(
                f"cost.memory_watts is {self.memory_watts}; it is 0 or more, or null if unknown"
            )
        intensity = self.carbon_intensity_kg_per_kwh
        if intensity is not None and not 0 <= intensity <= 5:
            raise ConfigError(
                f"cost.carbon_intensity_kg_per_kwh is {intensity}; it is between 0 and 5 kg per "
                "kWh (475 g per kWh is written 0.475), or null"
            )
        if self.country is not None and not re.fullmatch(r"[A-Z]{3}", self.country):
            raise ConfigError(
                f"cost.country is '{self.country}'; it is a three-letter ISO code in capitals "
                "such as FRA or USA, or null for the world average"
            )
        if not 1 <= self.pue <= 10:
            raise ConfigError(f"cost.pue is {self.pue}; it is 1 (no overhead) or more, up to 10")
        if not 0.1 <= self.sample_seconds <= 60:
            raise ConfigError(f"cost.sample_seconds is {self.sample_seconds}; it is 0.1 to 60")
