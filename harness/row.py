"""A result row: its values checked when it is made, written as cells and read back from them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness.columns import COLUMNS, MEASURED_GROUPS, SCHEMA_VERSION, Column
from harness.errors import RecordError, suggestion
from harness.stats import Interval

Row = dict[str, Any]

REQUIRED = ("run_id", "experiment", "arm", "task", "model", "seed", "status")
# Counts and versions may be known although the run failed; measures may not.
KNOWN_WHEN_FAILED = ("n_test", "n_clusters", "metric_versions")
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

# A spreadsheet runs a cell that begins so as a formula (OWASP, "CSV Injection"). The quote that
# is put before it is itself quoted where text begins with it, so that reading restores the text.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r\n]")


def text_cell(value: str) -> str:
    """Text as it stands in a cell: a spreadsheet does not take it for a formula."""
    return f"'{value}" if _FORMULA.match(value) else value


def new_row(**values: Any) -> Row:
    """A checked row, columns in the schema's order, those not given None.

    ``schema_version`` is filled in, and ``created_at`` with the time now (UTC) unless given. Empty
    text becomes None; a NumPy or torch scalar becomes a Python number.

    Raises:
        RecordError: an unknown column, a wrong type, a NaN or infinite number, a required column
            left out, a failed row with measures or without an error.
    """
    for name in values:
        if name not in COLUMNS:
            raise RecordError(f"no column '{name}' in the record{suggestion(name, list(COLUMNS))}")
    given = {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **values,
        "schema_version": SCHEMA_VERSION,
    }
    row = {name: _checked(column, given.get(name)) for name, column in COLUMNS.items()}
    # Another tool's file may not say its seed; a run of ours always does.
    optional = ("seed",) if row["source"] else ()
    missing = [name for name in REQUIRED if row[name] is None and name not in optional]
    if missing:
        raise RecordError(f"a row needs a value for {', '.join(missing)}")
    checked_run_id(row["run_id"])
    _check_status(row)
    return row


def interval_cells(name: str, interval: Interval | None) -> dict[str, float | None]:
    """The cells of a measure and its interval: name, name_low and name_high; all None for None."""
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """The text of each cell of a row from ``new_row``, in the schema's order."""
    return [to_cell(column, row[name]) for name, column in COLUMNS.items()]


def value_of(column: Column, cell: str, where: str) -> Any:
    """The typed value of a cell; None for an empty one. ``where`` begins the error message."""
    if cell == "":
        return None
    try:
        if column.type == "int":
            return int(cell)
        if column.type == "float":
            value = float(cell)
            if not math.isfinite(value):
                raise ValueError(cell)
            return value
        if column.type == "bool":
            return {"true": True, "false": False}[cell.lower()]
        if column.type == "json":
            value = json.loads(cell)
            if not isinstance(value, dict | list):
                raise ValueError(cell)
            return value
    except (ValueError, KeyError, RecursionError) as error:
        raise RecordError(
            f"{where}: column '{column.name}' holds {column.type}, not {cell[:60]!r}"
        ) from error
    text = restored(cell)
    if column.choices and text not in column.choices:
        raise RecordError(
            f"{where}: column '{column.name}' is {text[:60]!r}, not one of "
            f"{', '.join(column.choices)}"
        )
    return text


def restored(cell: str) -> str:
    """The text that ``text_cell`` made a cell of."""
    return cell[1:] if _QUOTED_FORMULA.match(cell) else cell


def checked_run_id(run_id: str) -> str:
    """The run id, if it is safe as a file name.

    Raises:
        RecordError: it could lead out of its folder, or is empty or too long.
    """
    if not RUN_ID.fullmatch(run_id):
        raise RecordError(
            f"run id '{run_id}' is no file name: use letters, digits, '.', '_' and '-', "
            "200 at most, a letter or digit first"
        )
    return run_id


def _checked(column: Column, value: Any) -> Any:
    if getattr(value, "ndim", None) == 0:  # a NumPy or torch scalar
        value = value.item()
    if value is None or value == "":
        return None
    kind, name = column.type, column.name
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    wanted = {"str": str, "int": int, "float": float, "bool": bool, "json": (dict, list, tuple)}
    wrong = not isinstance(value, wanted[kind])  # type: ignore[arg-type]
    if wrong or (kind == "int" and isinstance(value, bool)):
        raise RecordError(
            f"column '{name}' holds {kind}, not {type(value).__name__} ({str(value)[:60]!r})"
        )
    if kind == "float" and not math.isfinite(value):
        raise RecordError(f"column '{name}' is {value}: leave it out where there is no figure")
    if column.choices and value not in column.choices:
        raise RecordError(
            f"column '{name}' is '{value}': choose from {', '.join(column.choices)}"
            + suggestion(value, list(column.choices))
        )
    if kind == "str":
        # A file name that is not UTF-8 may stand in an error message; the row must be kept.
        return value.encode("utf-8", "backslashreplace").decode()
    if kind == "json":
        return json.loads(_to_json(name, value))
    return value


def _check_status(row: Row) -> None:
    if row["status"] == "ok":
        if row["error"] is not None:
            raise RecordError("a row with status 'ok' has an error: make it 'failed', or drop it")
        return
    if row["error"] is None:
        raise RecordError("a row with status 'failed' needs an error that says why")
    for name, column in COLUMNS.items():
        measured = column.group in MEASURED_GROUPS and name not in KNOWN_WHEN_FAILED
        if measured and row[name] is not None:
            raise RecordError(f"a failed row has no measures, but '{name}' is given")


def _to_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecordError(f"column '{name}' cannot be written as JSON: {error}") from error


def to_cell(column: Column, value: Any) -> str:
    """The text of a cell; empty for None."""
    if value is None:
        return ""
    if column.type == "str":
        return text_cell(value)
    if column.type == "bool":
        return "true" if value else "false"
    if column.type == "json":
        return _to_json(column.name, value)
    return repr(value)  # shortest text that reads back as the same number
