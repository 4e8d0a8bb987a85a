"""``harness export``: results as other tools read them, or what a run made."""

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
Write results, or what a run made, as other tools read it.

usage: harness export PATH [PATH ...] --format FORMAT --out FILE_OR_FOLDER
       harness export PATH [PATH ...] --what WHAT --arm ARM --out FOLDER

PATH is a runs.csv, the folder of an experiment, or a folder that holds several.

  --format lm-eval     into a folder, for each run: results JSON as
                       lm-evaluation-harness writes it, and its samples
  --format tidy        into one CSV file: a line for each run and figure, with
                       unit, direction, interval and number of questions

  --what adapter       the trained adapter, as PEFT loads it
  --what model         the model with the adapter merged, and its tokenizer
  --what index         the index (FAISS or bm25s) with its passages

  --arm ARM            whose newest finished run; or --run ID, the very run
  --rebuild            make again what was removed from the store

Examples:
  harness export results/quickstart --format tidy --out quickstart.csv
  harness export results/quickstart --format lm-eval --out quickstart_lm_eval
  harness export results/quickstart --what adapter --arm lora --out my_adapter

Exit code: 0 done, 1 a finished run could not be exported, 2 nothing was.
docs/interchange.md says what is written, docs/using.md what a run made."""

FORMATS = ("lm-eval", "tidy")
WHAT = ("adapter", "model", "index")

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
    if options.what:
        return _export_made(options)
    if options.arm or options.run or options.rebuild:
        raise ConfigError("--arm, --run and --rebuild go with --what, not with --format")
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


def _export_made(options: argparse.Namespace) -> int:
    from harness.interchange.made import write_made
    from harness.recorded import find_run, open_run
    from harness.store_use import session

    with session():
        row = find_run(options.paths, options.arm, options.run)
        written = write_made(open_run(row, options.rebuild), options.what, options.out)
    print(f"{options.what} of {row['run_id']} written to {options.out}: {', '.join(written)}")
    return 0


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
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--format", choices=FORMATS)
    kind.add_argument("--what", choices=WHAT)
    parser.add_argument("--arm")
    parser.add_argument("--run")
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    return parser
