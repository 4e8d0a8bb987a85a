"""The processes of one training: started, heard, answered, and none left when one fails.

Each is one of our own workers. It tells what it does in lines of JSON on its standard output, and
its standard input ends when this process does, whereupon it ends too.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import harness
from harness import errors
from harness.errors import HarnessError, TrainingError

logger = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 3.0
"""When one process fails the others soon do, for want of it: so long the true cause is awaited."""

Listener = Callable[[Any], Any]


class Processes:
    """The processes of one training; with ``with`` none of them outlives the block.

    Attributes:
        on: what is done when a process says something, by what it says; the value that comes with
            it is given, and what is returned is the answer to what only the first process asks.
        told: what the first process said last, by what it said.
    """

    def __init__(
        self, command: Sequence[str], job: dict[str, Any], world: int, scratch: Path
    ) -> None:
        from torch.distributed import TCPStore

        # Held here and not by the first process: the system chooses the port, and it cannot be
        # taken by another training before the processes have met.
        self._meeting = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        path = scratch / "job.json"
        path.write_text(json.dumps({**job, "port": self._meeting.port}), encoding="utf-8")
        self.on: dict[str, Listener] = {"log": _log}
        self.told: dict[str, Any] = {}
        self._heard: queue.Queue[tuple[int, Any]] = queue.Queue()
        self._said: list[set[str]] = [set() for _ in range(world)]
        self._running: list[subprocess.Popen[str]] = []
        self._logs = [scratch / f"rank-{rank}.log" for rank in range(world)]
        try:
            for rank in range(world):
                self._start(command, path, rank, world, int(job.get("threads", 1)))
        except BaseException:
            self.end()
            raise

    @property
    def pids(self) -> list[int]:
        """Their ids."""
        return [process.pid for process in self._running]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """End all that still run."""
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def until(self, said: str) -> None:
        """Listen until every process has said ``said``.

        Raises:
            TrainingError, or what a process failed with: one has ended before.
        """
        while not all(said in one for one in self._said):
            rank, message = self._next()
            if message is None or message[0] == "failed":
                raise self._failure(rank, message)
            what, value = message
            self._said[rank].add(what)
            if rank == 0:
                self.told[what] = value
            answer = self.on[what](value) if what in self.on else None
            if what == "costs":
                self._answer(rank, answer or {})

    def go_on(self) -> None:
        """Answer all, who wait."""
        for rank in range(len(self._running)):
            self._answer(rank, {})

    def _next(self) -> tuple[int, Any]:
        while True:
            try:
                return self._heard.get(timeout=1.0)  # without one Ctrl-C is not heard on Windows
            except queue.Empty:
                continue

    def _answer(self, rank: int, answer: Any) -> None:
        pipe = self._running[rank].stdin
        try:
            if pipe is not None:
                pipe.write(json.dumps(answer) + "\n")
                pipe.flush()
        except OSError:  # it has just died: that is heard next
            pass

    def _start(
        self, command: Sequence[str], job: Path, rank: int, world: int, threads: int
    ) -> None:
        with self._logs[rank].open("w", encoding="utf-8") as log:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
                [*command, str(job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(os.environ, rank, world, threads, self._meeting.port),
                text=True,
                encoding="utf-8",
                errors="replace",
                # Ctrl-C reaches this process alone, which then ends the others.
                start_new_session=True,
            )
        self._running.append(process)
        threading.Thread(target=self._listen, args=(rank, process), daemon=True).start()

    def _listen(self, rank: int, process: subprocess.Popen[str]) -> None:
        """Pass on what a process says, and None when it has ended."""
        try:
            for line in process.stdout or ():
                self._heard.put((rank, json.loads(line)))
        except ValueError:  # a line cut off by death, or the pipe was closed
            pass
        self._heard.put((rank, None))

    def _failure(self, rank: int, message: Any) -> Exception:
        """The error to raise: what is the cause rather than what followed from it."""
        heard = [(rank, message)]
        until = time.monotonic() + LAST_WORDS_SECONDS
        while (left := until - time.monotonic()) > 0 and not _is_cause(heard[-1][1]):
            try:
                heard.append(self._heard.get(timeout=left))
            except queue.Empty:
                break
        said = [(r, m[1]) for r, m in heard if m is not None and m[0] == "failed"]
        for _, failure in said:
            kind = getattr(errors, failure["kind"], None)
            if isinstance(kind, type) and issubclass(kind, HarnessError):
                return kind(failure["line"])
        silent = [r for r, m in heard if m is None and r not in {r for r, _ in said}]
        for r in silent:
            code = self._code(r)
            if code < 0 or not said:
                return TrainingError(self._death(r, code))
        r, failure = said[0]
        line = " ".join(str(failure["line"]).split())
        return RuntimeError(f"{self._name(r)} failed: {line}\n{failure.get('traceback', '')}")

    def _code(self, rank: int) -> int:
        """The exit code of a process that has closed its output."""
        try:
            return self._running[rank].wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:  # it hangs in ending
            return 1

    def _death(self, rank: int, code: int) -> str:
        """One line on a process that ended without saying why."""
        if code == -signal.SIGKILL:
            return (
                f"{self._name(rank)} was killed (signal 9), most often because memory ran out; set "
                "adapter.micro_batch_size or adapter.processes lower"
            )
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        words = self._logs[rank].read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(words) if line.strip()), "")
        return f"{self._name(rank)} {how}" + (f"; the last it wrote: {last[:300]}" if last else "")

    def _name(self, rank: int) -> str:
        return f"process {rank + 1} of the {len(self._running)} that trained"


def environment(here: Any, rank: int, world: int, threads: int, port: int) -> dict[str, str]:
    """The environment of one process: which one it is, and none of a launcher's own settings."""
    prefixes = ("ACCELERATE_", "FSDP_", "TORCHELASTIC_", "PMI_", "OMPI_")
    own = {name: value for name, value in here.items() if not name.startswith(prefixes)}
    own |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(
            [str(Path(harness.__file__).parents[1]), *filter(None, [here.get("PYTHONPATH")])]
        ),
    }
    if sys.platform == "linux":
        own.setdefault("GLOO_SOCKET_IFNAME", "lo")  # they are on one machine: nobody else hears
    return own


def _is_cause(message: Any) -> bool:
    """Whether a process told a failure that its input or machine is to blame for."""
    return message is not None and message[0] == "failed" and bool(message[1]["kind"])


def _log(value: Any) -> None:
    level, line = value
    logger.log(int(level), "%s", line)
