"""One file of results as a typed data frame, whatever it went through since it was written.

``harness.record`` is strict, since it is about to append. Reading for a comparison is not: what can
still be compared is kept, and each thing that was left out is named with file, line and column.
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from harness.cells import read_cells
from harness.columns import COLUMNS, SCHEMA_VERSION, Column
from harness.errors import RecordError, suggestion
from harness.foreign import SHOWN, Problems, whole_text
from harness.ranges import without_impossible
from harness.row import RUN_ID, value_of

NEEDED = ("run_id", "status", "arm")
"""Without these a row says nothing that could be compared."""

TABLE_COLUMNS = ("run_id", "status")
"""A file without these is no table of results."""

MISSING = "missing"

_INT64 = 2**63
_WHOLE = re.compile(r"([+-]?\d+)\.0+")  # what pandas writes of a column that has gaps
_DTYPES = {"float": "float64", "int": "Int64", "bool": "boolean", "str": "object", "json": "object"}
_BOOLS = {"true": True, "false": False, "True": True, "False": False, "": None}


def read_table(path: Path, problems: Problems) -> pd.DataFrame:
    """The rows of one file: every column of the schema with its type, then ``line``.

    int is Int64, float float64 (NaN: missing), bool boolean, str and json object (None: missing).
    Equal json cells share one object. What no column holds is kept in ``other_fields``. Columns
    of the schema that the file lacks are named in ``.attrs[MISSING]``.

    Raises:
        RecordError: the file cannot be read, is empty, or is no table of results.
    """
    with _collector_paused():
        return _read_table(path, problems)


def _read_table(path: Path, problems: Problems) -> pd.DataFrame:
    cells, numbers = read_cells(path, problems)
    _check_needed(path, cells)
    _note_schema(path, cells, problems)
    frame = pd.DataFrame(
        {
            name: pd.Series(
                _values(column, cells.get(name), numbers, path, problems),
                dtype=_DTYPES[column.type],
                index=range(len(numbers)),
            )
            for name, column in COLUMNS.items()
        }
    )
    frame["other_fields"] = _with_unknown(frame["other_fields"], cells, path, problems)
    frame["line"] = np.array(numbers, dtype=np.int64)
    frame = _identified(frame, path, problems)
    without_impossible(frame, path, problems)
    frame.attrs[MISSING] = frozenset(COLUMNS) - frozenset(cells)
    return frame


def _check_needed(path: Path, names: Iterable[str]) -> None:
    missing = [name for name in TABLE_COLUMNS if name not in names]
    if missing:
        nul = any("\0" in name for name in names)
        hint = " (it holds NUL bytes: if it is UTF-16, save it as UTF-8)" if nul else ""
        raise RecordError(
            f"{path}: no column '{missing[0]}', so this is no table of results{hint}; harness "
            "import makes one from another tool's file"
        )


def _note_schema(path: Path, cells: Mapping[str, Sequence[str]], problems: Problems) -> None:
    missing = [name for name in COLUMNS if name not in cells]
    if missing:
        some = ", ".join(missing[:4]) + (", …" if len(missing) > 4 else "")
        problems.add(
            f"{path}: schema",
            f"{path}: migrated from an older or partial table: {len(missing)} of {len(COLUMNS)} "
            f"columns are missing ({some}) and read as empty",
        )
    versions = {int(cell) for cell in set(cells.get("schema_version", ())) if cell.isdecimal()}
    for version in sorted(versions - {SCHEMA_VERSION}):
        problems.add(
            f"{path}: schema",
            f"{path}: holds rows of schema {version}, read as schema {SCHEMA_VERSION}: columns "
            "whose meaning has changed since may be misread",
        )


def _values(
    column: Column,
    cells: Sequence[str] | None,
    numbers: Sequence[int],
    path: Path,
    problems: Problems,
) -> list[Any]:
    """The typed values of a column, None where a cell is empty or wrong."""
    if cells is None or not any(cells):
        return [None] * len(numbers)
    try:
        return _all_sound(column, cells)
    except (ValueError, KeyError):
        pass
    values = []
    for number, cell in zip(numbers, cells, strict=True):
        try:
            value = _one(column, cell, f"{path}, line {number}")
        except RecordError as error:
            problems.add(f"{path}: column '{column.name}'", f"{error}; the cell is left empty")
            value = None
        values.append(value)
    return values


def _all_sound(column: Column, cells: Sequence[str]) -> list[Any]:
    """The values of a column in which every cell is right: 10,000 rows hold two million.

    Raises:
        ValueError, KeyError: one is not, or needs ``harness.row.value_of``.
    """
    if column.type in ("float", "int"):
        # One parse for the whole column. Cells that would end their place in the list (as "1,2")
        # change its length or its types.
        figures = orjson.loads(f"[{','.join([cell or 'null' for cell in cells])}]")
        types = {int, type(None)} if column.type == "int" else {float, int, type(None)}
        if len(figures) != len(cells) or figures.count(None) != cells.count(""):
            raise ValueError
        if not set(map(type, figures)) <= types:
            raise ValueError
        if column.type == "int" and any(one and one >= _INT64 for one in figures):
            raise ValueError
        return figures
    if column.type == "bool":
        return [_BOOLS[cell] for cell in cells]
    different = set(cells)
    if column.type == "json":
        parsed = {cell: orjson.loads(cell) for cell in different if cell}
        if not all(isinstance(value, dict | list) for value in parsed.values()):
            raise ValueError
        return [parsed.get(cell) for cell in cells]
    if any(cell.startswith("'") for cell in different):
        raise ValueError
    if column.choices and not different <= {"", *column.choices}:
        raise ValueError
    return [cell or None for cell in cells]


def _one(column: Column, cell: str, where: str) -> Any:
    """The value of one cell; None for an empty one.

    Raises:
        RecordError: it is not of the column's type.
    """
    if column.type == "int" and (whole := _WHOLE.fullmatch(cell)):
        cell = whole[1]
    value = value_of(column, cell, where)
    if column.type == "int" and value is not None and not -_INT64 <= value < _INT64:
        raise RecordError(f"{where}: column '{column.name}' holds int, not {cell[:60]!r}")
    if column.type == "json":
        try:
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{where}: column '{column.name}': {error}") from error
        return whole_text(value)
    return value


def _with_unknown(
    fields: pd.Series, cells: Mapping[str, Sequence[str]], path: Path, problems: Problems
) -> pd.Series:
    """``other_fields`` with the cells of columns that the schema does not know."""
    unknown = {name: column for name, column in cells.items() if name not in COLUMNS}
    unknown = {name: column for name, column in unknown.items() if any(column)}
    if not unknown:
        return fields
    for position, name in enumerate(unknown):
        near = suggestion(name, list(COLUMNS)) if position < SHOWN else ""
        problems.add(
            f"{path}: unknown columns",
            f"{path}: column {name[:60]!r} is unknown and kept in other_fields{near}",
        )
    merged = []
    for position, known in enumerate(fields):
        given = {
            name: value_of(Column(name, "str", "", "", ""), column[position], str(path))
            for name, column in unknown.items()
            if column[position]
        }
        old = known if isinstance(known, dict | None) else {"other_fields": known}
        merged.append({**(old or {}), **given} or None)
    return pd.Series(merged, dtype="object", index=fields.index)


def _identified(frame: pd.DataFrame, path: Path, problems: Problems) -> pd.DataFrame:
    """The rows that can be told apart and looked up; of rows with one run id, the last."""
    keep = np.ones(len(frame), dtype=bool)
    last: dict[str, int] = {}
    needed = zip(*(frame[name].tolist() for name in NEEDED), strict=True)
    lines = frame["line"].tolist()
    for position, (run_id, *others) in enumerate(needed):
        where = f"{path}, line {lines[position]}"
        given = zip(NEEDED, (run_id, *others), strict=True)
        empty = [name for name, value in given if value is None]
        if empty:
            keep[position] = False
            problems.add(f"{path}: no {empty[0]}", f"{where}: no {empty[0]}; the row is left out")
        elif not RUN_ID.fullmatch(run_id):
            keep[position] = False
            problems.add(
                f"{path}: run ids",
                f"{where}: run id {run_id[:60]!r} is no file name and could lead out of the "
                "folder; the row is left out",
            )
        elif (earlier := last.get(run_id)) is not None:
            keep[earlier] = False
            problems.add(
                f"{path}: repeated runs",
                f"{where}: run '{run_id}' stood in line {lines[earlier]} before; the last counts",
            )
        if keep[position]:
            last[run_id] = position
    return frame if keep.all() else frame[keep].reset_index(drop=True)


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    # Objects are made by the million and none is dropped: looking for garbage took a quarter of
    # the time.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
