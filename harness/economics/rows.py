"""What an arm costs, from its result row; blocks of readings, one a seed that both arms have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.columns import phase_columns
from harness.economics.breakeven import ArmCost
from harness.economics.prices import machine_cost
from harness.economics.stated import prices_of
from harness.errors import ConfigError, suggestion
from harness.metering.config import CostConfig
from harness.metering.grid import grid_of

FIXED = ("prepare", "index", "train")
"""Paid once. Choosing settings on validation (``tune``) is a cost of its own, shown apart."""

PER_QUERY = ("retrieve", "prefill", "decode")
UNITS = {"seconds": "s", "kwh": "kWh", "kgco2e": "kg CO2e", "usd": "US$"}


def seed_blocks(
    frame: pd.DataFrame,
    arm: str,
    against: str,
    unit: str,
    accuracy: str | None,
    cost: CostConfig | None = None,
) -> list[tuple[ArmCost, ArmCost]]:
    """A block for each seed of which both arms have a finished row, by seed.

    Raises:
        ConfigError: an arm has no such row, or rows of several tasks, models, or runs of a seed.
    """
    one, two = _by_seed(frame, arm), _by_seed(frame, against)
    seeds = sorted(set(one) & set(two))
    if not seeds:
        raise ConfigError(f"{arm} and {against} share no seed: run both with the same seeds")
    rows = [row for rows in (one, two) for row in rows.values()]
    for column in ("task", "model", "split_sha256"):
        if len({row[column] for row in rows}) > 1:
            raise ConfigError(f"the rows of {arm} and {against} differ in {column}: name one table")
    return [
        (arm_cost(one[seed], unit, accuracy, cost), arm_cost(two[seed], unit, accuracy, cost))
        for seed in seeds
    ]


def arm_cost(
    row: Mapping[str, Any], unit: str, accuracy: str | None, cost: CostConfig | None = None
) -> ArmCost:
    """What a row's phases cost; None where a phase that ran has no figure in this unit.

    Args:
        unit: one of UNITS.
        accuracy: the measure that says what is correct; None leaves the accuracy unknown.
        cost: prices, PUE and grid. Without it emissions are those of the row's own settings.

    Raises:
        ConfigError: money is asked for, and a price that it needs is not stated.
    """
    total = _answering(row, unit, cost)
    questions = row["n_test"]
    known = total is not None and pd.notna(questions) and questions > 0
    right = None if accuracy is None or pd.isna(row[accuracy]) else float(row[accuracy])
    return ArmCost(
        fixed=phases_cost(row, FIXED, unit, cost),
        per_query=total / float(questions) if known and total is not None else None,
        accuracy=right,
    )


def phases_cost(
    row: Mapping[str, Any], phases: tuple[str, ...], unit: str, cost: CostConfig | None = None
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


def _answering(row: Mapping[str, Any], unit: str, cost: CostConfig | None) -> float | None:
    """The cost of all test questions; at an endpoint, its bill and the retrieval done here."""
    paid = row.get("api_cost_usd")
    if unit != "usd" or paid is None or pd.isna(paid):
        return phases_cost(row, PER_QUERY, unit, cost)
    here = phases_cost(row, ("retrieve",), unit, cost)
    return None if here is None else float(paid) + here


def _sum(row: Mapping[str, Any], phases: tuple[str, ...], at: int) -> float | None:
    """The sum of the phases' column number ``at``; None where one that ran does not know it."""
    total = 0.0
    for phase in phases:
        columns = phase_columns(phase)
        if pd.isna(row[columns[0]]):
            continue
        if pd.isna(row[columns[at]]):
            return None
        total += float(row[columns[at]])
    return total


def _emitted(row: Mapping[str, Any], energy_kwh: float | None) -> float | None:
    """kg of a part of the row's energy, at the PUE and intensity that its total was emitted at."""
    whole, kg = row["total_energy_kwh"], row["emissions_kg"]
    if energy_kwh is None or pd.isna(whole) or pd.isna(kg) or whole <= 0:
        return None
    return energy_kwh * float(kg / whole)


def _by_seed(frame: pd.DataFrame, arm: str) -> dict[Any, Mapping[str, Any]]:
    arms = sorted({str(name) for name in frame["arm"].dropna()})
    if arm not in arms:
        raise ConfigError(
            f"there is no arm '{arm}'{suggestion(arm, arms)}; it is one of {', '.join(arms)}"
        )
    rows = frame[(frame["arm"] == arm) & (frame["status"] == "ok")]
    if rows.empty:
        raise ConfigError(f"no row of {arm} finished")
    found: dict[Any, Mapping[str, Any]] = {}
    for row in rows.to_dict("records"):
        if row["seed"] in found:
            raise ConfigError(f"{arm} has several rows of seed {row['seed']}: name one table")
        found[row["seed"]] = {str(name): value for name, value in row.items()}
    return found
