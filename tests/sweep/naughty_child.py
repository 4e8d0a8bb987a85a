"""A child that dies or hangs as it is told: ``python naughty_child.py FOLDER FD``.

A cell's seed says what it does; what it ran is noted in FOLDER. It takes the real one's place where
a real model would only make the test slow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from harness.record import append_row
from harness.row import new_row
from harness.sweep.child import READY, Order, end_with
from harness.sweep.outcome import Outcome

GOOD, DIES_ONCE, DIES, HANGS, LEAVES = range(5)


def main(folder: Path, descriptor: int) -> None:
    end_with(os.getppid())
    orders = Connection(descriptor)
    orders.send(READY)
    while True:
        order = orders.recv()
        row = row_of(order)
        with (folder / "ran").open("a") as stream:
            stream.write(f"{order.config.seed} {os.getpid()} {bool(order.lost)}\n")
        if not order.lost:
            misbehave(order.config.seed, folder)
        append_row(order.config.folder() / "runs.csv", row)
        orders.send(row if order.lost else Outcome(row, "", 0))


def row_of(order: Order) -> dict[str, object]:
    return new_row(
        run_id=f"cell-{order.config.seed}",
        experiment=order.config.experiment,
        arm=order.config.arm,
        task="t",
        model="m",
        seed=order.config.seed,
        status="failed" if order.lost else "ok",
        error=order.lost or None,
        invocation=order.environment.get("HARNESS_INVOCATION"),
    )


def misbehave(seed: int, folder: Path) -> None:
    tries = sum(line.startswith(f"{seed} ") for line in (folder / "ran").read_text().splitlines())
    if seed == DIES or (seed == DIES_ONCE and tries == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == HANGS:
        time.sleep(1000)
    if seed == LEAVES:  # another process, out of our group even, and hangs
        left = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        (folder / "left").write_text(str(left.pid))
        time.sleep(1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
