"""The sheet that people fill in: a CSV file that says nothing of arms, models and measures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.foreign import text_of, utf8_lines
from harness.label.draw import Item
from harness.record import replacing
from harness.row import restored, text_cell

COLUMNS = ("item", "question", "gold", "answer", "correct", "comment")
NEEDED = ("item", "correct")
VERDICTS: dict[str, bool | None] = {"yes": True, "no": False, "unsure": None}
NO_GOLD = "(the question has no answer: to say so, or nothing, is correct)"
LONGEST_CELL = 10_000_000
"""Python's reader stops at 131,072 characters; a sheet with passages may hold longer cells."""


@dataclass(frozen=True)
class Label:
    """What a person wrote on one line of a sheet.

    Attributes:
        line: of the file, from 1, where the item begins.
        given: whether a verdict is there at all.
        correct: the verdict; None where it is "unsure" or not given.
    """

    item: str
    line: int
    given: bool
    correct: bool | None
    comment: str


def check_new(path: Path) -> None:
    """Check that a sheet can be written to ``path``.

    Raises:
        DataError: something is there already, which may be somebody's work.
    """
    if path.exists():
        raise DataError(f"{path} is there already and may hold labels; name another file")


def write_sheet(path: Path, items: Sequence[Item], passages: bool) -> None:
    """Write the items to ``path``, in their order, with empty cells for verdict and comment.

    Raises:
        DataError: as ``check_new``.
        RecordError: it cannot be written.
    """
    check_new(path)
    names = [*COLUMNS[:4], *(["passages"] if passages else []), *COLUMNS[4:]]
    with replacing(path) as file:
        file.write("\ufeff")  # without it, Excel takes the file for Windows-1252
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(names)
        for item in items:
            shown = item.shown
            cells = {
                "item": item.name,
                "question": shown.question,
                "gold": " | ".join(shown.gold) or NO_GOLD,
                "answer": shown.answer,
                "passages": shown.passages,
            }
            writer.writerow([text_cell(cells.get(name, "")) for name in names])


def read_sheet(path: Path) -> list[Label]:
    """The labels of a sheet, as people or their spreadsheets saved it.

    Commas, semicolons or tabs; UTF-8, UTF-16 or Windows-1252; other columns may be gone or added.

    Raises:
        DataError: the file is empty, lacks a column, holds an item twice or a verdict that is
            none, or no verdict at all; with the line.
        RecordError: it cannot be read.
    """
    text = "".join(text_of(raw)[0] for raw in utf8_lines(path))
    if not text.strip():
        raise DataError(f"{path} is empty; it should be a sheet from harness label export")
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text))
    labels: dict[str, Label] = {}
    names: list[str] = []
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip().lower() for cell in cells]
                continue
            label = _label(path, begins, dict(zip(names, cells, strict=False)))
            if label.item in labels:
                raise DataError(
                    f"{path}, line {begins}: item '{label.item}' stood in line "
                    f"{labels[label.item].line}; leave one of the two"
                )
            labels[label.item] = label
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: no CSV ({error})") from error
    if not any(label.given for label in labels.values()):
        raise DataError(
            f"{path}: no item is labelled; write {', '.join(VERDICTS)} into column 'correct'"
        )
    return list(labels.values())


def _delimiter(path: Path, text: str) -> str:
    """What stands between the names of the columns."""
    header = next(line for line in text.splitlines() if line.strip())
    for delimiter in (",", ";", "\t"):
        names = [name.strip().strip('"').lower() for name in header.split(delimiter)]
        if all(name in names for name in NEEDED):
            return delimiter
    raise DataError(
        f"{path}: the first line should name the columns {', '.join(COLUMNS)}; "
        f"{' and '.join(NEEDED)} are needed, it is: {header[:80]!r}"
    )


def _label(path: Path, line: int, cells: dict[str, str]) -> Label:
    item, wrote = cells.get("item", "").strip(), cells.get("correct", "").strip()
    if not item:
        raise DataError(
            f"{path}, line {line}: column 'item' is empty; it says which answer this is"
        )
    if wrote and wrote.lower() not in VERDICTS:
        raise DataError(
            f"{path}, line {line}: column 'correct' is {wrote[:40]!r}; it is one of "
            f"{', '.join(VERDICTS)}, or empty"
        )
    comment = restored(cells.get("comment", ""))
    return Label(item, line, bool(wrote), VERDICTS.get(wrote.lower()), comment)
