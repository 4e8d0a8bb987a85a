"""Emissions files of CodeCarbon: a CSV line a run, or, with tasks, one a task of the run.

Columns: https://github.com/mlco2/codecarbon, codecarbon/output_methods/emissions_data.py. Energies
are in kWh, emissions in kg CO2e, durations in s, powers in W.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from typing import Any

from harness.columns import PHASES, phase_columns
from harness.interchange.detect import ForeignFile, header_of
from harness.interchange.foreign_run import ForeignRun, OtherMeasure, Reading
from harness.interchange.leftover import Leftover
from harness.types import sha256_of

DEFINITIONS = {
    "total_energy_kwh": "codecarbon energy_consumed",
    "emissions_kg": "codecarbon emissions",
}
FIGURES = frozenset(
    (
        "duration",
        "emissions",
        "emissions_rate",
        "cpu_power",
        "gpu_power",
        "ram_power",
        "cpu_energy",
        "gpu_energy",
        "ram_energy",
        "energy_consumed",
        "water_consumed",
        "cpu_count",
        "gpu_count",
        "longitude",
        "latitude",
        "ram_total_size",
        "cpu_utilization_percent",
        "gpu_utilization_percent",
        "ram_utilization_percent",
        "ram_used_gb",
        "pue",
        "wue",
    )
)
"""Columns that hold a number; all others are text, whatever is written in them."""

ENERGIES = ("cpu_energy", "gpu_energy", "ram_energy")
ASSUMED = ("pue", "tracking_mode")
DEFAULT_PROJECT = "codecarbon"

Line = dict[str, Any]


def read(file: ForeignFile) -> Reading:
    """The runs of a CodeCarbon file; lines that are ragged or repeat others are named."""
    problems: list[str] = []
    lines = list(_lines(file, problems))
    tasks = [line for line in lines if "task_name" in line[1]]
    if tasks:
        by_run: dict[str, list[tuple[int, Line]]] = {}
        for number, line in tasks:
            by_run.setdefault(str(line.get("run_id")), []).append((number, line))
        return Reading([_run_of_tasks(file, found) for found in by_run.values()], problems)
    kept = _last_of_each_run(file, lines, problems)
    return Reading([_run(file, line) for line in kept], problems)


def _lines(file: ForeignFile, problems: list[str]) -> Iterator[tuple[int, Line]]:
    """Number and cells of each line that has as many as the header."""
    header = header_of(file.lines)
    first = next(number for number, text in enumerate(file.lines, start=1) if text.strip())
    for number, text in enumerate(file.lines, start=1):
        if number <= first or not text.strip():
            continue
        # Line by line: a quote that is not closed must not swallow the lines below it.
        try:
            cells = next(csv.reader([text.rstrip("\r\n")], strict=True))
        except csv.Error as error:
            problems.append(f"{file.path}, line {number}: {error}: left out")
            continue
        if len(cells) != len(header):
            problems.append(
                f"{file.path}, line {number}: {len(cells)} cells where the header has "
                f"{len(header)}: left out, since its figures may stand in the wrong columns"
            )
            continue
        where = f"{file.path}, line {number}"
        yield number, _values(where, dict(zip(header, cells, strict=True)), problems)


def _values(where: str, cells: dict[str, str], problems: list[str]) -> Line:
    """The cells, those of figures as numbers; what is no finite number stays text and is named."""
    values: Line = dict(cells)
    for name in FIGURES & set(cells):
        cell = cells[name].strip()
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            values[name] = number
        elif cell:
            problems.append(f"{where}: '{name}' is {cell[:40]!r}, no finite number: not used")
    return values


def _last_of_each_run(
    file: ForeignFile, lines: Sequence[tuple[int, Line]], problems: list[str]
) -> list[Line]:
    """The last line of each run: ``flush`` writes a line each time, with the totals so far."""
    last: dict[Any, tuple[int, Line]] = {}
    for number, line in lines:
        key = line.get("run_id") or sha256_of(line)
        if key in last:
            before, seen = last[key]
            same = "repeats" if sha256_of(seen) == sha256_of(line) else "has later totals of"
            problems.append(f"{file.path}, line {number} {same} the run of line {before}")
        last[key] = (number, line)
    return [line for _, line in last.values()]


def _run(file: ForeignFile, line: Line) -> ForeignRun:
    identity = _identity(line)
    left = Leftover(dict(line))
    energy = left.take_number("total_energy_kwh", "energy_consumed")
    duration = left.take_number("spent_seconds", "duration")
    columns = {
        **_names(left),
        **_circumstances(left),
        "total_energy_kwh": energy,
        "spent_energy_kwh": energy,
        "emissions_kg": left.take_number("emissions_kg", "emissions"),
        "spent_seconds": duration,
    }
    return _foreign(file, left, identity, columns, _other(left))


def _identity(line: Line) -> str:
    """Of CodeCarbon's own run: its file of tasks and its line among the totals are one run."""
    return sha256_of(["codecarbon", line.get("run_id") or line])


def _run_of_tasks(file: ForeignFile, lines: Sequence[tuple[int, Line]]) -> ForeignRun:
    """One run from its tasks: their sums, and those named like a phase of ours in its columns."""
    told = [line for _, line in lines]
    identity = _identity(told[0])
    left = Leftover({"tasks": [dict(line) for line in told]})
    columns: dict[str, Any] = {**_names(left, "tasks", 0), **_circumstances(left, "tasks", 0)}
    sums = {"duration": "spent_seconds", "energy_consumed": "total_energy_kwh"}
    sums["emissions"] = "emissions_kg"
    for theirs, ours in sums.items():
        # Where one task has no figure the others are no total.
        figures = [left.look("tasks", place, theirs) for place in range(len(told))]
        known = [figure for figure in figures if isinstance(figure, float)]
        columns[ours] = sum(known) if len(known) == len(told) else None
    columns["spent_energy_kwh"] = columns["total_energy_kwh"]
    names = [line["task_name"] for line in told]
    for place, name in enumerate(names):
        if name in PHASES and names.count(name) == 1:
            seconds, _, _, energy = phase_columns(name)
            columns[seconds] = left.take_number(seconds, "tasks", place, "duration")
            columns[energy] = left.take_number(energy, "tasks", place, "energy_consumed")
    return _foreign(file, left, identity, columns, {})


def _foreign(
    file: ForeignFile,
    left: Leftover,
    identity: str,
    columns: dict[str, Any],
    measures: dict[str, OtherMeasure],
) -> ForeignRun:
    packages = columns.get("package_versions")
    version = packages.get("codecarbon") if isinstance(packages, dict) else None
    return ForeignRun(
        tool=f"codecarbon {version}" if version else "codecarbon",
        file=file.name,
        name=str(columns.get("arm") or file.path.stem),
        identity=identity,
        columns=columns,
        measures=measures,
        versions={n: text for n, text in DEFINITIONS.items() if columns.get(n) is not None},
        rest=left.rest(),
        placed=left.placed,
    )


def _names(left: Leftover, *at: str | int) -> dict[str, Any]:
    # The project's name is the nearest that CodeCarbon has to an arm; its default names nothing.
    if left.look(*at, "project_name") == DEFAULT_PROJECT:
        return {}
    return {"arm": left.take_text("arm", *at, "project_name")}


def _circumstances(left: Leftover, *at: str | int) -> dict[str, Any]:
    device = left.take_text("device", *at, "gpu_model") or left.take_text(
        "device", *at, "cpu_model"
    )
    version = left.take_text("package_versions", *at, "codecarbon_version")
    python = left.take_text("package_versions", *at, "python_version")
    packages = {"codecarbon": version, "python": python}
    assumed: dict[str, Any] = {}
    for name in ASSUMED:
        to = f"cost_assumptions.{name}"
        value = left.take_number(to, *at, name) or left.take_text(to, *at, name)
        if value is not None:
            assumed[name] = value
    return {
        "device": device,
        "platform": left.take_text("platform", *at, "os"),
        "package_versions": {name: told for name, told in packages.items() if told} or None,
        "cost_assumptions": assumed or None,
    }


def _other(left: Leftover) -> dict[str, OtherMeasure]:
    found = {}
    for name in ENERGIES:
        value = left.take_number(f"other_measures.{name}_kwh", name)
        if value is not None:
            found[f"{name}_kwh"] = OtherMeasure(value, False, "kWh")
    water = left.take_number("other_measures.water_litres", "water_consumed")
    if water is not None:
        found["water_litres"] = OtherMeasure(water, False, "L")
    return found
