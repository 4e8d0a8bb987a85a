"""Two arms set against each other: rows paired by metered block where there are any, else by seed.

A block holds one reading of each arm, taken close to each other (``harness meter``). Of a seed
each arm has its run's one reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.blocks.table import readings_by_set
from harness.columns import COLUMNS
from harness.compare.arms import rows_having, rows_of
from harness.economics.rows import with_reading
from harness.errors import ConfigError, suggestion

Row = Mapping[str, Any]

READINGS = ("auto", "blocks", "seeds")

ALIKE = ("task", "model", "split_sha256")


@dataclass(frozen=True)
class Pairs:
    """The rows of two arms, a pair for each block.

    Attributes:
        kind: "blocks" or "seeds".
        told: what the readings are, and what they lack.
    """

    arm: str
    against: str
    rows: tuple[tuple[Row, Row], ...]
    kind: str
    told: tuple[str, ...] = ()


def paired(
    frame: pd.DataFrame,
    arm: str,
    against: str,
    readings: str = "auto",
    narrowed: Mapping[str, str | None] | None = None,
) -> Pairs:
    """The rows of both arms: those of the newest set of blocks that holds both, else of seeds.

    Args:
        frame: from ``read_results``; blocks are looked for in the folders of its rows.
        readings: "blocks" refuses seeds, "seeds" looks for no blocks.
        narrowed: column -> the value that rows must have; None: any.

    Raises:
        ConfigError: an arm is unknown or has no finished row, rows are of several tasks or
            models, or there are no readings of the kind asked for.
    """
    if arm == against:
        raise ConfigError(f"{arm} is set against itself: name another arm with --against")
    rows = rows_having(rows_of(frame), narrowed or {}, "row")
    return pair_rows(arm, against, _of_arm(rows, arm), _of_arm(rows, against), readings)


def pair_rows(
    arm: str, against: str, one: Sequence[Row], two: Sequence[Row], readings: str = "auto"
) -> Pairs:
    """The same of the finished rows of both arms, which hold every column and ``folder``.

    Raises:
        ConfigError: rows are of several tasks or models, or there are no readings of the kind
            asked for.
        RecordError: a table of blocks cannot be read.
    """
    if readings != "seeds":
        found = _by_block(arm, against, one, two)
        if found is not None:
            return found
        if readings == "blocks":
            raise ConfigError(
                f"there is no metered block of {arm} and {against}: take some with "
                f"harness meter FOLDER --arms {arm},{against}"
            )
    return _by_seed(arm, against, one, two)


def _by_block(arm: str, against: str, one: Sequence[Row], two: Sequence[Row]) -> Pairs | None:
    """Pairs of the newest set that holds a block of both arms; None where there is none."""
    runs = {
        (str(row["folder"]), row["run_id"]): (side, row)
        for side, rows in enumerate((one, two))
        for row in rows
        if row.get("folder")
    }
    sets = {
        name: [(side, row, reading) for (side, row), reading in found]
        for name, found in readings_by_set(runs).items()
    }
    whole = {name: found for name, own in sets.items() if (found := _blocks(own))}
    if not whole:
        return None
    chosen = max(whole, key=lambda name: max(one["started_at"] for *_, one in sets[name]))
    readings = [reading for *_, reading in sets[chosen]]
    return Pairs(arm, against, whole[chosen], "blocks", _told(chosen, readings, whole))


def _blocks(own: Sequence[tuple[int, Row, Row]]) -> tuple[tuple[Row, Row], ...]:
    """The blocks that hold both arms, in order."""
    blocks: dict[int, dict[int, Row]] = {}
    for side, row, reading in own:
        blocks.setdefault(reading["block"], {})[side] = with_reading(row, reading)
    return tuple(
        (found[0], found[1]) for _, found in sorted(blocks.items()) if found.keys() == {0, 1}
    )


def _told(chosen: str, readings: Sequence[Row], whole: Mapping[str, Any]) -> tuple[str, ...]:
    blocks = len(whole[chosen])
    seed, first = readings[0]["seed"], readings[0]
    lines = [f"read from {blocks} metered blocks (set {chosen}, seed {seed}, {first['device']})"]
    if first["phases"] == "serving":
        lines.append("only answering was metered again: the fixed cost is the run's one reading")
    halves = len({reading["block"] for reading in readings}) - blocks
    if halves:
        lines.append(f"blocks that lack an arm are left out: {halves}")
    others = len(whole) - 1
    if others:
        lines.append(f"older sets of blocks are left out: {others}")
    if any(reading["same_answers"] is False for reading in readings):
        lines.append(
            "WARNING: in some blocks the answers were others than the run's, so its accuracy is "
            "not theirs"
        )
    shared = sum(reading["device_exclusive"] is False for reading in readings)
    if shared:
        lines.append(f"in {shared} of {len(readings)} readings another process used the device")
    return tuple(lines)


def _by_seed(arm: str, against: str, one: Sequence[Row], two: Sequence[Row]) -> Pairs:
    mine, theirs = _seeds(arm, one), _seeds(against, two)
    seeds = sorted(set(mine) & set(theirs))
    if not seeds:
        raise ConfigError(f"{arm} and {against} share no seed: run both with the same seeds")
    rows = [row for found in (mine, theirs) for row in found.values()]
    for column in ALIKE:
        if len({row[column] for row in rows}) > 1:
            flag = f" with --{column}" if column in ("task", "model") else ""
            raise ConfigError(
                f"the rows of {arm} and {against} differ in {column}: name one{flag or ' table'}"
            )
    told = (f"read from the rows of {len(seeds)} seeds: no block was metered (harness meter)",)
    pairs = tuple((mine[seed], theirs[seed]) for seed in seeds)
    return Pairs(arm, against, pairs, "seeds", told)


def _seeds(arm: str, rows: Sequence[Row]) -> dict[Any, Row]:
    found: dict[Any, Row] = {}
    for row in rows:
        if row["seed"] in found:
            raise ConfigError(f"{arm} has several rows of seed {row['seed']}: name one table")
        found[row["seed"]] = row
    return found


def _of_arm(rows: Sequence[Row], arm: str) -> list[Row]:
    """The arm's finished rows, every column in them."""
    own: list[Row] = [dict.fromkeys(COLUMNS) | dict(row) for row in rows if row.get("arm") == arm]
    if not own:
        arms = sorted({str(row["arm"]) for row in rows if row.get("arm")})
        raise ConfigError(
            f"there is no arm '{arm}'{suggestion(arm, arms)}; it is one of {', '.join(arms)}"
        )
    finished = [row for row in own if row["status"] == "ok"]
    if not finished:
        raise ConfigError(f"no row of {arm} finished")
    return finished
