"""``harness report``: reads results and writes report.html and report.md."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.arguments import refusing
from harness.errors import ConfigError, RecordError

HELP = """\
usage: harness report FOLDER... [--out FOLDER] [--baseline ARM] [--by COLUMN] [--title TEXT]
                      [--cost NAME|FILE] [--assume NAME=VALUE] [--api NAME]

Write report.html, one file that opens offline, and report.md with its figures in figures/.

  FOLDER           results/<experiment>, a folder that holds several, or a table of runs
  --out FOLDER     where to write; else the first FOLDER
  --baseline ARM   the arm that the others are set against; else chosen from the arms
  --by COLUMN      show the effect in each value of a column of the predictions, such as bucket;
                   may be given several times, or as a,b
  --title TEXT     stands above the question; else the names of the experiments
  --cost NAME|FILE      prices, hardware, grid, use and budget: a choice of conf/cost, or a file
  --assume NAME=VALUE   a figure over those of --cost; may be repeated
  --api NAME            what the tokens would cost at a named price; may be repeated

Example:
  harness report results/quickstart --baseline closed_book --by bucket"""


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    paths: tuple[Path, ...]
    out: Path
    baseline: str | None
    by: tuple[str, ...]
    title: str
    cost: str | None = None
    assume: tuple[str, ...] = ()
    api: tuple[str, ...] = ()


def main(arguments: Sequence[str]) -> int:
    """Write the report, print what was written, and return 0.

    Raises:
        ConfigError: the arguments make no sense.
        RecordError: nothing can be read, or the report cannot be written.
    """
    if any(argument in ("-h", "--help") for argument in arguments):
        print(HELP)
        return 0
    request = parse(arguments)
    for path, size in write_report(request):
        print(f"{path}   {_size(size)}")
    return 0


def parse(arguments: Sequence[str]) -> Request:
    """The request that the arguments make.

    Raises:
        ConfigError: an unknown flag, no folder, or a folder that does not exist.
    """
    parser = argparse.ArgumentParser(prog="harness report", add_help=False, allow_abbrev=False)
    refusing(parser, "report")
    parser.add_argument("paths", nargs="+", metavar="FOLDER", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--baseline")
    parser.add_argument("--by", action="append", default=[])
    parser.add_argument("--title", default="")
    parser.add_argument("--cost")
    parser.add_argument("--assume", action="append", default=[])
    parser.add_argument("--api", action="append", default=[])
    found = parser.parse_intermixed_args(list(arguments))
    for path in found.paths:
        if not path.exists():
            raise ConfigError(f"{path} does not exist: name a folder of results, or a table")
    first = found.paths[0]
    columns = [name.strip() for names in found.by for name in names.split(",")]
    return Request(
        paths=tuple(found.paths),
        out=found.out or (first if first.is_dir() else first.parent),
        baseline=found.baseline,
        by=tuple(dict.fromkeys(name for name in columns if name)),
        title=found.title,
        cost=found.cost,
        assume=tuple(found.assume),
        api=tuple(found.api),
    )


def write_report(request: Request) -> list[tuple[Path, int]]:
    """Write page, Markdown and figures; the value is each file with its bytes."""
    from harness.compare.options import Options
    from harness.economics.stated import cost_given
    from harness.report import markdown, page
    from harness.report.answer import answer
    from harness.report.explorer import explorer
    from harness.report.figures import figures, to_svg
    from harness.report.gather import gather
    from harness.report.money import account_of, prices_of
    from harness.report.sections import placed, sections
    from harness.report.volume import volume_section

    cost = cost_given(request.cost, request.assume)
    options = Options(baseline=request.baseline, by=request.by)
    data = gather(request.paths, options, request.title)
    account = account_of(data, cost, request.api)
    charts = figures(data.frame, data.comparison, prices=prices_of(account))
    listed = explorer(data)
    found = answer(data.comparison)
    parts = sections(data, charts, bool(listed.records), account)
    volume = volume_section(data, cost)
    parts = placed(volume, parts, after="phases")
    charts += volume.figures if volume else ()
    written = [
        write_text(request.out / "report.html", page.render(data, found, parts, listed)),
        write_text(request.out / "report.md", markdown.render(data, found, parts)),
    ]
    written += [
        write_text(request.out / markdown.FIGURES / markdown.file_name(chart), to_svg(chart))
        for chart in charts
    ]
    return written


def write_text(path: Path, text: str) -> tuple[Path, int]:
    """Write a page's text; the value is the file with its bytes.

    Raises:
        RecordError: the file cannot be written.
    """
    # Half a surrogate pair, in a name or a message, has no bytes of its own.
    content = text.encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise RecordError(
            f"{path} cannot be written ({error.strerror or error}): choose another folder "
            "with --out FOLDER"
        ) from error
    return path, len(content)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
