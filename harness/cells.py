"""The cells of a CSV file, by column: rows that do not fit its header are left out and named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path

from harness.errors import RecordError
from harness.foreign import Problems, text_of, utf8_lines

_STARTS_AGAIN = 100  # times after a stray quote; without an end, a hostile file takes hours


def read_cells(path: Path, problems: Problems) -> tuple[dict[str, Sequence[str]], list[int]]:
    """Name of each column to its cells, and the line where each row begins.

    Raises:
        RecordError: the file cannot be read, or has no header.
    """
    lines = _text_lines(path, problems)
    csv.field_size_limit(2**31 - 1)  # as in harness.record
    header: list[str] | None = None
    numbers, rows = [], []
    start, again = 0, 0
    while start < len(lines):
        reader, first = csv.reader(iter(lines[start:])), start
        start = len(lines)
        before = 0
        for cells in reader:
            number, before = first + before + 1, reader.line_num
            if header is None and cells:
                header = _checked_header(path, cells, problems)
            elif header is not None and len(cells) == len(header):
                numbers.append(number)
                rows.append(cells)
            elif header is not None and cells:
                problems.add(
                    f"{path}: ragged rows",
                    f"{path}, line {number}: {len(cells)} cells where the header has "
                    f"{len(header)}; the row is left out",
                )
                if first + before > number and again < _STARTS_AGAIN:
                    # A quote that is not closed swallows the lines below: read those by themselves.
                    start, again = number, again + 1
                    break
    if header is None:
        raise RecordError(f"{path} is empty: it has no header")
    columns: Iterable[Sequence[str]] = zip(*rows, strict=True) if rows else repeat((), len(header))
    return dict(zip(header, columns, strict=True)), numbers


def _text_lines(path: Path, problems: Problems) -> list[str]:
    """The lines as the csv module counts them: a lone carriage return ends one, too."""
    lines: list[str] = []
    for number, raw in enumerate(utf8_lines(path), start=1):
        text, utf8 = text_of(raw)
        lines.extend(io.StringIO(text, newline="") if "\r" in text else (text,))
        if not utf8:
            problems.add(
                f"{path}: not UTF-8", f"{path}, line {number}: not UTF-8; read as Windows-1252"
            )
    return lines


def _checked_header(path: Path, cells: Sequence[str], problems: Problems) -> list[str]:
    """The names of the columns, each once."""
    names: dict[str, None] = {}
    for position, cell in enumerate(cells, start=1):
        name = cell.strip() or f"column {position}"
        if name in names:
            problems.add(
                f"{path}: header",
                f"{path}: column {name[:60]!r} stands twice in the header; the first counts, the "
                "other is kept in other_fields",
            )
        while name in names:
            name = f"{name} (column {position})"
        names[name] = None
    return list(names)
