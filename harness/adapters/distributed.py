"""Train one adapter over several processes of this machine: one for each GPU, or on the CPU.

This side starts them (``harness.adapters.worker``), hands them the examples and settings as files,
meters them, answers what they ask, and ends them all when one fails, or when it is ended itself.
What trains is the same code as in one process, with ``harness.adapters.ranks`` in between.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import AdapterConfig
from harness.adapters.examples import Example
from harness.adapters.processes import Processes
from harness.adapters.train import TrainingSummary, usable
from harness.errors import ConfigError, TrainingError
from harness.metering.meter import Meter
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles
from harness.progress import bar

PATIENCE_SECONDS = 1800.0
"""So long a process waits for the others at a meeting point; then the training fails."""

WORKER = (sys.executable, "-m", "harness.adapters.worker")


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
