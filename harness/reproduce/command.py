"""``harness reproduce``: runs a paper's experiments, reads them, and says which claims hold."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.arguments import refusing
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.report.drawing import Figure
    from harness.reproduce.paper import Paper, TableSpec
    from harness.reproduce.verdict import Verdict

HELP = """\
usage: harness reproduce PAPER [--scale smoke|small|full] [--table TABLE] [OPTIONS] [KEY=VALUE ...]
       harness reproduce --all [--scale SCALE] [OPTIONS]

Run a paper again and say which of its claims hold: confirmed, refuted or not shown.

  PAPER            a folder of experiments/ ({papers}), or a path
  --all            every paper and the study break_even, and one page of all claims
  --scale SCALE    smoke: within ten minutes, to see that all is connected; judges nothing
                   small: a small model on tasks of the same design, on a CPU (the default)
                   full: the paper's own models and data; needs --yes
  --table TABLE    only one table of the paper and what it needs
  --plan           print what would be run, and run nothing
  --read           run nothing, write the pages from what is there
  --yes            start scale full
  --results DIR    where results go (results)
  KEY=VALUE        settings of harness run, for every stage; the page names them

Written: RESULTS/PAPER/reproduction.md and reproduction.html (other scales: RESULTS/PAPER_SCALE/),
with --all RESULTS/reproduction.md and .html. Rows that are there are not run again: the same
command resumes.

Examples:
  harness reproduce soudani2024 --scale smoke
  harness reproduce --all --read

Exit code: 0 done whatever the verdicts, 1 a cell failed, 2 wrong input, 130 interrupted."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    papers: tuple[str, ...]
    everything: bool
    scale: str
    table: str | None
    plan: bool
    read: bool
    yes: bool
    results: Path
    more: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Run the papers that the arguments name, write their pages, and return the exit code.

    Raises:
        HarnessError: the arguments, a paper's files or its settings are wrong.
    """
    from harness.reproduce.paper_file import papers, read_paper

    if any(argument in ("-h", "--help") for argument in arguments):
        print(HELP.format(papers=", ".join(papers())))
        return 0
    request = parse(arguments)
    asked = [read_paper(name) for name in (papers() if request.everything else request.papers)]
    code, verdicts = 0, {}
    for paper in asked:
        found, own = reproduce(paper, request)
        code = max(code, own)
        verdicts[paper.id] = (paper, found)
    if request.everything and not request.plan:
        write_overview(verdicts, request)
    return code


def parse(arguments: Sequence[str]) -> Request:
    """The request that the arguments make.

    Raises:
        ConfigError: an unknown flag or scale, no paper, or flags that exclude each other.
    """
    from harness.reproduce.paper import SCALES

    parser = argparse.ArgumentParser(prog="harness reproduce", add_help=False, allow_abbrev=False)
    refusing(parser, "reproduce")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--table")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--read", action="store_true")
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("--results", type=Path, default=Path("results"))
    found = parser.parse_intermixed_args(list(arguments))
    papers = tuple(word for word in found.words if "=" not in word)
    more = tuple(word for word in found.words if "=" in word)
    if bool(papers) == found.all:
        raise ConfigError("name a paper, or say --all; harness reproduce --help lists them")
    if found.table and (found.all or len(papers) > 1):
        raise ConfigError("--table is of one paper: name that alone")
    if found.plan and found.read:
        raise ConfigError("--plan runs nothing and reads nothing: leave out --read")
    if any(word.partition("=")[0] == "results" for word in more):
        raise ConfigError("results=… would part rows from pages: give --results DIR")
    return Request(
        papers, found.all, found.scale, found.table, found.plan, found.read, found.yes,
        found.results, more,
    )  # fmt: skip


def reproduce(paper: Paper, request: Request) -> tuple[list[Verdict], int]:
    """Plan, run and read one paper; the verdicts, and the exit code of its runs.

    Raises:
        ConfigError: it has no such scale or table, or scale full is not confirmed.
    """
    from harness.reproduce import running

    if request.scale not in paper.scales:
        raise ConfigError(
            f"{paper.id} has no scale '{request.scale}'; it has {', '.join(paper.scales)}"
        )
    scale = paper.scales[request.scale]
    table = paper.table(request.table) if request.table else None
    code = 0
    if not request.read:
        every = scale.expected is not None
        plans = running.plan(paper, scale, table, request.more, request.results, every)
        print(running.told(paper, scale, plans), flush=True)
        if scale.expected is not None:
            from harness.reproduce.full_plan import as_text, needs_of

            configs = [config for one in plans for config in one.configs]
            print(as_text(needs_of(configs, scale.expected), scale.expected), flush=True)
        if request.plan:
            return [], 0
        if scale.name == "full" and not request.yes:
            raise ConfigError(
                "scale full runs the paper's own models, for days on a GPU: add --yes to start it, "
                "or --plan to see its plan alone"
            )
        code = running.run(paper, scale, plans, request.more, request.results)
    return write_pages(paper, request, table), code


def write_pages(paper: Paper, request: Request, table: TableSpec | None) -> list[Verdict]:
    """Write a paper's pages from what was run; the verdicts that they show."""
    from harness.report.drawing import to_svg
    from harness.report.markdown import FIGURES, file_name
    from harness.reproduce.pages import (
        PAGE,
        as_html,
        as_markdown,
        paper_sections,
        summary,
        unrun,
    )
    from harness.reproduce.reading import Reading

    scale = paper.scales[request.scale]
    folder = paper.folder_of(request.results, scale)
    reading = Reading(folder, scale.model)
    stages = {cell.ours.stage for cell in table.cells} if table else None
    verdicts = unrun(reading.verdicts(paper.claims_at(scale), scale.judged, stages), reading.empty)
    sections = paper_sections(paper, scale, reading, verdicts, table, request.more)
    title, lead = f"{paper.title} ({paper.citation})", summary(verdicts)
    if reading.empty and not folder.exists():
        return verdicts  # nothing was run here: the page of all claims says so
    charts: list[Figure] = [figure for section in sections for figure in section.figures]
    written = [_write(folder / f"{PAGE}.md", as_markdown(title, lead, sections))]
    for chart in charts:
        _write(folder / FIGURES / file_name(chart), to_svg(chart))
    if not reading.empty:
        written.append(_write(folder / f"{PAGE}.html", as_html(folder, title, lead, sections)))
    print(f"{paper.id}: {lead}")
    for path in written:
        print(path)
    return verdicts


def write_overview(
    verdicts: Mapping[str, tuple[Paper, Sequence[Verdict]]], request: Request
) -> None:
    """Write the page of all claims, as Markdown and as HTML that leads to each paper's own."""
    from harness.report.page import render_tables
    from harness.reproduce.pages import PAGE, as_markdown, overview

    suffix = "" if request.scale == "small" else f"_{request.scale}"
    papers = [paper for paper, _ in verdicts.values()]
    kinds = Counter(paper.kind for paper in papers)
    studies = [paper.id for paper in papers if paper.kind == "study"]
    title = "Claims of five papers, run again" if kinds["paper"] == 5 else "Claims run again"
    beside = f", and a study of this harness's own formulas ({', '.join(studies)})"
    lead = f"{kinds['paper']} papers{beside if studies else ''}."
    text = as_markdown(title, lead, overview(verdicts, request.scale))
    print(_write(request.results / f"{PAGE}{suffix}.md", text))
    folders = {one.id: one.folder_of(Path(), one.scales[request.scale]) for one in papers}
    links = {
        name: (folder / f"{PAGE}.html").as_posix()
        for name, folder in folders.items()
        if (request.results / folder / f"{PAGE}.html").is_file()
    }
    text = render_tables(title, lead, overview(verdicts, request.scale, links))
    print(_write(request.results / f"{PAGE}{suffix}.html", text))


def _write(path: Path, text: str) -> Path:
    from harness.report.command import write_text

    return write_text(path, text)[0]
