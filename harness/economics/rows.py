"""What an arm costs, from its result row or from a reading of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.columns import phase_columns
from harness.economics.breakeven import ArmCost
from harness.economics.prices import OwnedDevice, machine_cost
from harness.economics.stated import idle_kwh_a_second, prices_of
from harness.metering.config import CostConfig
from harness.metering.grid import grid_of

Row = Mapping[str, Any]

FIXED = ("prepare", "index", "train")
"""Paid once. Choosing settings on validation (``tune``) is a cost of its own, shown apart."""

PER_QUERY = ("retrieve", "prefill", "decode")

OF_A_READING = (
    *("n_test", "prefill_tokens", "decode_tokens"),
    *("energy_source", "energy_assumed_share", "cost_assumptions", "device", "device_exclusive"),
)
"""What else a reading says in the place of its row."""


def arm_cost(row: Row, unit: str, accuracy: str | None, cost: CostConfig | None = None) -> ArmCost:
    """What a row's phases cost; None where a phase that ran has no figure in this unit.

    An update of the knowledge costs a whole new fit and the changed share of the index (all of
    it where no share is stated). Idling, where it is stated, is part of the cost per query.

    Args:
        unit: one of UNITS.
        accuracy: the measure that says what is correct; None leaves the accuracy unknown.
        cost: prices, PUE and grid. Without it emissions are those of the row's own settings.

    Raises:
        ConfigError: money is asked for, and a price that it needs is not stated.
    """
    each = _per_query(row, _answering(row, unit, cost))
    idle = idle_cost(row, unit, cost)
    right = None if accuracy is None or pd.isna(row[accuracy]) else float(row[accuracy])
    return ArmCost(
        fixed=phases_cost(row, FIXED, unit, cost),
        per_query=each if each is None or idle is None else each + idle,
        update=update_cost(row, unit, cost),
        accuracy=right,
    )


def update_cost(row: Row, unit: str, cost: CostConfig | None = None) -> float | None:
    """What one update of the knowledge costs: prepare and train anew, and index what changed.

    Raises:
        ConfigError: money is asked for, and a price that it needs is not stated.
    """
    share = 1.0 if cost is None else cost.use.changed_share.value
    fit = phases_cost(row, ("prepare", "train"), unit, cost)
    index = phases_cost(row, ("index",), unit, cost)
    if fit is None or index is None:
        return None
    return fit + (1.0 if share is None else share) * index


def idle_cost(row: Row, unit: str, cost: CostConfig | None) -> float | None:
    """What a resident model draws while it waits, for each query; None where it is not stated.

    ``idle_kwh_a_second`` × busy seconds of a query. It takes no time of a query's own (seconds:
    0), and an hour that is rented pays for its electricity (US$: 0).
    """
    if cost is None:
        return None
    waiting = idle_kwh_a_second(cost)
    busy = _per_query(row, phases_cost(row, _here(row), "seconds"))
    if waiting is None or busy is None:
        return None
    if unit == "seconds":
        return 0.0
    kwh = waiting * busy
    if unit == "kwh":
        return kwh
    if unit == "kgco2e":
        return grid_of(cost).emissions_kg(kwh, cost.pue)
    prices = prices_of(cost)
    # The purchase is spread over the hours of work, so that idle hours add electricity alone.
    owned = isinstance(prices.device, OwnedDevice)
    return machine_cost(prices, 0.0, kwh) if owned else 0.0


def phases_cost(
    row: Row, phases: tuple[str, ...], unit: str, cost: CostConfig | None = None
) -> float | None:
    """The sum over ``phases``; one without seconds did not run, and is no part of it.

    Raises:
        ConfigError: money is asked for, and a price that it needs is not stated.
    """
    seconds, energy = (_sum(row, phases, at) for at in (0, 3))
    if unit == "usd":
        if seconds == 0:
            return 0.0  # nothing ran: no price is needed
        return machine_cost(prices_of(cost or CostConfig()), seconds, energy)
    if unit == "kgco2e":
        if cost is None:
            return _emitted(row, energy)
        return grid_of(cost).emissions_kg(energy, cost.pue)
    return seconds if unit == "seconds" else energy


def with_reading(row: Row, reading: Row) -> Row:
    """The row as if it had cost what a reading of it says (see ``harness.blocks``).

    What was not metered again keeps the row's own figures: one reading, repeated.
    """
    phases = PER_QUERY if reading["phases"] == "serving" else (*FIXED, *PER_QUERY)
    metered = {name: reading[name] for phase in phases for name in phase_columns(phase)}
    return {**row, **metered, **{name: reading[name] for name in OF_A_READING}}


def _answering(row: Row, unit: str, cost: CostConfig | None) -> float | None:
    """The cost of all test questions; at an endpoint, its bill and the retrieval done here."""
    paid = row.get("api_cost_usd")
    if unit != "usd" or paid is None or pd.isna(paid):
        return phases_cost(row, PER_QUERY, unit, cost)
    here = phases_cost(row, ("retrieve",), unit, cost)
    return None if here is None else float(paid) + here


def _here(row: Row) -> tuple[str, ...]:
    """The phases of answering that this machine works in: at an endpoint, retrieval alone."""
    paid = row.get("api_cost_usd")
    return PER_QUERY if paid is None or pd.isna(paid) else ("retrieve",)


def _per_query(row: Row, total: float | None) -> float | None:
    questions = row.get("n_test")
    if total is None or pd.isna(questions) or float(questions or 0) <= 0:
        return None
    return total / float(questions or 0)


def _sum(row: Row, phases: tuple[str, ...], at: int) -> float | None:
    """The sum of the phases' column number ``at``; None where one that ran does not know it."""
    total = 0.0
    for phase in phases:
        columns = phase_columns(phase)
        if pd.isna(row.get(columns[0])):
            continue
        if pd.isna(row.get(columns[at])):
            return None
        total += float(row[columns[at]])
    return total


def _emitted(row: Row, energy_kwh: float | None) -> float | None:
    """kg of a part of the row's energy, at the PUE and intensity that its total was emitted at."""
    whole, kg = row.get("total_energy_kwh"), row.get("emissions_kg")
    if energy_kwh is None or pd.isna(whole) or pd.isna(kg) or whole is None or kg is None:
        return None
    return energy_kwh * float(kg) / float(whole) if whole > 0 else None
