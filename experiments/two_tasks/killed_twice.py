"""Run the sweep of 24 cells on two Ray workers, kill it twice, resume it, and say what was seen.

    python experiments/two_tasks/killed_twice.py [--results results/reference]

The first kill is of the command alone, as when memory runs out: its workers have to end by
themselves. The second is of everything at once, as when the power fails. Writes ``kills.json``
beside the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from harness.record import read_rows
from harness.sweep.journal import latest, read

EXPERIMENT = "two_tasks"
KILLS = ((7, "command"), (15, "everything"))
"""After so many rows, and some seconds into the next cells, this is killed."""
INTO_A_CELL_SECONDS = 20
CELLS = 24


@dataclass
class Attempt:
    """One time that the command was given.

    Attributes:
        killed: what was killed; "" if the command ended by itself.
        rows_before, rows_after: rows in the table when it began and when it ended.
        running: cells that were under way when it was killed.
        workers_ended_after: seconds until none of its processes was left.
    """

    killed: str
    rows_before: int
    rows_after: int = 0
    seconds: float = 0.0
    exit_code: int | None = None
    running: list[str] = field(default_factory=list)
    workers_ended_after: float | None = None


def main() -> None:
    """Give the command three times, the first two of them killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results/reference"))
    parser.add_argument("settings", nargs="*", help="further settings for harness run")
    options = parser.parse_args()
    folder = options.results / EXPERIMENT
    attempts = []
    for rows, what in (*KILLS, (CELLS + 1, "")):
        attempts.append(attempt(options.results, options.settings, rows, what))
        print(attempts[-1], flush=True)
        kept = {"cells": CELLS, "attempts": [asdict(one) for one in attempts]}
        (folder / "kills.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    rows_now = read_rows(folder / "runs.csv")
    assert len(rows_now) == len({row["run_id"] for row in rows_now}) == CELLS
    assert {row["status"] for row in rows_now} == {"ok"}


def attempt(results: Path, settings: list[str], rows: int, what: str) -> Attempt:
    """What became of the command, killed once there are ``rows`` rows."""
    folder = results / EXPERIMENT
    seen = Attempt(what, count(folder))
    began = time.monotonic()
    command = [sys.executable, "-m", "harness", "run", f"experiment={EXPERIMENT}"]
    command += ["hydra/launcher=ray", "sweep.workers=2", "sweep.threads=1", f"results={results}"]
    process = subprocess.Popen([*command, *settings], start_new_session=True)  # noqa: S603 - our own
    while process.poll() is None and count(folder) < rows:
        time.sleep(0.5)
    if process.poll() is None:
        time.sleep(INTO_A_CELL_SECONDS)
        journal = latest(folder)
        if journal is not None:
            seen.running = [f"{one.arm}, seed {one.seed}" for one in read(journal).running()]
        family = [psutil.Process(process.pid)]
        family += family[0].children(recursive=True)
        for one in family if what == "everything" else family[:1]:
            kill(one)
        killed = time.monotonic()
        seen.exit_code = process.wait()
        psutil.wait_procs(family, timeout=120)
        left = [one for one in family if one.is_running() and one.status() != "zombie"]
        assert not left, f"still running: {left}"
        seen.workers_ended_after = round(time.monotonic() - killed, 1)
    seen.exit_code = process.wait()
    seen.rows_after, seen.seconds = count(folder), round(time.monotonic() - began, 1)
    return seen


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it has ended."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def count(folder: Path) -> int:
    """Rows that stand in the table."""
    table = folder / "runs.csv"
    return len(read_rows(table)) if table.exists() else 0


if __name__ == "__main__":
    main()
