"""Turns on a device: with ``measure.exclusive`` only one process of a machine meters at a time.

The device's lock is taken last and nothing else is waited for while it is held: a cell that
makes an artifact holds that artifact's lock and waits for the device, never the other way round,
so no two can wait for each other. ``Ledger.obtain`` refuses to be called inside a phase.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sweep.locks import lock_folder

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

TELL_AFTER_SECONDS = 30.0
"""Whoever waits so long for a turn says so."""

POLL_SECONDS = 0.02

Turn = Callable[[], AbstractContextManager[None]]
"""What a metered phase enters: returns once the device is ours, gives it back at the end."""


def turns_on(device: torch.device) -> Turn:
    """Turns on ``device``, shared with every process of this machine that takes turns on it."""
    from filelock import FileLock, Timeout

    path = lock_path(device)
    # For all threads of this process: the meter's phases do not nest, so neither do turns.
    lock = FileLock(path, poll_interval=POLL_SECONDS, thread_local=False)

    @contextmanager
    def turn() -> Iterator[None]:
        try:
            lock.acquire(timeout=TELL_AFTER_SECONDS)
        except Timeout:
            logger.info("waiting for another cell that is measured on %s", device)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    return turn


def lock_path(device: torch.device) -> Path:
    """The lock of a device: of this machine's processors, or of the one GPU."""
    from harness.metering.sharing import gpu_uuid

    # A GPU by its UUID: workers may see the same one under different numbers.
    name = gpu_uuid(device) if device.type == "cuda" else device.type
    return lock_folder("turns") / f"{socket.gethostname()}-{name}.lock"
