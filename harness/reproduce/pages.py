"""The pages of a reproduction: one a paper, in HTML and Markdown, and one of all claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.report.answer import Answer
from harness.report.markdown import FIGURES, file_name
from harness.report.sections import Section
from harness.report.tables import Cell, Heading, Table, markdown, plain
from harness.reproduce.charts import paper_figures
from harness.reproduce.claims import WITHIN, Claims
from harness.reproduce.paper import Paper, Scale, TableSpec
from harness.reproduce.reading import Reading
from harness.reproduce.tables import CLAIM_HEADINGS, OTHER, claim_row, claims_table, paper_table
from harness.reproduce.verdict import CONFIRMED, NOT_JUDGED, NOT_SHOWN, REFUTED, Verdict
from harness.reproduce.volume_page import volumes_figure, volumes_table

PAGE = "reproduction"


def paper_sections(
    paper: Paper,
    scale: Scale,
    reading: Reading,
    verdicts: Sequence[Verdict],
    table: TableSpec | None = None,
    more: Sequence[str] = (),
) -> list[Section]:
    """The parts of a paper's page; of one table alone, if it is named."""
    run = {name for stage in scale.stages for name in stage.tables}
    tables = [one for one in paper.tables if one.id in run] if table is None else [table]
    stages = None if table is None else {cell.ours.stage for cell in table.cells}
    volumes, drawn = volumes_table(verdicts, paper.claims.level), volumes_figure(verdicts)
    study = paper.kind == "study"
    return [
        Section(
            "claims",
            "What is claimed" if study else "What the paper claims",
            _about(paper, scale, more),
            tables=(claims_table(verdicts),),
        ),
        Section(
            "paper",
            "Measured and predicted" if study else "The paper's tables and figures",
            figures=(*paper_figures(paper, reading, stages), *([drawn] if drawn else [])),
            tables=(
                *(paper_table(one, reading, scale.other) for one in tables),
                *([volumes] if volumes else []),
            ),
            problems=tuple(reading.problems),
            tables_first=True,
        ),
    ]


def _about(paper: Paper, scale: Scale, more: Sequence[str]) -> tuple[str, ...]:
    claims = paper.claims
    whose = "The paper's own models and data."
    if paper.kind == "study":
        whose = "A study of formulas that this harness derives: nothing is published beside it."
    elif scale.other:
        whose = f"{OTHER.capitalize()}: direction and size of effects, not levels."
    lines = [
        f"Scale {scale.name}: {scale.note}. {whose}",
        f"Seeds: {scale.seeds}.",
        f"Each of {claims.tests} tested claims has an interval at {100 * (1 - claims.level):.4g} % "
        f"({claims.alpha:g} / {claims.tests}, Bonferroni). {_judged(claims)}",
    ]
    if more:
        lines.append(f"Run with other settings than the paper's folder says: {' '.join(more)}.")
    return tuple(lines)


def _judged(claims: Claims) -> str:
    """What the verdicts mean, for the kinds of claim that there are."""
    tested = [one for one in claims.claims if one.contrast is not None]
    kinds = {one.direction == WITHIN for one in tested}
    said = []
    if kinds != {True}:
        said.append(
            "Confirmed: it lies wholly beyond the least effect, in the claimed direction; refuted: "
            "wholly short of it; else not shown. Direction, least effect and test were written in "
            "claims.yaml before the runs."
        )
    if True in kinds:
        said.append(
            "Of a formula, confirmed: the interval of measured / predicted lies wholly within the "
            "factor that the claim allows; refuted: wholly outside; else not shown. The factor was "
            "written in claims.yaml before the runs."
        )
    return " ".join(said)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many claims were confirmed, refuted, not shown."""
    counts = Counter(one.verdict for one in verdicts)
    order = (CONFIRMED, REFUTED, NOT_SHOWN, NOT_JUDGED)
    said = [f"{counts[name]} {name}" for name in order if counts[name]]
    return f"{len(verdicts)} claims: {', '.join(said) or 'none'}."


def as_markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page as Markdown; figures are named as figures/<name>.svg."""
    parts = [f"# {plain(title)}\n", f"{plain(lead)}\n"]
    for section in sections:
        parts.append(f"## {plain(section.title)}\n")
        parts += [f"{plain(line)}\n" for line in section.lines]
        parts += [markdown(table) for table in section.tables]
        parts += [
            f"![{plain(figure.alt)}]({FIGURES}/{file_name(figure)})\n\n"
            f"*{plain(figure.title)}.* {plain(figure.caption)}\n"
            for figure in section.figures
        ]
        if section.problems:
            parts.append("### Problems\n")
            parts.append("".join(f"- {plain(line)}\n" for line in section.problems))
    return "\n".join(parts)


def as_html(folder: Path, title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page as HTML: these sections, then the report of the runs in ``folder``."""
    from harness.compare.options import Options
    from harness.report import page
    from harness.report.explorer import explorer
    from harness.report.figures import figures
    from harness.report.gather import gather
    from harness.report.sections import sections as of_report

    data = gather([folder], Options(), title)
    listed = explorer(data)
    own = of_report(data, figures(data.frame, data.comparison), bool(listed.records))
    question = "Does it hold at another size?"
    return page.render(data, Answer(question, lead, ""), [*sections, *own], listed)


def overview(
    papers: Mapping[str, tuple[Paper, Sequence[Verdict]]],
    scale: str,
    links: Mapping[str, str] | None = None,
) -> list[Section]:
    """All claims of all papers on one page: published, ours, verdict.

    Args:
        links: paper -> its own page, where there is one.
    """

    def named(paper: Paper) -> Cell:
        return Cell(paper.id, link=(links or {}).get(paper.id, ""))

    rows = []
    for paper, verdicts in papers.values():
        rows += [(named(paper), *claim_row(one)) for one in verdicts]
    headings = (Heading("Paper", number=False), *CLAIM_HEADINGS)
    counts = [
        (named(paper), Cell(paper.title), Cell(summary(verdicts)))
        for paper, verdicts in papers.values()
    ]
    columns = ("Paper", "Title", "Verdicts")
    return [
        Section(
            "papers",
            "Papers",
            (
                f"Scale {scale}: {OTHER} than the papers'; direction and size of effects, not "
                "levels.",
            ),
            tables=(
                Table(
                    "By paper", tuple(Heading(one, number=False) for one in columns), tuple(counts)
                ),
            ),
        ),
        Section("claims", "All claims", tables=(Table("Claims", headings, tuple(rows)),)),
    ]


def unrun(verdicts: Sequence[Verdict], empty: bool) -> list[Verdict]:
    """The same, each that rests on runs said to rest on none where there are none at all."""
    if not empty:
        return list(verdicts)
    return [
        one if one.claim.cannot else replace(one, reason="it was not run at this scale")
        for one in verdicts
    ]
