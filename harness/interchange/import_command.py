"""``harness import``: other tools' result files as rows that compare and report accept."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from harness.arguments import refusing
from harness.columns import COLUMNS
from harness.errors import ConfigError, DataError, RecordError
from harness.interchange.detect import KINDS, ForeignFile, NotResults, files_in, read_foreign
from harness.interchange.foreign_run import ForeignRun, Naming, Reading, row_of, write_lines
from harness.record import append_row, prepare_table, read_rows
from harness.row import RUN_ID, Row

READERS = {
    "peft": "harness.interchange.peft",
    "lm-eval": "harness.interchange.lm_eval",
    "optimum": "harness.interchange.optimum_benchmark",
    "codecarbon": "harness.interchange.codecarbon",
}
"""Kind of file to the module whose ``read`` makes runs of it."""

HELP = """\
Turn result files of other tools into rows that compare and report accept.

usage: harness import PATH [PATH ...] --out results/NAME [OPTIONS]

PATH is a file, or a folder that is searched for .json and .csv files. A run that
is there already is skipped. Known are:
{kinds}

  --out results/NAME   folder whose runs.csv the rows are added to
  --kind KIND          refuse files of any other kind
  --arm LABEL          arm of every imported run
  --task NAME          task of every imported run
  --experiment NAME    default: the name of the folder

Examples:
  harness import lm_eval_output/ --out results/peers
  harness import emissions.csv --arm lora --task squad --out results/peers

Exit code: 0 every file that was named gave its rows, 1 some did not, 2 none did.
docs/interchange.md says which field goes where."""


@dataclass
class Tally:
    """What became of the files: rows written, runs that were there, and problems, a line each.

    Attributes:
        failed: runs and named files that could not be imported.
        passed_over: files of a folder that hold no results.
    """

    imported: int = 0
    known: int = 0
    failed: int = 0
    passed_over: int = 0
    problems: list[str] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    """Import the files named on the command line and return the exit code.

    0: every file that was named gave its rows. 1: some did not. 2: none did.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP.format(kinds="\n".join(f"  {kind:<11} {told}" for kind, told in KINDS.items())))
        return 0
    options = parse("import", _parser(), arguments)
    out: Path = options.out
    naming = Naming(
        _experiment(options.experiment or out.resolve().name), options.arm, options.task
    )
    tally = import_files(options.paths, out, naming, options.kind)
    for problem in tally.problems:
        print(f"note: {problem}", file=sys.stderr)
    counted = [f"{tally.imported} imported into {out / 'runs.csv'}"]
    counted += [f"{tally.known} there already"] if tally.known else []
    counted += [f"{tally.failed} not imported"] if tally.failed else []
    counted += [f"{tally.passed_over} other files passed over"] if tally.passed_over else []
    print(", ".join(counted))
    if not tally.imported and not tally.known:
        return 2
    return 1 if tally.failed else 0


def import_files(
    paths: Sequence[Path], out: Path, naming: Naming, kind: str | None = None
) -> Tally:
    """Append a row to ``out/runs.csv`` for each foreign run in ``paths``.

    Raises:
        DataError: a path does not exist.
        RecordError: the table cannot be read or written.
    """
    table = out / "runs.csv"
    tally = Tally()
    known = {row["run_id"]: row for row in read_rows(table)} if table.exists() else {}
    for path, named in files_in(paths):
        try:
            file = read_foreign(path, kind)
            reading = _reader(file.kind)(file)
            _check_task(file, reading, naming)
        except RecursionError:
            tally.failed += 1
            tally.problems.append(f"{path}: its JSON is nested too deep")
            continue
        except DataError as error:
            if named and not isinstance(error, NotResults):
                tally.failed += 1
            else:
                tally.passed_over += 1
            if named or not isinstance(error, NotResults):
                tally.problems.append(str(error))
            continue
        tally.problems += reading.problems
        tally.failed += 0 if reading.runs else 1
        for run in reading.runs:
            _import_run(run, out, naming, known, tally)
    return tally


def _import_run(
    run: ForeignRun, out: Path, naming: Naming, known: dict[str, Row], tally: Tally
) -> None:
    try:
        row = row_of(run, naming)
    except (DataError, RecordError) as error:
        tally.failed += 1
        tally.problems.append(str(error) if run.file in str(error) else f"{run.file}: {error}")
        return
    if run.run_id in known:
        tally.known += 1
        print(f"already there: {run.name} ({run.file})")
        other = _other_figures(row, known[run.run_id])
        if other:
            tally.problems.append(
                f"{run.file}: {run.name} is there already with other figures ({', '.join(other)}): "
                f"to take these, remove row {run.run_id} first"
            )
        return
    prepare_table(out / "runs.csv")
    if run.lines:
        write_lines(out / "predictions", run.run_id, run.lines)
    append_row(out / "runs.csv", row)
    known[run.run_id] = row
    tally.imported += 1
    print(f"imported {_told(row, run)}")


def _told(row: Row, run: ForeignRun) -> str:
    """One line for people: what was imported and how it did."""
    if run.error:
        return f"{row['arm']} on {row['task']} as a failed run: {row['error']}"
    figures = [
        f"{name} {row[name]:.4g}" for name in run.versions if isinstance(row.get(name), float)
    ]
    figures += [f"{name} {measure.value:.4g}" for name, measure in run.measures.items()]
    more = f", and {len(figures) - 3} more" if len(figures) > 3 else ""
    pairs = f"; {len(run.lines)} predictions" if run.lines else ""
    return f"{row['arm']} on {row['task']}: {', '.join(figures[:3]) or 'no figures'}{more}{pairs}"


def _other_figures(row: Row, known: Row) -> list[str]:
    """The columns of numbers in which a run differs from its row in the table, four at most."""
    return [
        name
        for name, column in COLUMNS.items()
        if column.type == "float" and row[name] is not None and row[name] != known.get(name)
    ][:4]


def _check_task(file: ForeignFile, reading: Reading, naming: Naming) -> None:
    tasks = {run.columns.get("task") for run in reading.runs}
    if naming.task and len(tasks) > 1:
        raise DataError(
            f"{file.path} holds {len(tasks)} tasks, which --task would give one name: leave it out"
        )


def _reader(kind: str) -> Callable[[ForeignFile], Reading]:
    found: Callable[[ForeignFile], Reading] = import_module(READERS[kind]).read
    return found


def _experiment(name: str) -> str:
    if not RUN_ID.fullmatch(name):
        raise ConfigError(
            f"experiment '{name}' is no name: use letters, digits, '.', '_' and '-', "
            "a letter or digit first (--experiment NAME)"
        )
    return name


def parse(
    command: str, parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> argparse.Namespace:
    """What the arguments say.

    Raises:
        ConfigError: an unknown flag, a value that does not fit, no path, a path that is not there.
    """
    refusing(parser, command)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    found = parser.parse_intermixed_args(list(arguments))
    for path in found.paths:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file or folder")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("harness import", add_help=False, allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=list(KINDS))
    for flag in ("--arm", "--task", "--experiment"):
        parser.add_argument(flag)
    return parser
