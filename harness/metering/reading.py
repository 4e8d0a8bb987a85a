"""What the meter read of one phase, and sums of readings; what is unknown stays unknown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import RecordError

PHASES = (
    "load",
    "prepare",
    "tune",
    "index",
    "train",
    "retrieve",
    "prefill",
    "decode",
    "probe",
    "latency",
)


@dataclass(frozen=True)
class PhaseReading:
    """The cost of one phase, summed over every time it ran.

    Attributes:
        wall_seconds: from the phase's start to its end, the device synchronised at both.
        cpu_seconds: CPU time of this process (all threads), of children that have ended, and of
            processes that train for it.
        gpu_seconds: between two CUDA events on the current stream, times the GPUs that were
            computed on; None without CUDA.
        energy_kwh: processor, memory and, where one is used, GPU together; None if one of these
            is unknown. Before PUE.
        gpu_energy_kwh: None where no GPU's energy is counted.
        tokens_in, tokens_out: what the caller counted.
        counter_energy_kwh, assumed_energy_kwh: the parts of ``energy_kwh`` that a hardware counter
            measured, and that rest on watts nobody stated; what is left rests on stated watts.
        estimated_energy_kwh: what ``energy_kwh`` would be with CodeCarbon's estimates in place of
            the counters; None where there is no counter, so that there is only one source.
        peak_memory_gib: highest resident memory that was seen in the phase, of this process and
            of those that train for it.
        peak_gpu_memory_gib: highest memory that torch held allocated on one GPU; None without CUDA.
    """

    phase: str
    wall_seconds: float
    cpu_seconds: float
    gpu_seconds: float | None = None
    energy_kwh: float | None = None
    cpu_energy_kwh: float | None = None
    memory_energy_kwh: float | None = None
    gpu_energy_kwh: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    counter_energy_kwh: float | None = None
    assumed_energy_kwh: float | None = None
    estimated_energy_kwh: float | None = None
    peak_memory_gib: float | None = None
    peak_gpu_memory_gib: float | None = None

    def __add__(self, other: PhaseReading) -> PhaseReading:
        """Both readings of one phase as one: quantities summed, peaks the higher of the two."""
        if self.phase != other.phase:
            raise ValueError(f"cannot add a reading of '{other.phase}' to one of '{self.phase}'")
        summed: dict[str, Any] = {"phase": self.phase}
        for field in dataclasses.fields(self)[1:]:
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine is None or theirs is None:
                summed[field.name] = None
            elif field.name.startswith("peak_"):
                summed[field.name] = max(mine, theirs)
            else:
                summed[field.name] = mine + theirs
        return PhaseReading(**summed)

    def to_dict(self) -> dict[str, Any]:
        """The reading as JSON-ready values."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> PhaseReading:
        """The reading that ``to_dict`` gave.

        Raises:
            RecordError: a field is unknown, missing or not a finite number.
        """
        for field in dataclasses.fields(PhaseReading):
            value = values.get(field.name, None if field.name in _NULLABLE else "")
            if field.name == "phase":
                valid = isinstance(value, str) and value != ""
            elif field.name in ("tokens_in", "tokens_out"):
                valid = isinstance(value, int) and not isinstance(value, bool)
            else:
                valid = (value is None and field.name in _NULLABLE) or (
                    isinstance(value, int | float)
                    and not isinstance(value, bool)
                    and math.isfinite(value)
                )
            if not valid:
                raise RecordError(
                    f"a stored reading of phase '{values.get('phase')}' has "
                    f"{field.name}={values.get(field.name)!r}, which is not a number it can hold"
                )
        unknown = set(values) - {field.name for field in dataclasses.fields(PhaseReading)}
        if unknown:
            raise RecordError(f"a stored reading has the unknown fields {sorted(unknown)}")
        return PhaseReading(**values)


_NULLABLE = frozenset(
    field.name for field in dataclasses.fields(PhaseReading) if field.default is None
)


def merged(*many: Mapping[str, PhaseReading]) -> dict[str, PhaseReading]:
    """Readings by phase, those of the same phase added: e.g. this run's and a reused artifact's."""
    result: dict[str, PhaseReading] = {}
    for readings in many:
        for phase, reading in readings.items():
            result[phase] = result[phase] + reading if phase in result else reading
    return result


def total(readings: Iterable[PhaseReading]) -> PhaseReading | None:
    """One reading, named "total", of all phases together; None if there are none."""
    result: PhaseReading | None = None
    for reading in readings:
        named = dataclasses.replace(reading, phase="total")
        result = named if result is None else result + named
    return result


def to_json(readings: Mapping[str, PhaseReading]) -> dict[str, Any]:
    """Phase name to dictionary: what is stored beside an artifact."""
    return {phase: reading.to_dict() for phase, reading in readings.items()}


def from_json(stored: Mapping[str, Any]) -> dict[str, PhaseReading]:
    """What ``to_json`` gave, checked.

    Raises:
        RecordError: an entry is no reading, or stands under another phase's name.
    """
    readings: dict[str, PhaseReading] = {}
    for phase, values in stored.items():
        if not isinstance(values, Mapping) or values.get("phase") != phase:
            raise RecordError(f"the stored reading of phase '{phase}' is malformed")
        readings[phase] = PhaseReading.from_dict(values)
    return readings
