"""A table before it is drawn, as page and Markdown both read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.report.text import visible

# An underscore within a word is only an underscore.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|#~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        detail: a second, smaller line: an interval, the seeds.
        kind: "better", "worse" or another word that the page gives a look of its own.
        link: where the first cell of a row leads in HTML; "" nowhere.
    """

    text: str
    detail: str = ""
    kind: str = ""
    link: str = ""


@dataclass(frozen=True)
class Heading:
    """A column's heading with the unit of its figures; ``number`` aligns it to the right."""

    label: str
    unit: str = ""
    number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows under headings. The first cell of each row names the row."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


def markdown(table: Table, level: int = 3) -> str:
    """The table as Markdown, headed by its title, notes as a list below it."""
    titles = [f"{h.label} ({h.unit})" if h.unit else h.label for h in table.headings]
    ruler = ["---:" if heading.number else "---" for heading in table.headings]
    lines = [f"{'#' * level} {plain(table.title)}"]
    if table.rows:
        lines += ["", _line([plain(title) for title in titles]), _line(ruler)]
    for row in table.rows:
        cells = [f"{cell.text} ({cell.detail})" if cell.detail else cell.text for cell in row]
        lines.append(_line([plain(cell) for cell in cells]))
    if table.notes:
        lines += ["", *(f"- {plain(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text on one line in which Markdown and HTML find nothing to act on."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(visible(text).split()))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
