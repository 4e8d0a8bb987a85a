"""Where a comparison is written: the terminal, a pipe or a file, and never over results."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from harness.compare.gate import Outcome
from harness.compare.options import Request
from harness.compare.result import Comparison
from harness.errors import ConfigError, RecordError

RESULT_FOLDERS = ("predictions", "probes", "configs")
FIRST_CELL_OF_RUNS = b"schema_version,"
"""What a table of runs begins with, under whatever name."""


def check_output(out: Path, inputs: Sequence[Path]) -> None:
    """Check, before anything is computed, that the file can be written and holds no results.

    Raises:
        ConfigError: its folder does not exist, or it is a folder, an input or a record of runs.
    """
    where = f"--out {out}"
    if not out.parent.is_dir():
        raise ConfigError(f"{where}: there is no folder {out.parent}; make it first")
    if out.is_dir():
        raise ConfigError(f"{where}: it is a folder; name a file in it")
    if out.exists() and not out.is_file():
        raise ConfigError(f"{where}: it is no ordinary file; leave --out away to print")
    target = out.resolve()
    if target in {path.resolve() for path in inputs}:
        raise ConfigError(f"{where}: it is one of the inputs; choose another name")
    recorded = target.name == "runs.csv" or target.parent.name in RESULT_FOLDERS
    if recorded or _holds_runs(target):
        raise ConfigError(f"{where}: runs are recorded there; choose another name")


def write(request: Request, comparison: Comparison, outcomes: Sequence[Outcome]) -> None:
    """Print or save the comparison, then print its gates.

    Problems and gates go to stderr where what is on standard output is for a program.

    Raises:
        RecordError: the file cannot be written.
    """
    from harness.compare.render.gate_line import gate_line
    from harness.compare.render.grid import plain

    text = as_text(request, comparison, request.out is None and sys.stdout.isatty())
    for_people = request.format in ("table", "markdown")
    if request.out is None:
        show(text, sys.stdout)
    else:
        _save(request.out, text)
        show(f"written: {request.out}\n", sys.stdout)
    if not for_people:
        show("".join(f"{plain(problem)}\n" for problem in comparison.problems), sys.stderr)
    gates = [gate_line(outcome, request.require_shown) for outcome in outcomes]
    beside = sys.stdout if for_people or request.out is not None else sys.stderr
    show("".join(f"{line}\n" for line in ["", *gates] if gates), beside)


def as_text(request: Request, comparison: Comparison, terminal: bool) -> str:
    """The comparison in the format that was asked for."""
    if request.format == "csv":
        from harness.compare.render.csv_table import to_csv

        return to_csv(comparison)
    if request.format == "json":
        from harness.compare.render.json_text import to_json

        return to_json(comparison)
    from harness.compare.render.layout import sections

    found = sections(comparison, request.estimand, request.show_all)
    if request.format == "latex":
        from harness.compare.render.latex import to_latex

        return to_latex(found)
    if request.format == "table" and terminal:
        from harness.compare.render.terminal import to_terminal

        return to_terminal(found, shutil.get_terminal_size().columns, colour=True)
    from harness.compare.render.markdown import to_markdown

    return to_markdown(found)


def show(text: str, stream: TextIO) -> None:
    """Write to a stream; what its encoding lacks becomes "?"."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def _save(path: Path, text: str) -> None:
    """Write the file in one step, so that a full disk leaves no half of it."""
    target = path.resolve()  # a link stays a link
    scratch = target.with_name(f".{target.name}.part")
    try:
        scratch.write_text(text, encoding="utf-8", errors="replace", newline="")
        scratch.replace(target)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise RecordError(f"--out {path}: cannot be written: {error.strerror}") from error


def _holds_runs(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(FIRST_CELL_OF_RUNS)) == FIRST_CELL_OF_RUNS
    except OSError:
        return False
