"""What is to be metered: the runs of the arms asked for, their order, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness import method_keys, provenance
from harness.blocks.table import METERED, Reading
from harness.columns import phase_columns
from harness.compare.arms import rows_having, rows_of
from harness.config import Config
from harness.economics.rows import PER_QUERY
from harness.errors import ConfigError, suggestion
from harness.metering.device import choose_device, device_description
from harness.recorded import settings_of
from harness.types import sha256_of

Row = Mapping[str, Any]

PHASES = ("all", "serving")

ONE_OF = ("experiment", "task", "model", "split_sha256", "folder")
"""Columns in which the runs of a block are alike."""


@dataclass(frozen=True)
class Plan:
    """The runs that are metered together.

    Attributes:
        rows: one an arm, in the order asked for.
        configs: the settings of each.
        phases: one of ``PHASES``.
        set_id: of readings that may stand together.
    """

    folder: Path
    rows: tuple[Row, ...]
    configs: tuple[Config, ...]
    phases: str
    set_id: str

    def order(self, block: int) -> list[int]:
        """Positions in ``rows``, rotated by one each block, so that no arm is always first."""
        first = (block - 1) % len(self.rows)
        numbers = list(range(len(self.rows)))
        return numbers[first:] + numbers[:first]

    def missing(self, readings: Sequence[Reading], blocks: int) -> list[tuple[int, int, int]]:
        """(block, position in it, index of the row) of the readings that are still to be taken."""
        there = {
            (reading["block"], reading["run_id"])
            for reading in readings
            if reading["set_id"] == self.set_id
        }
        return [
            (block, position, number)
            for block in range(1, blocks + 1)
            for position, number in enumerate(self.order(block), start=1)
            if (block, self.rows[number]["run_id"]) not in there
        ]

    def expected_seconds(self, number: int) -> float | None:
        """What the run's own row says a reading of it takes; None where it says nothing."""
        phases = METERED if self.phases == "all" else ("load", *PER_QUERY)
        cells = [self.rows[number].get(phase_columns(phase)[0]) for phase in phases]
        known = [float(cell) for cell in cells if cell is not None]
        return sum(known) if known else None


def make_plan(
    frame: pd.DataFrame,
    arms: Sequence[str],
    phases: str,
    narrowed: Mapping[str, Any],
) -> Plan:
    """The plan for the finished rows of ``arms``.

    Args:
        frame: from ``read_results``.
        narrowed: column -> the value that rows must have; None: any, if there is one only. Of
            several seeds the lowest that all arms have is taken.

    Raises:
        ConfigError: an arm is unknown or has no finished run, or the rows are not of one table.
        RecordError: the settings of a run were not kept.
    """
    if len(set(arms)) != len(arms):
        raise ConfigError(f"--arms {','.join(arms)} names an arm twice")
    finished = [row for row in rows_of(frame) if row.get("status") == "ok"]
    rows = rows_having(finished, narrowed, "finished run")
    found = {arm: _of_arm(rows, arm) for arm in arms}
    if narrowed.get("seed") is None:
        shared = set.intersection(*({row["seed"] for row in own} for own in found.values()))
        if not shared:
            raise ConfigError(f"{', '.join(arms)} share no seed: run them with the same seeds")
        seed = min(shared)
        found = {arm: [r for r in own if r["seed"] == seed] for arm, own in found.items()}
    for column in ONE_OF:
        values = sorted({str(row.get(column)) for own in found.values() for row in own})
        if len(values) > 1:
            flag = f"name one with --{column}" if column in narrowed else "name one folder"
            raise ConfigError(f"the runs differ in {column} ({', '.join(values[:6])}): {flag}")
    for arm, own in found.items():
        if len(own) > 1:
            ids = ", ".join(str(row["run_id"]) for row in own[:6])
            raise ConfigError(
                f"{arm} has several finished runs of seed {own[0]['seed']} ({ids}): "
                "keep one of them in the table that is metered"
            )
    chosen = tuple(own[0] for own in found.values())
    configs = tuple(settings_of(row) for row in chosen)
    for row, config in zip(chosen, configs, strict=True):
        _check_can_be_metered(row, config, phases)
    digest = _set_id(chosen, configs, phases)
    return Plan(Path(str(chosen[0]["folder"])), chosen, configs, phases, digest)


def _of_arm(rows: Sequence[Row], arm: str) -> list[Row]:
    own = [row for row in rows if row["arm"] == arm]
    if not own:
        known = sorted({str(row["arm"]) for row in rows})
        raise ConfigError(
            f"no finished run of arm '{arm}'{suggestion(arm, known)}; there is: "
            f"{', '.join(known) or 'none'}"
        )
    return own


def _check_can_be_metered(row: Row, config: Config, phases: str) -> None:
    if config.model.backend == "endpoint":
        raise ConfigError(
            f"{row['arm']} was answered at an endpoint: its time is the network's and its price "
            "the bill's, so there is nothing here to meter again"
        )
    if phases == "all" and config.adapter and config.adapter.pairs.generator == "endpoint":
        raise ConfigError(
            f"{row['arm']} was trained on pairs that an endpoint made: they would be paid for "
            "again in every block; use --phases serving"
        )
    here = device_description(choose_device(config.model.device))
    if phases == "serving" and row.get("device") != here:
        raise ConfigError(
            f"{row['arm']} ran on {row.get('device')}, and this is {here}: what it cost to make "
            "was read there, so meter all phases (--phases all)"
        )


def _set_id(rows: Sequence[Row], configs: Sequence[Config], phases: str) -> str:
    """Changes with the runs, the machine, the packages, the code and how energy is counted."""
    around = [
        method_keys.circumstances(config, choose_device(config.model.device)) for config in configs
    ]
    told = {
        "runs": sorted(f"{row['run_id']} {row['config_hash']}" for row in rows),
        "phases": phases,
        "circumstances": sorted(sha256_of(one) for one in around),
        "platform": provenance.platform_name(),
        "packages": provenance.package_versions(),
        "code": provenance.code_version()[0],
    }
    return sha256_of(told)[:12]
