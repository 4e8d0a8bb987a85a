"""Where energy figures come from: the components that draw power, and what each rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.metering.config import CostConfig

if TYPE_CHECKING:
    from harness.metering.grid import Grid
    from harness.metering.reading import PhaseReading

# A figure of which counters measured at least this share is called a counter's.
COUNTER_SHARE = 0.95


class EnergyComponent(Protocol):
    """One part of the machine that draws power.

    Attributes:
        name: "cpu", "memory" or "gpu".
        origin: "counter" (hardware measured it), "stated" (the user's watts) or "assumed".
        watts: the constant behind an estimate (for a CPU, at full load); None for a counter.
        detail: one line on where the number is from.
        follows_cpu_time: its energy grows with this process' CPU time rather than with time.
        reads_cheaply: one read takes well under a millisecond.
    """

    @property
    def name(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def watts(self) -> float | None: ...
    @property
    def detail(self) -> str: ...
    @property
    def follows_cpu_time(self) -> bool: ...
    @property
    def reads_cheaply(self) -> bool: ...

    def read_kwh(self, seconds: float) -> float | None:
        """Energy (kWh) of the ``seconds`` since the previous read; None if the counter failed."""
        ...


@dataclass(frozen=True)
class EnergySource:
    """The components that a run's energy is made of.

    Attributes:
        missing: components that the run uses but nothing can measure; then there is no total.
        estimates: CodeCarbon's estimate of each component that a counter measures, under the name
            that ``estimate_name`` gives; kept beside the total, and no part of it.
    """

    components: tuple[EnergyComponent, ...] = ()
    missing: tuple[str, ...] = ()
    estimates: tuple[EnergyComponent, ...] = ()

    @property
    def has_total(self) -> bool:
        """Whether the components together are the energy of the run."""
        return bool(self.components) and not self.missing


def estimate_name(component: str) -> str:
    """What the estimate of a component that a counter measures is called."""
    return f"{component}, estimated"


def energy_source_name(reading: PhaseReading) -> str:
    """ "counter" if counters measured 95 % of the reading's kWh, else "estimate", or "none"."""
    if reading.energy_kwh is None:
        return "none"
    counted = reading.counter_energy_kwh or 0.0
    if reading.energy_kwh > 0 and counted >= COUNTER_SHARE * reading.energy_kwh:
        return "counter"
    return "estimate"


def energy_assumed_share(reading: PhaseReading) -> float | None:
    """Share (0 to 1) of the reading's kWh that rests on watts nobody measured or stated."""
    if not reading.energy_kwh or reading.assumed_energy_kwh is None:
        return None
    return reading.assumed_energy_kwh / reading.energy_kwh


def cost_assumptions(source: EnergySource, grid: Grid, config: CostConfig) -> dict[str, Any]:
    """Every figure behind energy and emissions, by name: value, unit, origin and detail."""
    assumptions: dict[str, Any] = {}
    for part in (*source.components, *source.estimates):
        assumptions[part.name] = {
            "value": part.watts,
            "unit": "W",
            "origin": part.origin,
            "detail": part.detail,
        }
    for name in source.missing:
        assumptions[name] = {
            "value": None,
            "unit": "W",
            "origin": "none",
            "detail": "used by the run, but its energy is not counted: there is no total",
        }
    assumptions["carbon_intensity"] = {
        "value": grid.kg_per_kwh,
        "unit": "kg CO2e per kWh",
        "origin": grid.origin,
        "detail": grid.detail,
    }
    assumptions["pue"] = {
        "value": config.pue,
        "unit": "facility energy over machine energy",
        "origin": "assumed" if config.pue == 1 else "stated",
        "detail": "cost.pue",
    }
    return assumptions
