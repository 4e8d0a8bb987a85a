"""``blocks.csv``: one reading of one arm a line, with what it was read on."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.columns import COLUMNS, Column, phase_columns
from harness.economics.rows import FIXED, PER_QUERY
from harness.errors import RecordError
from harness.record import locked, replacing
from harness.row import to_cell, value_of

NAME = "blocks.csv"

Reading = dict[str, Any]

Known = TypeVar("Known")

METERED = ("load", *FIXED, *PER_QUERY)
"""Phases of a block. ``load`` is told, and is no part of a cost."""

_OWN = (
    ("set_id", "str", "the readings that may stand together: same runs, machine, code, settings"),
    ("run_id", "str", "the run that was metered again"),
    ("arm", "str", "its arm"),
    ("seed", "int", "its seed"),
    ("phases", "str", "all: made anew from the start; serving: only answered"),
    ("block", "int", "number of the block, from 1; each arm stands in it once"),
    ("position", "int", "the arm's place in the order of its block, from 1"),
    ("started_at", "str", "when the reading began (UTC, ISO 8601)"),
    ("n_test", "int", "test questions answered"),
    ("same_answers", "bool", "whether every answer is the run's own; empty: those are not kept"),
    ("prefill_tokens", "int", "prompt tokens of the test questions"),
    ("decode_tokens", "int", "generated tokens"),
    ("trained_tokens", "int", "tokens of the training examples, all epochs"),
    ("energy_source", "str", "counter, estimate or none"),
    ("energy_assumed_share", "float", "part of the energy that rests on assumed watts"),
    ("cost_assumptions", "json", "every figure behind the energy"),
    ("device", "str", "where the model ran"),
    ("device_exclusive", "bool", "whether no other process used the device"),
    ("platform", "str", "operating system, processor and Python"),
    ("package_versions", "json", "package -> version"),
    ("code_version", "str", "commit of the harness"),
    ("code_dirty", "bool", "whether the working tree had uncommitted changes"),
)

SCHEMA: dict[str, Column] = {
    **{name: Column(name, kind, "", meaning, "Blocks") for name, kind, meaning in _OWN},
    **{name: COLUMNS[name] for phase in METERED for name in phase_columns(phase)},
}


def put_reading(folder: Path, reading: Mapping[str, Any]) -> None:
    """Add a reading to the folder's table in one step: a kill leaves it whole or not at all.

    Raises:
        RecordError: the file there is no such table, or it cannot be written.
    """
    path = folder / NAME
    with locked(path):
        lines = _lines(path)
        with replacing(path) as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(SCHEMA)
            table.writerows(lines)
            table.writerow(to_cell(column, reading.get(name)) for name, column in SCHEMA.items())


def read_blocks(folder: Path) -> list[Reading]:
    """The readings in a folder, in the order in which they were taken; empty without any.

    Raises:
        RecordError: the table cannot be read, or a cell is not of its column's type.
    """
    path = folder / NAME
    return [
        {
            name: value_of(column, cell, f"{path}, line {number}")
            for (name, column), cell in zip(SCHEMA.items(), cells, strict=True)
        }
        for number, cells in enumerate(_lines(path), start=2)
    ]


def readings_by_set(
    runs: Mapping[tuple[str, Any], Known],
) -> dict[str, list[tuple[Known, Reading]]]:
    """Id of each set -> its readings of the runs, each with what is known of its run.

    Args:
        runs: (folder, run_id) -> what is known of the run.

    Raises:
        RecordError: a table of blocks cannot be read.
    """
    sets: dict[str, list[tuple[Known, Reading]]] = {}
    for folder in sorted({folder for folder, _ in runs}):
        for reading in read_blocks(Path(folder)):
            run = (folder, reading["run_id"])
            if run in runs:
                sets.setdefault(reading["set_id"], []).append((runs[run], reading))
    return sets


def _lines(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, ValueError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read ({error}); mend or remove it") from error
    if header != list(SCHEMA):
        raise RecordError(
            f"{path} is no table that this version of harness meter wrote; move it away"
        )
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(SCHEMA):
            raise RecordError(
                f"{path}, line {number}: {len(cells)} cells where the header has {len(SCHEMA)}; "
                "mend or remove the line"
            )
    return lines
