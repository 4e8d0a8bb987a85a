"""Blocks of readings from result rows: one block a seed that both arms have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.columns import phase_columns
from harness.economics.breakeven import ArmCost
from harness.errors import ConfigError, suggestion

FIXED = ("prepare", "tune", "index", "train")
PER_QUERY = ("retrieve", "prefill", "decode")
UNITS = {"seconds": "s", "kwh": "kWh", "kgco2e": "kg CO2e"}


def seed_blocks(
    frame: pd.DataFrame, arm: str, against: str, unit: str, accuracy: str | None
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
    return [tuple(arm_cost(rows[s], unit, accuracy) for rows in (one, two)) for s in seeds]  # type: ignore[misc]


def arm_cost(row: Mapping[str, Any], unit: str, accuracy: str | None) -> ArmCost:
    """What a row's phases cost; None where a phase that ran has no figure in this unit."""
    total = _sum(row, PER_QUERY, unit)
    questions = row["n_test"]
    known = total is not None and pd.notna(questions) and questions > 0
    right = None if accuracy is None or pd.isna(row[accuracy]) else float(row[accuracy])
    return ArmCost(
        fixed=_sum(row, FIXED, unit),
        per_query=total / float(questions) if known and total is not None else None,
        accuracy=right,
    )


def _sum(row: Mapping[str, Any], phases: tuple[str, ...], unit: str) -> float | None:
    """A phase without seconds did not run, and is no part of the arm's cost."""
    total = 0.0
    for phase in phases:
        seconds, _, _, energy = phase_columns(phase)
        if pd.isna(row[seconds]):
            continue
        value = row[seconds] if unit == "seconds" else row[energy]
        if pd.isna(value):
            return None
        total += float(value)
    return total if unit != "kgco2e" else _emitted(row, total)


def _emitted(row: Mapping[str, Any], energy_kwh: float) -> float | None:
    """kg of a part of the row's energy, at the PUE and intensity that its total was emitted at."""
    whole, kg = row["total_energy_kwh"], row["emissions_kg"]
    return None if pd.isna(whole) or pd.isna(kg) or whole <= 0 else energy_kwh * float(kg / whole)


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
