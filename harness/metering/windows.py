"""Splits energy readings, taken about once a second, among the phases that ran in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.metering.device import GIB
from harness.metering.energy import EnergyComponent, EnergySource, estimate_name
from harness.metering.reading import PhaseReading


@dataclass(eq=False)
class Segment:
    """One uninterrupted stretch of one phase, filled in as it runs.

    Attributes:
        phase: its name; "" for the time between phases, which is metered but reported nowhere.
        kwh: energy by component; None for a component whose counter failed.
        open: whether it still runs.
    """

    phase: str
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    gpu_seconds: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    kwh: dict[str, float | None] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    peak_gpu_memory_gib: float | None = None
    open: bool = True

    def add_kwh(self, component: str, kwh: float | None) -> None:
        """Add energy of a component; once unknown, it stays unknown."""
        so_far = self.kwh.get(component, 0.0)
        self.kwh[component] = None if kwh is None or so_far is None else so_far + kwh


class EnergyWindow:
    """The time since one component was last read, and who ran in it.

    When the component is read, its energy is shared among the segments of the window: by CPU
    seconds if the component's estimate follows CPU time (then the split is exact), by wall
    seconds otherwise.
    """

    def __init__(self, component: EnergyComponent, now: float) -> None:
        self.component = component
        self._opened = now
        self._shares: dict[Segment, tuple[float, float]] = {}

    def credit(self, segment: Segment, wall_seconds: float, cpu_seconds: float) -> None:
        """Note that ``segment`` ran for so long within this window."""
        wall, cpu = self._shares.get(segment, (0.0, 0.0))
        self._shares[segment] = (wall + wall_seconds, cpu + cpu_seconds)

    def age(self, now: float) -> float:
        """Seconds since the component was last read."""
        return now - self._opened

    def close(self, now: float) -> None:
        """Read the component, share its energy out and begin the next window."""
        seconds = self.age(now)
        if seconds <= 0:
            return
        kwh = self.component.read_kwh(seconds)
        # With no CPU time at all in the window there is nothing to divide by: share by time.
        by_cpu = self.component.follows_cpu_time and any(
            cpu > 0 for _, cpu in self._shares.values()
        )
        weights = {
            segment: cpu if by_cpu else wall for segment, (wall, cpu) in self._shares.items()
        }
        whole = sum(weights.values())
        for segment, weight in weights.items():
            part = None if kwh is None else kwh * weight / whole if whole > 0 else 0.0
            segment.add_kwh(self.component.name, part)
        self._opened = now
        self._shares = {}


def readings_by_phase(segments: Iterable[Segment], source: EnergySource) -> dict[str, PhaseReading]:
    """What ``segments`` cost, summed by phase, in order of first appearance."""
    readings: dict[str, PhaseReading] = {}
    for segment in segments:
        reading = _reading(segment, source)
        so_far = readings.get(segment.phase)
        readings[segment.phase] = reading if so_far is None else so_far + reading
    return readings


def _reading(segment: Segment, source: EnergySource) -> PhaseReading:
    """The segment as a frozen reading; energies without a source, and then the total, are None."""
    kwh = {part.name: segment.kwh.get(part.name, 0.0) for part in source.components}
    complete = source.has_total and None not in kwh.values()

    def sum_of(*origins: str) -> float | None:
        if not complete:
            return None
        parts = [part.name for part in source.components if part.origin in origins]
        return sum((kwh[name] or 0.0 for name in parts), start=0.0)

    def estimated() -> float | None:
        beside = {part.name: segment.kwh.get(part.name, 0.0) for part in source.estimates}
        parts = [beside.get(estimate_name(name), counted) for name, counted in kwh.items()]
        known = [part for part in parts if part is not None]
        return sum(known) if beside and source.has_total and len(known) == len(parts) else None

    return PhaseReading(
        phase=segment.phase,
        wall_seconds=segment.wall_seconds,
        cpu_seconds=segment.cpu_seconds,
        gpu_seconds=segment.gpu_seconds,
        energy_kwh=sum_of("counter", "stated", "assumed"),
        cpu_energy_kwh=kwh.get("cpu"),
        memory_energy_kwh=kwh.get("memory"),
        gpu_energy_kwh=kwh.get("gpu"),
        tokens_in=segment.tokens_in,
        tokens_out=segment.tokens_out,
        counter_energy_kwh=sum_of("counter"),
        assumed_energy_kwh=sum_of("assumed"),
        estimated_energy_kwh=estimated(),
        peak_memory_gib=segment.peak_memory_bytes / GIB,
        peak_gpu_memory_gib=segment.peak_gpu_memory_gib,
    )
