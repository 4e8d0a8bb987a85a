"""Energy that rests on assumed watts, at other watts: scenarios, not an error of sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.columns import phase_columns
from harness.economics.rows import FIXED, PER_QUERY
from harness.economics.stated import JOULES_PER_KWH

Row = Mapping[str, Any]

ROUNDING = 1.01
"""Memory's part may exceed a phase's energy by so much: it is read a little after the clock."""


@dataclass(frozen=True)
class Scenario:
    """What the assumed watts of processor and memory are multiplied by."""

    name: str
    cpu: float
    memory: float


SCENARIOS = (
    Scenario("processor × ½", 0.5, 1),
    Scenario("processor × 2", 2, 1),
    Scenario("memory × ½", 1, 0.5),
    Scenario("memory × 2", 1, 2),
)
"""One at a time; both × 1 is the figure itself."""


def in_scenario(row: Row, scenario: Scenario) -> Row | None:
    """The row as if its watts were those of ``scenario``; None where that cannot be told.

    A phase's energy is memory's watts × wall time and, for the rest, the processor's, which grows
    with its watts. It cannot be told where those that change are not assumed, where the row does
    not say what its energy rests on, or where a GPU's energy is among the processor's.
    """
    parts = row.get("cost_assumptions")
    if not isinstance(parts, Mapping):
        return None
    changing = [name for name in ("cpu", "memory") if getattr(scenario, name) != 1]
    if not all(is_assumed(row, name) for name in changing):
        return None
    if scenario.cpu != 1 and "gpu" in parts:
        return None
    watts = (parts.get("memory") or {}).get("value") or 0.0
    changed: dict[str, float] = {}
    for phase in (*FIXED, *PER_QUERY, "tune"):
        wall, _, _, kwh = phase_columns(phase)
        if pd.isna(row.get(wall)) or pd.isna(row.get(kwh)):
            continue
        whole = float(row[kwh])
        memory = watts * float(row[wall]) / JOULES_PER_KWH
        if memory > ROUNDING * whole:
            return None
        memory = min(memory, whole)
        changed[kwh] = scenario.cpu * (whole - memory) + scenario.memory * memory
    return {**row, **changed}


def is_assumed(row: Row, part: str) -> bool:
    """Whether the energy of ``part`` ("cpu" or "memory") rests on watts nobody stated."""
    parts = row.get("cost_assumptions")
    told = parts.get(part) if isinstance(parts, Mapping) else None
    return isinstance(told, Mapping) and told.get("origin") == "assumed"


def assumed_watts(row: Row) -> dict[str, float]:
    """Each part whose watts are assumed -> those watts."""
    parts = row.get("cost_assumptions") or {}
    assumed = [part for part in parts if parts[part].get("unit") == "W" and is_assumed(row, part)]
    return {part: float(parts[part]["value"]) for part in assumed}
