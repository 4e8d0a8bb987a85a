"""A comparison as Markdown, with text from files shown as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.compare.render.grid import Grid, Section

_SPECIAL = re.compile(r"[\\`*|~]|<(?=[A-Za-z/!?])|&(?=[#\w])|(?<=\])(?=\()|(?<!\w)_|_(?!\w)")
"""What Markdown or HTML reads as more than text; underscores within a word are text."""


def to_markdown(sections: Sequence[Section]) -> str:
    """The sections as headings, paragraphs and pipe tables."""
    return "\n".join(_section(section) for section in sections)


def escaped(text: str) -> str:
    """The text on one line, its special characters behind backslashes."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", " ".join(text.split()))


def _section(section: Section) -> str:
    # Hard breaks would be lost in a paragraph: one sentence an item.
    listed = section.text if len(section.text) == 1 else [f"- {line}" for line in section.text]
    blocks = [f"## {escaped(section.title)}", *(["\n".join(map(_line, listed))] if listed else [])]
    blocks += [block for grid in section.grids for block in _grid(grid)]
    return "\n\n".join(blocks) + "\n"


def _line(text: str) -> str:
    return f"- {escaped(text[2:])}" if text.startswith("- ") else escaped(text)


def _grid(grid: Grid) -> list[str]:
    rows = [[escaped(cell) for cell in line] for line in (grid.headings, *grid.lines)]
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(grid.headings))]
    ruler = [
        "-" * width if column in grid.words else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    lines = [
        "| " + " | ".join(_padded(row, widths, grid.words)) + " |"
        for row in (rows[0], ruler, *rows[1:])
    ]
    title = [f"### {escaped(grid.title)}"] if grid.title else []
    notes = ["\n".join(f"- {escaped(note)}" for note in grid.notes)] if grid.notes else []
    return [*title, "\n".join(lines), *notes]


def _padded(row: Sequence[str], widths: Sequence[int], words: frozenset[int]) -> list[str]:
    return [
        cell.ljust(width) if column in words else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
