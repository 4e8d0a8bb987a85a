"""The report as Markdown, with its figures as SVG files beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.report.answer import Answer
from harness.report.drawing import Figure
from harness.report.gather import ReportData
from harness.report.sections import Section
from harness.report.tables import markdown, plain

FIGURES = "figures"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def render(data: ReportData, answer: Answer, sections: Sequence[Section]) -> str:
    """The text of report.md, which names its figures as figures/<name>.svg."""
    parts = [f"# {plain(answer.question)}\n", f"{plain(answer.text)}\n"]
    parts.append(
        f"{plain(data.title)}. In brackets: the difference and its interval, at the level at "
        "which Holm's procedure tested it.\n"
    )
    for section in sections:
        parts.append(f"## {plain(section.title)}\n")
        parts += [f"{plain(line)}\n" for line in section.lines]
        charts = [_figure(figure) for figure in section.figures]
        tables = [markdown(table) for table in section.tables]
        parts += [*tables, *charts] if section.tables_first else [*charts, *tables]
        if section.problems:
            parts.append("### Problems\n")
            parts.append("".join(f"- {plain(line)}\n" for line in section.problems))
    return "\n".join(parts)


def file_name(figure: Figure) -> str:
    """The figure's file name, without a folder.

    Raises:
        ValueError: its name could lead elsewhere.
    """
    if not _NAME.fullmatch(figure.name):
        raise ValueError(f"'{figure.name[:80]}' is no file name for a figure")
    return f"{figure.name}.svg"


def _figure(figure: Figure) -> str:
    return (
        f"![{plain(figure.alt)}]({FIGURES}/{file_name(figure)})\n\n"
        f"*{plain(figure.title)}.* {plain(figure.caption)}\n"
    )
