"""The parts of a report in reading order, as page and Markdown both show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.breakdown import (
    forgetting_table,
    phases_table,
    popularity_table,
    retrieval_table,
)
from harness.report.contrasts import bucket_tables, contrast_tables
from harness.report.drawing import Figure
from harness.report.gather import ReportData
from harness.report.headline import headline
from harness.report.money import money_lines
from harness.report.money_tables import money_tables
from harness.report.provenance import problems, provenance_tables
from harness.report.readings import MONEY
from harness.report.tables import Table
from harness.report.text import one_line

if TYPE_CHECKING:
    from harness.economics.study import Study


@dataclass(frozen=True)
class Section:
    """One part: lines of text, charts and tables, and what went wrong."""

    id: str
    title: str
    lines: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    problems: tuple[str, ...] = ()
    tables_first: bool = False


IN_PAGE = "What each arm answered, and what it was given to read: the list is in report.html."
NOT_LISTED = "No predictions were kept, so no question can be listed."

NO_MONEY = "What an arm costs in money is not recorded: no run was priced at an endpoint."

_CHARTS = {
    "contrasts": "contrasts",
    "pareto": "pareto",
    "money": "money",
    "forgetting": "forgetting",
    "popularity": "popularity",
    "phase": "phases",
    "time": "phases",
    "energy": "phases",
    "retrieval": "retrieval",
}
"""How the name of a chart begins -> where it stands; all others under the first table."""


def sections(
    data: ReportData,
    figures: Sequence[Figure],
    listed: bool = False,
    account: Study | None = None,
) -> list[Section]:
    """The sections that have something in them.

    Args:
        listed: whether the page lists questions.
        account: what the arms took in tokens, money and carbon.
    """
    charts = _placed(figures)
    found = [
        Section(
            "headline",
            "Accuracy, forgetting, cost",
            figures=charts("headline"),
            tables=(headline(data),),
            tables_first=True,
        ),
        Section(
            "contrasts",
            "What was tested",
            _contrast_lines(data),
            figures=charts("contrasts"),
            tables=tuple(contrast_tables(data.comparison)),
        ),
        Section("pareto", "What accuracy costs", _unpriced(data, charts), charts("pareto")),
        Section(
            "forgetting",
            "Forgetting by probe",
            figures=charts("forgetting"),
            tables=_tables(forgetting_table(data)),
        ),
        Section(
            "popularity",
            "Accuracy by popularity",
            figures=charts("popularity"),
            tables=(*_tables(popularity_table(data)), *bucket_tables(data.comparison)),
        ),
        Section(
            "phases",
            "Where time and energy went",
            figures=charts("phases"),
            tables=_tables(phases_table(data)),
        ),
        _money(account, charts("money")),
        Section(
            "retrieval",
            "Retrieval quality",
            figures=charts("retrieval"),
            tables=_tables(retrieval_table(data)),
        ),
        Section("explorer", "Question by question", (IN_PAGE if listed else NOT_LISTED,)),
        Section(
            "provenance",
            "Provenance",
            tables=tuple(provenance_tables(data)),
            problems=tuple(problems(data)),
        ),
    ]
    return [part for part in found if part.lines or part.figures or part.tables or part.problems]


def placed(part: Section | None, parts: Sequence[Section], after: str) -> list[Section]:
    """The sections with ``part``, if there is one, behind the section ``after``, or at the end."""
    if part is None:
        return list(parts)
    at = next((n for n, one in enumerate(parts, start=1) if one.id == after), len(parts))
    return [*parts[:at], part, *parts[at:]]


def _contrast_lines(data: ReportData) -> tuple[str, ...]:
    """What a reader must know of contrasts; those that share a remark are named together."""
    remarks: dict[str, list[str]] = {}
    for contrast in data.comparison.contrasts:
        if contrast.refused:
            remarks.setdefault(f"cannot be compared: {contrast.refused}", []).append(contrast.name)
        for mark in contrast.marks:
            remarks.setdefault(mark, []).append(contrast.name)
    lines = [
        f"{', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}: "
        f"{one_line(remark, 500)}."
        for remark, names in remarks.items()
    ]
    return tuple(lines) or ("Differences are arm − baseline.",)


def _money(account: Study | None, drawn: tuple[Figure, ...]) -> Section:
    """Empty where the rows hold nothing that costs."""
    tables = () if account is None else tuple(money_tables(account))
    lines = money_lines(account) if account is not None and tables else ()
    return Section("money", "Money and carbon", lines, drawn, tables)


def _unpriced(data: ReportData, charts: Callable[[str], tuple[Figure, ...]]) -> tuple[str, ...]:
    """That money is not drawn, where other costs are."""
    drawn = charts("pareto")
    if not drawn or charts("money") or any(f"_{MONEY}_" in figure.name for figure in drawn):
        return ()
    paid = [arm.label for arm in data.arms if arm.values(MONEY)]
    if not paid:
        return (NO_MONEY,)
    return (f"Money is recorded of {one_line(', '.join(paid), 200)} alone, so it is not drawn.",)


def _placed(figures: Sequence[Figure]) -> Callable[[str], tuple[Figure, ...]]:
    """Section -> its charts."""
    places: dict[str, list[Figure]] = {}
    for figure in figures:
        place = next((to for start, to in _CHARTS.items() if figure.name.startswith(start)), None)
        places.setdefault(place or "headline", []).append(figure)
    return lambda section: tuple(places.get(section, ()))


def _tables(table: Table | None) -> tuple[Table, ...]:
    return (table,) if table else ()
