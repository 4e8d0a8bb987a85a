"""One of two processes that run several small trainings, one after the other: ``JOB``.

Starting two processes takes far longer than these trainings, so the scenarios share them. Each
leaves its adapter and, in ``losses.json``, the loss of every step.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def every_loss() -> Iterator[list[float]]:
    """The training loss of each optimiser step within the block, as the Trainer logs it."""
    from transformers import Trainer

    from harness.adapters import train as module
    from harness.adapters.trainer import HeadOnAnswersTrainer

    losses: list[float] = []
    arguments = module._arguments

    def each_step(*args: Any) -> Any:
        made = arguments(*args)
        made.logging_strategy, made.logging_steps = "steps", 1
        return made

    def log(self: Any, logs: dict[str, float], *more: Any) -> None:
        if "loss" in logs:
            losses.append(logs["loss"])
        Trainer.log(self, logs, *more)

    module._arguments = each_step  # type: ignore[assignment]
    HeadOnAnswersTrainer.log = log  # type: ignore[method-assign]
    try:
        yield losses
    finally:
        module._arguments = arguments
        del HeadOnAnswersTrainer.log


class Killed(Exception):
    """Stands for a kill: raised after the same step in every process."""


class Recorder:
    """Stands for the channel: takes what is told, and answers at once."""

    def __init__(self, killed_after: int | None) -> None:
        self.killed_after = killed_after
        self.told: dict[str, Any] = {}

    def tell(self, what: str, value: Any = None) -> None:
        self.told[what] = value
        if what == "step" and value == self.killed_after:
            raise Killed

    def ask(self, what: str) -> Any:
        self.tell(what)
        return {"train": 1.5} if what == "costs" else {}


@contextmanager
def full_disk(after: int) -> Iterator[None]:
    """Within the block weights cannot be written, once they have been ``after`` times."""
    from transformers import Trainer

    save, times = Trainer.save_model, []

    def fail(self: Any, *args: Any, **kwargs: Any) -> None:
        times.append(1)
        if len(times) > after and self.is_world_process_zero():
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, *args, **kwargs)

    Trainer.save_model = fail  # type: ignore[method-assign]
    try:
        yield
    finally:
        Trainer.save_model = save  # type: ignore[method-assign]


def run(job: dict[str, Any], device: Any) -> None:
    from harness.adapters.worker import train_job

    folder = Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("ACCELERATE_USE_FSDP", None)  # accelerate leaves it to the next in a process
    recorder = Recorder(job.get("killed_after"))
    with every_loss() as losses, full_disk(job.get("room_for", 99)):
        try:
            train_job(job, recorder, device)  # type: ignore[arg-type]
        except Killed:
            return
    if os.environ["RANK"] == "0":
        told = {"losses": losses, **recorder.told}
        (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


def main(path: Path) -> None:
    from harness.adapters.worker import Channel, join

    channel = Channel()
    job = json.loads(path.read_text(encoding="utf-8"))
    device = join(job)
    for scenario in job["scenarios"]:
        run({**job, **scenario}, device)
    channel.ask("ended")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
