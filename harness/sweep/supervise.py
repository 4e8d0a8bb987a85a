"""Runs cells in a watched process, so that one that dies or hangs ends alone and is tried again."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError
from harness.sweep.child import Order
from harness.sweep.outcome import Outcome

COMMAND = (sys.executable, "-m", "harness.sweep.child")
START_SECONDS = 600.0
"""Loading the libraries may take long on a shared file system, but not for ever."""

LOOK_SECONDS = 0.2
SIGNAL_HINTS = {
    signal.SIGKILL: ", which the system sends where memory has run out",
    signal.SIGSEGV: ", a fault in native code",
    signal.SIGBUS: ", which comes of a full disk or shared memory",
}


class LostError(HarnessError):
    """The process that ran a cell died, or did not end in time."""


class Child:
    """A process that runs cells (``harness.sweep.child``), kept from one to the next.

    Args:
        environment: all its variables; libraries read some of them only when they are loaded.
        log: what it prints is added there; None lets it print where we do.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self.environment = dict(environment)
        self.log = log
        self._ours, theirs = Pipe()
        with contextlib.ExitStack() as stack:
            output: IO[bytes] | None = None
            if log is not None:
                log.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(log.open("ab"))
            stack.callback(theirs.close)
            # A session of its own: Ctrl-C is ours to pass on, and its own children end with it.
            self.process = subprocess.Popen(  # noqa: S603
                [*(command or COMMAND), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._ready = False

    @property
    def alive(self) -> bool:
        """Whether it can take another order."""
        return not self._ours.closed and self.process.poll() is None

    def ask(self, order: Order, limit_seconds: float | None) -> Any:
        """What it answers to an order.

        Raises:
            LostError: it died or took longer than ``limit_seconds``; it is ended by then.
        """
        self.start()
        try:
            with contextlib.suppress(OSError):  # it has died: said below
                self._ours.send(order)
            late = f"it did not end within {_minutes(limit_seconds)} (sweep.timeout_minutes)"
            return self._answer(limit_seconds, late)
        except BaseException:  # an interrupt too: nothing is left behind
            self.end()
            raise

    def start(self) -> None:
        """Wait until it can take its first order.

        Raises:
            LostError: it died; it is ended by then.
        """
        if self._ready:
            return
        try:
            self._answer(START_SECONDS, "its process did not start within 10 minutes")
        except BaseException:
            self.end()
            raise
        self._ready = True

    def end(self) -> None:
        """End the process and all that it started."""
        kill_tree(self.process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        self._ours.close()

    def _answer(self, limit_seconds: float | None, late: str) -> Any:
        began = time.monotonic()
        while True:
            # Asked before the pipe is: what it sent just before it died is still read.
            died = self.process.poll() is not None
            try:
                if self._ours.poll(0 if died else LOOK_SECONDS):
                    return self._ours.recv()
            except (EOFError, OSError):
                died = True
            if died:
                raise LostError(self._death())
            if limit_seconds is not None and time.monotonic() - began > limit_seconds:
                raise LostError(late)

    def _death(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        if code >= 0:
            return f"its process ended with exit code {code}"
        number = signal.Signals(-code)
        return f"its process was killed by {number.name}{SIGNAL_HINTS.get(number, '')}"


def run_watched(
    order: Order,
    child: Callable[[], Child],
    retries: int,
    limit_seconds: float | None,
    runs: Callable[[], None],
    again: Callable[[str], None],
) -> Outcome:
    """Run a cell in a child process, as often as it is lost and ``retries`` allow.

    A cell that is lost for good gets a failed row. What it had put into the store stays there.

    Args:
        child: gives a live child process; called once for each try.
        runs: called as the cell begins, at each try.
        again: told why the cell was lost, before it is tried again.
    """
    told = ""
    for attempt in range(retries + 1):
        if attempt:
            again(told)
        try:
            one = child()
            one.start()
            runs()
            outcome = one.ask(order, limit_seconds)
        except LostError as error:
            told = str(error)
            continue
        assert isinstance(outcome, Outcome)
        return outcome
    tries = "1 try" if retries == 0 else f"{retries + 1} tries"
    final = f"lost after {tries}: {told}; what was finished is kept: mend it, then --rerun failed"
    try:
        row = child().ask(replace(order, lost=final), START_SECONDS)
    except LostError as error:
        return Outcome(None, f"{final} (and no row was written: {error})", 1)
    return Outcome(row, final, 1)


_child: Child | None = None


def kept_child(environment: Mapping[str, str], log: Path | None) -> Child:
    """This process's child for cells: the last one, if it lives and was started alike."""
    global _child  # noqa: PLW0603
    if _child is not None and not (
        _child.alive and _child.environment == dict(environment) and _child.log == log
    ):
        end_child()
    if _child is None:
        _child = Child(environment, log)
    return _child


@atexit.register
def end_child() -> None:
    """End this process's child, if it has one."""
    global _child  # noqa: PLW0603
    if _child is not None:
        _child.end()
        _child = None


def kill_tree(pid: int) -> None:
    """Kill a process that leads a group of its own, that group, and all who descend from it."""
    import psutil

    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        family = []
    # The group outlives its leader, who may be dead and waited for by now.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.kill()


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:g} min"
