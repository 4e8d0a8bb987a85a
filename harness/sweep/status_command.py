"""``harness status``: how a sweep goes, asked from another terminal."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from harness.arguments import refusing
from harness.errors import RecordError
from harness.sweep.journal import ENDED, FAILED, latest, read
from harness.sweep.watch import duration, headline, in_words

HELP = """\
Say how the last sweep of an experiment goes: done, running, failed, time left, energy so far.

usage: harness status FOLDER [--watch SECONDS]

  FOLDER    results/EXPERIMENT, or a folder that holds several

Exit code: 0 all cells ended well or still run, 1 a cell failed or was lost, 2 wrong input."""


def main(arguments: Sequence[str]) -> int:
    """Print the state of each experiment's last sweep; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--watch", type=float, default=0.0)
    refusing(parser, "status")
    options = parser.parse_args(list(arguments))
    journals = find(options.folder)
    while True:
        lines = [line for path in journals for line in status_lines(path)]
        print("\n".join(lines), flush=True)
        sweeps = [read(path) for path in journals]
        if not options.watch or all(one.count(*ENDED) >= one.jobs for one in sweeps):
            return int(any(one.count(FAILED) or one.lost() for one in sweeps))
        time.sleep(options.watch)


def find(folder: Path) -> list[Path]:
    """The journal of the last sweep of ``folder``, or of each experiment in it.

    Raises:
        RecordError: there is none.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder} is no folder: name results/EXPERIMENT")
    here = latest(folder)
    found = [here] if here else [latest(one) for one in sorted(folder.iterdir()) if one.is_dir()]
    journals = [path for path in found if path is not None]
    if not journals:
        raise RecordError(
            f"{folder} holds no sweep: nothing was run there yet, or by an older version"
        )
    return journals


def status_lines(path: Path) -> list[str]:
    """A sweep's state, a line for each cell that runs, failed or was lost."""
    sweep = read(path)
    began = datetime.fromtimestamp(sweep.began_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    lines = [f"{path.parent.parent}, begun {began}: {headline(sweep)}"]
    now = time.time()
    lines += [
        f"  running: {one.cell}, for {duration(max(0.0, now - one.at))} (process {one.pid}, "
        f"{one.host})"
        for one in sweep.running()
    ]
    lines += [
        f"  lost: {one.cell}: its process {one.pid} died; give the command again to resume"
        for one in sweep.lost()
    ]
    lines += [f"  {in_words(one)}" for one in sweep.cells.values() if one.state == FAILED]
    return lines
