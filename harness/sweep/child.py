"""A process that runs cells for a worker, one after another: ``python -m harness.sweep.child FD``.

It is a process of its own so that it can be ended, and so that what kills it kills nothing else.
Orders and answers are objects pickled over a socket that only the two of them have.
"""

from __future__ import annotations

import logging.config
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from harness.config import Config

READY = "ready"
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Order:
    """A cell to run.

    Attributes:
        rerun: as for ``run.run``.
        lost: why the cell could not end: its failed row is written, and nothing is run.
        environment: variables that the cell's command has set.
        logging: for ``logging.config``; empty leaves logging as it is.
        threads: how many to use; None leaves that to the libraries.
    """

    config: Config
    rerun: str
    lost: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    logging: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None


def main(descriptor: int) -> None:
    """Answer orders until the other end hangs up."""
    end_with(os.getppid())
    orders = Connection(descriptor)
    os.set_inheritable(descriptor, False)
    # What takes seconds to load is loaded once, and before the clock of the first cell runs.
    import torch

    import harness.run

    orders.send(READY)
    while True:
        try:
            order = orders.recv()
        except EOFError:
            return
        os.environ.update(order.environment)
        if order.logging:
            logging.config.dictConfig(order.logging)
        if order.threads is not None:
            torch.set_num_threads(order.threads)
        if order.lost:
            orders.send(harness.run.record_failure(order.config, order.lost))
        else:
            from harness.sweep.outcome import outcome_of

            orders.send(outcome_of(order.config, order.rerun))


def end_with(parent: int) -> None:
    """End this process and those it started as soon as its parent has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
