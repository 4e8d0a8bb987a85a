"""Train one adapter over several processes of this machine: one for each GPU, or on the CPU.

This side starts them (``harness.adapters.worker``), hands them the examples and settings as files,
meters them, answers what they ask, and ends them all when one fails, or when it is ended itself.
What trains is the same code as in one process, with ``harness.adapters.ranks`` in between.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import harness
from harness import errors
from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import AdapterConfig
from harness.adapters.examples import Example
from harness.adapters.train import TrainingSummary, usable
from harness.errors import ConfigError, HarnessError, TrainingError
from harness.metering.meter import Meter
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles
from harness.progress import bar

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1800.0
"""So long a process waits for the others at a meeting point; then the training fails."""

LAST_WORDS_SECONDS = 3.0
"""When one process fails the others soon do, for want of it: so long the true cause is awaited."""

WORKER = (sys.executable, "-m", "harness.adapters.worker")

Listener = Callable[[Any], Any]


@dataclass(frozen=True)
class Base:
    """The base model, which every process loads for itself.

    Attributes:
        device: "cpu", or "cuda" for one visible GPU each.
    """

    files: ModelFiles
    config: ModelConfig
    device: str


def train_over_processes(
    base: Base,
    config: AdapterConfig,
    examples: Sequence[Example],
    validation: Sequence[Example],
    seed: int,
    folder: Path,
    measured: Callable[[Callable[[], None]], None],
    validating: Callable[[bool], None] = lambda begins: None,
    checkpoints: Checkpoints | None = None,
    loading: AbstractContextManager[Any] | None = None,
    meter: Meter | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    command: Sequence[str] = WORKER,
) -> TrainingSummary:
    """Train in ``config.processes`` processes as ``train.train`` does in one.

    Args:
        loading: entered while the processes start and load the model.
        meter: counts what the processes use as part of this one.
        patience_seconds: how long a process waits for another that hangs.
        command: starts one process; the path of the job's file is added to it.

    Raises:
        ConfigError: there are not as many devices.
        TrainingError: as ``train.train``; or a process died.
    """
    import torch

    if not examples:
        raise TrainingError("there is nothing to train on: the task has no training data")
    _check_devices(config, base.device)
    with tempfile.TemporaryDirectory(
        prefix="harness-ranks-", ignore_cleanup_errors=True
    ) as scratch:
        sets = {"train": examples, "held_out": validation}
        stored = Path(scratch) / "examples.json"
        stored.write_text(
            json.dumps({k: [[e.input_ids, e.labels] for e in v] for k, v in sets.items()}),
            encoding="utf-8",
        )
        keeps = checkpoints is not None and usable(checkpoints.folder)
        job = {
            "files": asdict(base.files),
            "model": asdict(base.config),
            "device": base.device.partition(":")[0],
            "backend": backend_of(base.device),
            "config": asdict(config),
            "examples": str(stored),
            "seed": seed,
            "folder": str(folder),
            "checkpoints": str(checkpoints.folder) if checkpoints and keeps else None,
            "every_steps": checkpoints.every_steps if checkpoints else None,
            "threads": threads_each(config.processes),
            "patience_seconds": patience_seconds,
        }
        steps = math.ceil(len(examples) / config.batch_size) * config.epochs
        if base.device.startswith("cuda"):
            torch.cuda.empty_cache()  # what this process has let go of is the first one's to use
        processes = Processes(command, job, config.processes, Path(scratch))
        pids, world = processes.pids, config.processes
        helped = meter.helped_by(pids, world) if meter else nullcontext()
        with helped as helpers, processes, bar("training", steps) as advance:
            done = 0

            def step_done(step: int) -> None:  # every process tells of every step
                nonlocal done
                advance(max(step - done, 0))
                done = max(step, done)

            def trained(peak_gpu_memory_bytes: int | None) -> None:
                if helpers is not None and peak_gpu_memory_bytes is not None:
                    helpers.saw_gpu_memory(peak_gpu_memory_bytes)

            processes.on |= {"step": step_done, "validating": validating, "trained": trained}
            if checkpoints is not None:
                costs = checkpoints.costs
                processes.on |= {"costs": lambda _: costs(), "resumed": checkpoints.resumed}
            with loading or nullcontext():
                processes.until("ready")

            def loop() -> None:
                processes.go_on()
                processes.until("trained")

            measured(loop)
            processes.until("ended")
            return TrainingSummary(**processes.told["summary"])


def backend_of(device: str) -> str:
    """What carries gradients between processes: NCCL between GPUs, gloo between CPU processes."""
    return "cuda:nccl,cpu:gloo" if device.startswith("cuda") else "gloo"


def threads_each(processes: int) -> int:
    """Each process' share of the threads that this one may use."""
    import torch

    return max(1, torch.get_num_threads() // processes)


def _check_devices(config: AdapterConfig, device: str) -> None:
    """Check that each process has a device to itself, or shares the CPU.

    Raises:
        ConfigError: it has not.
    """
    import torch

    kind, _, index = device.partition(":")
    wanted = f"adapter.processes={config.processes}"
    if kind not in ("cpu", "cuda"):
        raise ConfigError(
            f"{wanted}: several processes train on CUDA GPUs or on the CPU, not on {kind}"
        )
    if kind == "cuda" and index not in ("", "0"):
        raise ConfigError(
            f"{wanted} with model.device={device}: training takes the first visible GPUs; choose "
            "them with CUDA_VISIBLE_DEVICES, and set model.device=cuda"
        )
    if kind == "cuda" and (visible := torch.cuda.device_count()) < config.processes:
        raise ConfigError(
            f"{wanted}, but {visible} {'GPU is' if visible == 1 else 'GPUs are'} visible; each "
            "process needs one of its own"
        )


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
