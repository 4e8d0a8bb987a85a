"""A comparison on a terminal: words are folded until a table fits, figures are never cut."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from harness.compare.render.grid import Grid, Section
from harness.compare.result import BETTER, WORSE

NARROWEST_WORDS = 11
"""Columns of words are not folded below this, or the longest piece in them."""

STYLES = {BETTER: "green", WORSE: "red"}
"""Colour repeats what the word says."""

KEPT_WHOLE = 16
"""Words up to this length are not broken."""

_PARTS = re.compile(r"[^_/]{0,15}[_/]|[^_/]{1,16}")
"""Longer ones are broken after _ and /, or where they must."""

Lines = Sequence[Sequence[str]]


def to_terminal(sections: Sequence[Section], width: int, colour: bool) -> str:
    """The sections as text for a terminal of so many columns."""
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=colour, highlight=False, emoji=False, markup=False
    )
    for section in sections:
        console.print(Text(f"\n{section.title}", "bold"))
        for line in section.text:
            _print_folded(console, line, width)
        for grid in section.grids:
            _print_grid(console, grid, width)
    lines = stream.getvalue().lstrip("\n").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, long words broken after _ and /."""
    lines = [""]
    for piece in _pieces(text):
        if cell_len((lines[-1] + piece).rstrip()) <= width:
            lines[-1] += piece
        elif piece.strip():
            lines.append(piece)
    return [line.strip() for line in lines if line.strip()] or [""]


def _pieces(text: str) -> list[str]:
    """What is kept on one line: words with the spaces after them, or parts of long ones."""
    pieces = []
    for word in re.findall(r"[^ ]+ *| +", text):
        pieces += _PARTS.findall(word) if len(word.strip()) > KEPT_WHOLE else [word]
    return pieces


def _print_folded(console: Console, text: str, width: int) -> None:
    """A sentence, its further lines indented."""
    console.print(Text("\n  ".join(folded(text, width - 2))))


def _print_grid(console: Console, grid: Grid, width: int) -> None:
    if grid.title:
        console.print(Text(f"\n{grid.title}", "bold cyan"))
    broken = (grid.headings, *grid.lines)
    whole = [[cell.replace("\n", " ") for cell in line] for line in broken]
    for rows, narrowest, gap in ((whole, 20, 2), (broken, 14, 2), (broken, NARROWEST_WORDS, 1)):
        widths = _widths(rows, grid.words, width - gap * (len(grid.headings) - 1), narrowest)
        if widths is not None:
            _print_table(console, rows, widths, grid.words, gap)
            break
    else:
        _print_cards(console, whole, width)
    for note in grid.notes:
        _print_folded(console, note, width)


def _widths(rows: Lines, words: frozenset[int], room: int, narrowest: int) -> list[int] | None:
    """Widths that fit the room, the widest column of words narrowed first; None if none do."""
    columns = list(zip(*rows, strict=True))
    widths = [
        max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns
    ]
    least = [
        min(width, max(narrowest, _longest_piece(column))) if number in words else width
        for number, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        spare = [number for number in words if widths[number] > least[number]]
        widths[max(spare, key=lambda number: widths[number])] -= 1
    return widths


def _longest_piece(cells: Sequence[str]) -> int:
    return max(cell_len(piece.strip()) for cell in cells for piece in _pieces(cell) or [""])


def _print_table(
    console: Console, rows: Lines, widths: Sequence[int], words: frozenset[int], gap: int
) -> None:
    cells = [
        [
            "\n".join(folded(cell, widths[number])) if number in words else cell
            for number, cell in enumerate(row)
        ]
        for row in rows
    ]
    tall = any(cell.count("\n") > 1 for row in cells[1:] for cell in row)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        leading=int(tall),
    )
    for number, heading in enumerate(cells[0]):
        side: JustifyMethod = "left" if number in words else "right"
        table.add_column(Text(heading), justify=side, no_wrap=True, vertical="top")
    for row in cells[1:]:
        table.add_row(*(Text(cell, STYLES.get(cell.split(" ")[0], "")) for cell in row))
    console.print(table)


def _print_cards(console: Console, rows: Lines, width: int) -> None:
    """Each line of a table as a list of its cells, where even folded the table does not fit."""
    headings, *lines = rows
    for line in lines:
        for heading, cell in zip(headings, line, strict=True):
            if cell:
                _print_folded(console, f"{heading}: {cell}", width)
        console.print()
