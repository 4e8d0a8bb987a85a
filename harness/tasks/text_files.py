"""Reading users' text, JSONL and CSV files: every fault is one line with file and line number."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, suggestion

LONGEST_FIELD = 50_000_000  # characters; the csv module stops at 131,072 by default


@dataclass(frozen=True)
class Row:
    """One row of a file: its values by column, and where it stands ("my.csv line 3")."""

    where: str
    line: int
    values: dict[str, Any]


def read_text(path: Path) -> str:
    """The file's text; a UTF-8 byte-order mark is dropped.

    Raises:
        DataError: missing, unreadable, or not UTF-8 (named by line and byte).
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path} is UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # error.object has lost a byte-order mark, if there was one
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path} line {line}: byte {error.object[error.start]:#04x} at offset "
            f"{error.start + len(raw) - len(error.object)} is not UTF-8; save the file as UTF-8"
        ) from error


def read_rows(path: Path) -> list[Row]:
    """The rows of a .jsonl or .csv file, in order.

    Raises:
        DataError: another kind of file, no rows, or a malformed row.
    """
    kind = path.suffix.lower()
    if kind not in (".jsonl", ".csv"):
        raise DataError(f"{path}: expected a .csv or .jsonl file, not '{kind or 'no suffix'}'")
    text = read_text(path)
    rows = _jsonl_rows(path, text) if kind == ".jsonl" else _csv_rows(path, text)
    if not rows:
        raise DataError(f"{path} is empty: it needs at least one row")
    return rows


def _jsonl_rows(path: Path, text: str) -> list[Row]:
    rows = []
    # not splitlines(): JSON strings may hold U+2028 and other characters that it breaks at
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON ({error}); each line is one object") from error
        if not isinstance(value, dict):
            raise DataError(f"{where}: expected an object, found {type(value).__name__}")
        rows.append(Row(where, number, value))
    return rows


def _csv_rows(path: Path, text: str) -> list[Row]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows = []
    line = 1
    try:
        for fields in reader:
            start, line = line, reader.line_num + 1  # a quoted field may span lines
            if not any(field.strip() for field in fields):
                continue
            where = f"{path} line {start}"
            if not header:
                header = _csv_header(where, fields)
            elif len(fields) != len(header):
                raise DataError(
                    f"{where}: {len(fields)} fields, but the header has {len(header)}; "
                    "put a field that holds a comma into double quotes"
                )
            else:
                rows.append(Row(where, start, dict(zip(header, fields, strict=True))))
    except csv.Error as error:
        raise DataError(f"{path} line {line}: not CSV ({error})") from error
    return rows


def _csv_header(where: str, fields: list[str]) -> list[str]:
    header = [field.strip() for field in fields]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise DataError(
            f"{where}: the columns are not separated by commas; save it as CSV with ','"
        )
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(f"{where}: column '{min(twice)}' appears twice")
    return header


def check_columns(rows: Sequence[Row], known: Sequence[str], path: Path) -> list[str]:
    """The columns that are not ``known``, which are left unread.

    Raises:
        DataError: a column looks like a misspelt known one.
    """
    extra: list[str] = []
    for row in rows:
        for column in row.values:
            if column in known or column in extra:
                continue
            hint = suggestion(column.strip().lower(), list(known))
            if hint:
                raise DataError(
                    f"{path}: unknown column '{column}'{hint} Known: {', '.join(known)}"
                )
            extra.append(column)
    return extra
