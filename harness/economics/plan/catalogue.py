"""Devices and their figures, each with its source and date: the bundled table, or one's own."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from harness.economics.prices import Figure
from harness.errors import ConfigError, suggestion

TABLE = Path(__file__).resolve().parents[2] / "data" / "devices.csv"

COLUMNS = ("device", "kind", "figure", "value", "source", "date", "checked")
FIGURES = (
    *("memory_gb", "bandwidth_gb_s", "float32_tflops", "half_tflops", "watts"),
    "usd_per_hour",
)
"""What may be known of a device. GB are 10^9 bytes; TFLOP/s are dense peaks, half being bfloat16 or
float16; watts are those of the device under full load (TDP), which is not the whole machine."""


@dataclass(frozen=True)
class Device:
    """One device; a figure that the catalogue lacks is unknown, never zero."""

    name: str
    kind: str
    figures: Mapping[str, Figure]

    def get(self, figure: str) -> float | None:
        """The figure's value, or None."""
        found = self.figures.get(figure)
        return found.value if found else None

    @property
    def is_gpu(self) -> bool:
        """Whether its memory is a GPU's own, in which no process and no system lie."""
        return self.kind.endswith("GPU")

    @property
    def memory_bytes(self) -> float:
        """Of its own, or of the machine for a CPU."""
        return self.figures["memory_gb"].value * 1e9

    def peak_flops(self, dtype: str) -> float | None:
        """FLOP a second at most; in half precision no less than in float32."""
        full = self.get("float32_tflops")
        value = full if dtype == "float32" else self.get("half_tflops") or full
        return None if value is None else value * 1e12


def read_catalogue(path: Path | None = None) -> dict[str, Device]:
    """Name -> device, in the table's order; the bundled table without ``path``.

    Raises:
        ConfigError: a line is not what it should be; the message says which.
    """
    table = path or TABLE
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ())[: len(COLUMNS) - 1] != COLUMNS[:-1]:
                raise ConfigError(f"{table}: its first line is {','.join(COLUMNS)}")
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} cannot be read as a catalogue: {error}") from error
    figures: dict[str, dict[str, Figure]] = {}
    kinds: dict[str, str] = {}
    for number, row in lines:
        where = f"{table}, line {number}"
        name = (row["device"] or "").strip()
        if not name:
            raise ConfigError(f"{where}: it names no device")
        kinds.setdefault(name, (row["kind"] or "").strip())
        named = figures.setdefault(name, {})
        figure = (row["figure"] or "").strip()
        if figure not in FIGURES:
            near = suggestion(figure, list(FIGURES))
            raise ConfigError(f"{where}: figure '{figure}' is none of {', '.join(FIGURES)}{near}")
        if figure in named:
            raise ConfigError(f"{where}: {figure} of {name} stands there twice")
        named[figure] = _figure(row, figure, where)
    for name, known in figures.items():
        if "memory_gb" not in known:
            raise ConfigError(f"{table}: {name} has no memory_gb; nothing can be said of it")
    if not figures:
        raise ConfigError(f"{table} lists no device")
    return {name: Device(name, kinds[name], known) for name, known in figures.items()}


def chosen(catalogue: Mapping[str, Device], names: Sequence[str]) -> list[Device]:
    """The devices of those names, or all without names.

    Raises:
        ConfigError: the catalogue has no such device.
    """
    for name in names:
        if name not in catalogue:
            near = suggestion(name, list(catalogue))
            raise ConfigError(
                f"--device is '{name}'{near}; the catalogue has {', '.join(catalogue)}"
            )
    return [catalogue[name] for name in dict.fromkeys(names)] or list(catalogue.values())


def _figure(row: Mapping[str, str], figure: str, where: str) -> Figure:
    try:
        value = float(row["value"])
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{where}: {figure} is '{row['value']}'; it is a number above 0")
    try:
        date.fromisoformat(row["date"])
        return Figure(value, row["source"] or "", row["date"])
    except (TypeError, ValueError):
        raise ConfigError(
            f"{where}: the date is '{row['date']}'; it is written like 2026-01-31"
        ) from None
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
