"""How long comparing and reporting take on a million answers, and on ten thousand runs.

    python benchmarks/scale.py [--folder FOLDER] [--runs 20] [--questions 50000] [--rows 10000]

Makes results of that size from the committed ones, times the commands on them (each in a process
of its own, with the files in the page cache), and prints a table of time, peak memory and size
against what is asked for. Exit code 1: something was missed. A FOLDER is kept and used again, else
a temporary one is removed; a million answers take 1.3 GB.

All arms are trained ones, so that each of the runs is a measurement of its own and none is skipped
as a repetition.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import orjson

from harness.columns import COLUMNS
from harness.record import read_rows
from harness.row import Row, cells_of, new_row

REFERENCE = Path(__file__).parent.parent / "results" / "reference" / "quickstart"
ARMS = {"lora": 16, "rag_lora": 16, "lora_rank8": 8, "rag_lora_rank8": 8}
LINE_BYTES = 1200
WORDS = ("mountain", "river", "country", "highest", "point", "name", "people", "symbol")

READ = """
import sys
from pathlib import Path
from harness.results import PREDICTIONS, read_results, run_file
from harness.scores import read_scores
results = read_results([Path(sys.argv[1])])
kept = []
for row in results.frame[["folder", "run_id"]].to_dict("records"):
    path = run_file(row, PREDICTIONS)
    if path.exists():
        kept.append(read_scores(path, ["bucket", "popularity", "relation"]))
print(len(results.frame), "runs,", sum(len(run.question_ids) for run in kept), "answers")
"""


@dataclass(frozen=True)
class Task:
    """A command, and what it may take; None: no limit is asked for."""

    name: str
    command: tuple[str, ...]
    seconds: float | None = None
    gib: float | None = None
    page: Path | None = None
    megabytes: float | None = None


@dataclass(frozen=True)
class Taken:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    gib: float
    megabytes: float | None
    error: str


def main() -> int:
    """Make the results, time the commands, print the table."""
    parser = argparse.ArgumentParser(description="Time compare and report on large results.")
    parser.add_argument("--folder", type=Path, help="where to make the results; kept")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--questions", type=int, default=50_000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--arms", type=int, default=40, help="arms among the rows")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = wanted.folder or Path(temporary)
        answers = folder / f"answers-{wanted.runs}x{wanted.questions}"
        rows = folder / f"rows-{wanted.rows}-of-{wanted.arms}"
        if not answers.exists():
            make_answers(answers, wanted.runs, wanted.questions)
        if not rows.exists():
            make_rows(rows, wanted.rows, wanted.arms)
        lines = wanted.runs * wanted.questions
        print(f"{lines:,} answers of {_mean_line(answers):.0f} bytes, {wanted.rows:,} rows\n")
        return report(tasks(answers, rows, folder / "page", lines, wanted.rows))


def tasks(answers: Path, rows: Path, page: Path, lines: int, count: int) -> list[Task]:
    """What is timed."""
    harness = (sys.executable, "-m", "harness")
    read = (sys.executable, "-c", READ)
    many, table = f"{lines:,} answers", f"{count:,} rows"
    made = ("report", str(answers), "--out", str(page))
    return [
        Task(f"read {many}", (*read, str(answers)), 12, 1),
        Task(f"compare {many}", (*harness, "compare", str(answers)), 20, 2),
        Task(f"compare {many} by bucket", (*harness, "compare", str(answers), "--by", "bucket")),
        Task(f"report {many}", (*harness, *made), page=page / "report.html", megabytes=15),
        Task(f"read {table}", (*read, str(rows))),
        Task(f"compare {table}", (*harness, "compare", str(rows)), 3),
    ]


def report(wanted: list[Task]) -> int:
    """Time each task and print a line of it; 1 if one failed or took more than it may."""
    print("| task | seconds | CPU s | peak GiB | page MB | asked for | |")
    print("|---|---|---|---|---|---|---|")
    missed = False
    for task in wanted:
        taken = timed(task)
        limits = [
            (taken.seconds, task.seconds, "s"),
            (taken.gib, task.gib, "GiB"),
            (taken.megabytes, task.megabytes, "MB"),
        ]
        asked = [f"≤ {limit:g} {unit}" for _, limit, unit in limits if limit is not None]
        over = any(limit is not None and (value or 0) > limit for value, limit, _ in limits)
        verdict = f"failed: {taken.error}" if taken.error else "missed" if over else "met"
        missed |= bool(taken.error) or over
        size = "" if taken.megabytes is None else f"{taken.megabytes:.1f}"
        verdict = verdict if asked or taken.error else ""
        figures = f"{taken.seconds:.1f} | {taken.cpu_seconds:.1f} | {taken.gib:.2f} | {size}"
        print(f"| {task.name} | {figures} | {', '.join(asked)} | {verdict} |", flush=True)
    return int(missed)


def timed(task: Task) -> Taken:
    """Wall and processor time, highest resident memory of a command, size of what it wrote."""
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(task.command, stdout=subprocess.DEVNULL, stderr=said)
        # Of this child alone; resource.getrusage would give the largest of all so far.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    unit = 1 if sys.platform == "darwin" else 1024
    page = task.page.stat().st_size / 1e6 if task.page and task.page.exists() else None
    error = (lines or [f"exit code {process.returncode}"])[-1] if process.returncode else ""
    cpu = used.ru_utime + used.ru_stime
    return Taken(seconds, cpu, used.ru_maxrss * unit / 2**30, page, error)


def make_answers(folder: Path, runs: int, questions: int) -> None:
    """Runs of ``ARMS``, over as many seeds as that takes, with predictions and probes."""
    scratch = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    rows = []
    for number in range(runs):
        arm, seed = list(ARMS)[number % len(ARMS)], number // len(ARMS)
        source = _source(arm, seed)
        row = _row(source, arm, seed, ARMS[arm], n_test=questions, n_clusters=questions // 3)
        lines = (REFERENCE / "predictions" / f"{source['run_id']}.jsonl").read_bytes()
        path = scratch / "predictions" / f"{row['run_id']}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_answers(path, lines.splitlines(), questions, Random(number))
        (scratch / "probes").mkdir(exist_ok=True)
        probes = REFERENCE / "probes" / f"{source['run_id']}.jsonl"
        shutil.copyfile(probes, scratch / "probes" / path.name)
        rows.append(row)
    _write_rows(scratch / "runs.csv", rows)
    scratch.rename(folder)


def make_rows(folder: Path, count: int, arms: int) -> None:
    """A table of rows alone: ``arms`` settings (learning rates) over many seeds."""
    random = Random(0)
    rows = []
    for number in range(count):
        setting, seed = number % arms, number // arms
        source = _source(("lora", "rag_lora")[setting % 2], seed)
        moved: dict[str, object] = {"learning_rate": 1e-4 * (1 + setting)}
        for name in ("exact_match", "f1", "contains"):
            value = source[name] * random.uniform(0.9, 1.0)
            moved |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.05}
        # Cells that are equal are parsed but once; in results no two runs have these alike.
        buckets = {"low": {"exact_match": {"mean": random.random(), "n": number}}}
        moved["by_bucket"] = source["by_bucket"] | buckets
        rows.append(_row(source, f"{source['arm']}_{setting}", seed, 16, **moved))
    folder.mkdir(parents=True)
    _write_rows(folder / "runs.csv", rows)


def _source(arm: str, seed: int) -> Row:
    """The committed row that a made one is like."""
    wanted = ("rag_lora" if arm.startswith("rag_lora") else "lora", seed % 3)
    return next(row for row in _reference_rows() if (row["arm"], row["seed"]) == wanted)


@cache
def _reference_rows() -> list[Row]:
    return read_rows(REFERENCE / "runs.csv")


def _row(source: Row, arm: str, seed: int, rank: int, **values: object) -> Row:
    given = {name: value for name, value in source.items() if name != "schema_version"}
    run_id = f"{arm}-s{seed}-20260101T000000-{rank:02d}{seed:04d}"
    return new_row(**{**given, "run_id": run_id, "arm": arm, "seed": seed, "rank": rank, **values})


def _write_answers(path: Path, sources: list[bytes], questions: int, random: Random) -> None:
    """Repeat the source lines as other questions, with scores and outputs that vary."""
    known = [orjson.loads(line) for line in sources]
    with path.open("wb") as file:
        for number in range(questions):
            source = known[number % len(known)]
            copy = number // len(known)
            metrics = dict(source["metrics"])
            if random.random() < 0.2:
                right = float(random.random() < 0.7)
                metrics |= {"exact_match": right, "contains": right, "f1": random.random()}
            line = source | {
                "question_id": f"{source['question_id']}-{copy}",
                "cluster": f"{source['cluster']}-{copy}",
                "question": f"{source['question']} ({copy})",
                "metrics": metrics,
                "tokens_out": random.randint(1, 20),
            }
            short = LINE_BYTES - len(sources[number % len(known)]) - 30
            line["output"] = f"{source['output']} {' '.join(random.choices(WORDS, k=4))}"
            line["output"] += " " + "and so on " * (max(0, short) // 10)
            file.write(orjson.dumps(line) + b"\n")


def _write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(cells_of, rows))


def _mean_line(folder: Path) -> float:
    sizes = [path.stat().st_size for path in folder.glob("predictions/*.jsonl")]
    first = next(folder.glob("predictions/*.jsonl"))
    with first.open("rb") as file:
        lines = sum(1 for _ in file)
    return sum(sizes) / (lines * len(sizes))


if __name__ == "__main__":
    sys.exit(main())
