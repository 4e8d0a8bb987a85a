"""Runs as one long table: a line for each figure, for statistics packages and spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.columns import COLUMNS, PHASES, phase_columns
from harness.interchange.leftover import is_number
from harness.measures.costs import costs
from harness.measures.definitions import ACCURACY, COSTS, FORGETTING, PROBES, RETRIEVAL
from harness.record import replacing
from harness.row import text_cell

IDENTITY = ("run_id", "experiment", "arm", "task", "model", "seed")
HEADER = (
    *IDENTITY,
    "measure",
    "unit",
    "higher_is_better",
    "value",
    "low",
    "high",
    "n",
    "status",
    "error",
)
SPENT = ("spent_seconds", "spent_energy_kwh")

Row = Mapping[str, Any]
Figure = dict[str, Any]


def write_tidy(path: Path, rows: Iterable[Row], counts: Mapping[str, Mapping[str, int]]) -> int:
    """Write the figures of ``rows`` to ``path`` in one step, and return how many lines there are.

    Rows keep their order, and figures that of the columns. A failed run has its costs and a line
    that names no measure. ``counts``: run id to measure to the questions it is a mean over.

    Raises:
        RecordError: the file cannot be written, or the disk is full.
    """
    written = 0
    with replacing(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for row in rows:
            for figure in figures_of(row, counts.get(str(row["run_id"]), {})):
                named = {name: row.get(name) for name in (*IDENTITY, "status", "error")}
                line = {**named, **figure}
                table.writerow([_cell(line.get(name)) for name in HEADER])
                written += 1
    return written


def figures_of(row: Row, counts: Mapping[str, int]) -> Iterator[Figure]:
    """Each figure that a row knows: measures, probes, other measures, costs, phases."""
    if row.get("status") != "ok":
        yield {"measure": None}
    for name, measure in {**ACCURACY, **RETRIEVAL, **FORGETTING}.items():
        if is_number(row.get(name)):
            yield {
                **_figure(name, row[name], measure.unit, measure.higher_is_better),
                "low": row.get(f"{name}_low"),
                "high": row.get(f"{name}_high"),
                "n": _n(row, name, counts),
            }
    for name, probe in PROBES.items():
        for when in ("before", "after"):
            column = f"{name}_{when}"
            if is_number(row.get(column)):
                figure = _figure(column, row[column], probe.unit, probe.higher_is_better)
                yield {**figure, "n": row.get(f"forgetting_{name}_n")}
    for name, told in sorted((row.get("other_measures") or {}).items()):
        if isinstance(told, dict) and is_number(told.get("value")):
            yield {"measure": name, **{key: told.get(key) for key in HEADER if key in told}}
    for name, value in costs(row).items():
        if value is not None:
            yield _figure(name, value, COSTS[name].unit, COSTS[name].higher_is_better)
    for name in (*(column for phase in PHASES for column in phase_columns(phase)), *SPENT):
        if is_number(row.get(name)):
            yield _figure(name, row[name], COLUMNS[name].unit, False)


def _figure(name: str, value: float, unit: str, higher_is_better: bool) -> Figure:
    return {"measure": name, "unit": unit, "higher_is_better": higher_is_better, "value": value}


def _n(row: Row, name: str, counts: Mapping[str, int]) -> int | None:
    """What a measure is a mean over: counted where predictions are there, else as the row says."""
    if name in FORGETTING:
        return row.get(f"{name}_n")
    if name in counts:
        return counts[name]
    if name in RETRIEVAL:
        return row.get("retrieval_n")
    # Our own n_test counts all test questions, also those that a measure does not apply to.
    return row.get("n_test") if row.get("source") else None


def _cell(value: Any) -> str:
    """Text of a cell; what a spreadsheet would take for a formula stands behind a quote."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text_cell(value)
    return repr(value)
