"""``harness export``: results as lm-eval's files or as one long table."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataError, RecordError
from harness.interchange.import_command import parse
from harness.predictions import Line

HELP = """\
Write results in a format that other tools read.

usage: harness export PATH [PATH ...] --format FORMAT --out FILE_OR_FOLDER

PATH is a runs.csv, the folder of an experiment, or a folder that holds several.

  --format lm-eval     into a folder, for each run: results JSON as
                       lm-evaluation-harness writes it, and its samples
  --format tidy        into one CSV file: a line for each run and figure, with
                       unit, direction, interval and number of questions

Examples:
  harness export results/quickstart --format tidy --out quickstart.csv
  harness export results/quickstart --format lm-eval --out quickstart_lm_eval

Exit code: 0 done, 1 a finished run could not be exported, 2 nothing was.
docs/interchange.md says what is written."""

FORMATS = ("lm-eval", "tidy")

Row = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Export the results named on the command line and return the exit code.

    0: done; failed runs, which lm-eval's format cannot hold, are named. 1: a finished run could
    not be exported. 2: nothing was.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    options = parse("export", _parser(), arguments)
    rows, problems = _rows(options.paths)
    export = _export_tidy if options.format == "tidy" else _export_lm_eval
    written, lost = export(rows, options.out, problems)
    for problem in problems:
        print(f"note: {problem}", file=sys.stderr)
    if not written:
        return 2
    return 1 if lost else 0


def _rows(paths: Sequence[Path]) -> tuple[list[Row], list[str]]:
    from harness.compare.arms import rows_of
    from harness.results import read_results

    results = read_results(paths)
    return rows_of(results.frame), list(results.problems)


# Each exporter adds to ``problems`` and returns what it wrote, and finished runs it could not.


def _export_tidy(rows: Sequence[Row], out: Path, problems: list[str]) -> tuple[int, int]:
    from harness.interchange.tidy import write_tidy

    if out.is_dir() or not out.suffix:
        raise ConfigError(f"--out {out}: a tidy table is one file: name it, as {out / 'runs.csv'}")
    counts: dict[str, Mapping[str, int]] = {}
    for row in rows:
        lines, problem = _predictions(row)
        problems += [problem] if problem else []
        counts[str(row["run_id"])] = Counter(name for line in lines for name in line["metrics"])
    written = write_tidy(out, rows, counts)
    print(f"{written} figures of {_runs(len(rows))} written to {out}")
    return written, 0


def _export_lm_eval(rows: Sequence[Row], out: Path, problems: list[str]) -> tuple[int, int]:
    from harness.interchange.to_lm_eval import write_lm_eval

    if out.is_file() or out.suffix.lower() == ".json":
        raise ConfigError(f"--out {out}: lm-eval's format is a folder of files for each run")
    lost = 0
    written: set[str] = set()
    for row in rows:
        run_id = str(row.get("run_id"))
        if row.get("status") != "ok":
            problems.append(f"run {run_id} failed and is left out: {row.get('error')}")
            continue
        if run_id in written:
            problems.append(f"run {run_id} stands in several tables: the first is exported")
            continue
        lines, problem = _predictions(row)
        problems += [problem] if problem else []
        try:
            write_lm_eval(out, row, lines)
        except DataError as error:
            problems.append(str(error))
            lost += 1
            continue
        written.add(run_id)
    print(f"{_runs(len(written))} written to {out}")
    return len(written), lost


def _predictions(row: Row) -> tuple[list[Line], str]:
    """The run's predictions, and why there are none; "" also where none are to be expected."""
    from harness.compare.arms import run_file
    from harness.predictions import read_predictions

    path = run_file(row, "predictions")
    if path is None or not path.exists():
        return [], ""
    try:
        return read_predictions(path), ""
    except RecordError as error:
        return [], f"{error}; exported without its predictions"


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("harness export", add_help=False, allow_abbrev=False)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser
