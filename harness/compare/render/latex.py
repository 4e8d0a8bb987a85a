"""A comparison as LaTeX tables that need the booktabs package alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.compare.render.grid import Grid, Section

ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "#": r"\#",
        "$": r"\$",
        "%": r"\%",
        "&": r"\&",
        "_": r"\_\allowbreak{}",  # long names of measures may be broken here
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # After \\ these would be read as its arguments.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "\N{NO-BREAK SPACE}": "~",
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "→": r"$\rightarrow$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "α": r"$\alpha$",
        "µ": r"$\mu$",
        "–": "--",
        "…": r"\dots{}",
        "�": "?",
    }
)

WORD_WIDTH = 0.17
"""Width of a column of words, as a share of the line."""

FLOATS = 15
"""Tables after which a page is begun: LaTeX holds back so many and no more."""

PREAMBLE = (
    "% Needs \\usepackage{booktabs}; names in other scripts need XeLaTeX or LuaLaTeX and a font."
)


def to_latex(sections: Sequence[Section]) -> str:
    """A table environment for each table, after the sentences of its section."""
    lines, tables = [PREAMBLE], 0
    for section in sections:
        lines.append(rf"\paragraph{{{escaped(section.title)}}}")
        lines += [rf"{escaped(line)}\par" for line in section.text]
        for grid in section.grids:
            tables += 1
            lines.append(_table(grid, section.title))
            lines += [r"\clearpage"] if tables % FLOATS == 0 else []
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text on one line, as LaTeX prints it."""
    return re.sub(r"[ \n]+", " ", text).translate(ESCAPES)


def _table(grid: Grid, section: str) -> str:
    columns = "".join(
        rf"p{{{WORD_WIDTH}\linewidth}}" if column in grid.words else "r"
        for column in range(len(grid.headings))
    )
    caption = f"{section}: {grid.title}" if grid.title else section
    lines = [
        r"\begin{table}[ht]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escaped(caption)}}}\smallskip",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _row(grid.headings, grid.words, "b"),
        r"\midrule",
        "\n\\addlinespace\n".join(_row(line, grid.words, "t") for line in grid.lines),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip\raggedright {escaped(note)}" for note in grid.notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str], words: frozenset[int], side: str) -> str:
    found = [
        rf"\raggedright {escaped(cell)}" if column in words else _stacked(cell, side)
        for column, cell in enumerate(cells)
    ]
    # \raggedright redefines \\, so the end of the row has its long name.
    return " & ".join(found) + r" \tabularnewline"


def _stacked(cell: str, side: str) -> str:
    """A figure, folded where the cell says that it may be; ``side`` is where it is aligned."""
    lines = [escaped(line) for line in cell.split("\n")]
    stack = r" \\ ".join(lines)
    if len(lines) == 1:
        return stack
    return rf"\begin{{tabular}}[{side}]{{@{{}}r@{{}}}}{stack}\end{{tabular}}"
