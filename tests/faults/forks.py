"""Runs ``harness`` commands and kills them: ``Forks().run(...)``.

A process that has loaded the libraries forks one for each command, since starting Python and
loading torch anew for each of some hundred kills would take most of the time. What is killed is a
whole ``harness run`` nevertheless, with all the processes that it started.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

import psutil

if __package__:
    from . import stages, trap
else:  # as a command
    import stages
    import trap

ROOT = Path(__file__).resolve().parent.parent.parent
LOOK_SECONDS = 0.004
LIBRARIES = (
    "harness.run",
    "harness.launch",
    "harness.overrides",
    "harness.summary",
    "harness.sweep.status_command",
    "harness.adapters.data",
    "harness.adapters.train",
    "harness.retrieval.bm25",
    "hydra.main",
    "bm25s",
    "datasets",
    "peft",
    "safetensors.torch",
    "transformers.models.llama.modeling_llama",
    "transformers.integrations",
    "torch._dynamo",
)


@dataclass(frozen=True)
class Kill:
    """When a command is killed: after some time, or at a file system event; None: never.

    Attributes:
        seconds: after its start.
        at: a stage of ``trap.STAGES``, or a regular expression for "<event> <path>".
        after: an event that must have been before, named likewise.
        number: which of the events that fit.
        fill: fill the disk instead, with a file ``filler`` beside the cache, and let it go on.
    """

    seconds: float | None = None
    at: str | None = None
    after: str | None = None
    number: int = 1
    fill: bool = False


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; negative: the signal that ended it.
        stages: what it was doing when it was killed; empty if it was not.
        met: the file system event at which it was, if it was killed at one.
        processes: how many were killed.
    """

    code: int
    seconds: float
    stages: list[str] = field(default_factory=list)
    met: str = ""
    processes: int = 0

    @property
    def killed(self) -> bool:
        """Whether it was killed before it ended by itself."""
        return self.processes > 0


class Forks:
    """The process that forks; ``with Forks() as forks``."""

    def __init__(self) -> None:
        # One thread each: the sums of a parallel loop may differ by the number of threads.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # it holds nothing, and would take seconds to unload the libraries
        self._process.wait(30)

    def run(self, arguments: Sequence[str], folder: Path, kill: Kill | None = None) -> Ended:
        """Run ``harness`` with these arguments in ``folder``, whose ``cache`` is its cache.

        What it prints is added to ``folder/log.txt``.
        """
        order = {
            "arguments": list(arguments),
            "folder": str(folder),
            "kill": asdict(kill or Kill()),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the forking process ended with code {self._process.wait()}")
        return Ended(**json.loads(answer))


def serve() -> None:
    """Answer orders until the other end hangs up."""
    sys.path.insert(0, str(ROOT))
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        ended = command(order["arguments"], Path(order["folder"]), Kill(**order["kill"]))
        print(json.dumps(asdict(ended)), flush=True)


def command(arguments: Sequence[str], folder: Path, kill: Kill) -> Ended:
    """Fork, run the command there, kill it as ordered."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "met.txt"
    mark.unlink(missing_ok=True)
    environment = {"HARNESS_CACHE": str(folder / "cache")}
    if kill.at is not None:
        order = {
            "mark": str(mark),
            "at": kill.at,
            "after": kill.after,
            "number": kill.number,
        }
        environment["FAULTS_TRAP"] = json.dumps(order)
        known = os.environ.get("PYTHONPATH", "")
        hook = str(Path(__file__).parent / "hook")
        environment["PYTHONPATH"] = f"{hook}{os.pathsep}{known}" if known else hook
    before = stages.traces(folder)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _run(arguments, folder, environment)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if ended:
            return Ended(os.waitstatus_to_exitcode(status), seconds)
        if mark.exists() or (kill.seconds is not None and seconds >= kill.seconds):
            family = stop_all(pid)
            if kill.fill:
                fill_disk(folder)
                for one in family:
                    one.send_signal(signal.SIGCONT)
                _, status = os.waitpid(pid, 0)
                return Ended(os.waitstatus_to_exitcode(status), seconds, met=mark.read_text())
            at = stages.at_work(folder, before)
            met = mark.read_text() if mark.exists() else ""
            code = kill_all(pid, family)
            stage = trap.stage_of(met.partition(" ")[2])
            at = sorted({*at, stage} if stage else at) or ["between"]
            return Ended(code, seconds, at, met, len(family))
        time.sleep(LOOK_SECONDS)


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> NoReturn:
    """In the forked process: be the command, and end."""
    code = 99
    try:
        os.setsid()
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for ours, standard in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(ours, standard)
        os.chdir(folder)
        os.environ.update(environment)
        random.seed()
        if "FAULTS_TRAP" in environment:
            trap.set_trap(environment["FAULTS_TRAP"])
        from harness.cli import main

        code = main(list(arguments))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 98
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def stop_all(pid: int) -> list[psutil.Process]:
    """Stop the process and all that it started, and theirs; they are as they were at one moment."""
    root = psutil.Process(pid)
    stopped: dict[int, psutil.Process] = {}
    while True:  # until no new one: one that is stopped starts none
        with contextlib.suppress(psutil.Error):
            family = [root, *root.children(recursive=True)]
        new = [one for one in family if one.pid not in stopped]
        if not new:
            return list(stopped.values())
        for one in new:
            with contextlib.suppress(psutil.Error):
                one.send_signal(signal.SIGSTOP)
            stopped[one.pid] = one


def fill_disk(folder: Path) -> None:
    """Write a file ``filler`` until there is no space left."""
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def kill_all(pid: int, family: Sequence[psutil.Process]) -> int:
    """SIGKILL them all; the exit code of the first."""
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.send_signal(signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    psutil.wait_procs([one for one in family if one.pid != pid], timeout=30)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    serve()
