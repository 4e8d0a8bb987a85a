"""One process of a training over several: ``python -m harness.adapters.worker JOB``.

Messages for the process that started it go to standard output and its answers come from standard
input, a line of JSON each. When that input ends the other process is dead, and this one ends too.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    import torch


class Channel:
    """Where a worker tells and asks the process that started it."""

    def __init__(self) -> None:
        # Libraries print: what they print goes to standard error.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._answers: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    def tell(self, what: str, value: Any = None) -> None:
        """Send a message."""
        self._out.write(json.dumps([what, value]) + "\n")
        self._out.flush()

    def ask(self, what: str) -> Any:
        """The answer to a message."""
        self.tell(what)
        return self._answers.get()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._answers.put(json.loads(line))
        os._exit(1)  # whoever started this process has ended


class _Passed(logging.Handler):
    """Passes log lines on to the process that started this one."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.tell("log", [record.levelno, record.getMessage()])


def main(job: Path) -> int:
    """Train as one of several processes; return the exit code."""
    channel = Channel()
    if os.environ["RANK"] == "0":
        logging.getLogger("harness").addHandler(_Passed(channel))
    try:
        told = json.loads(job.read_text(encoding="utf-8"))
        train_job(told, channel, join(told))
    except HarnessError as error:
        channel.tell("failed", {"kind": type(error).__name__, "line": str(error)})
        return 1
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        channel.tell("failed", {"kind": "", "line": told, "traceback": traceback.format_exc()})
        return 1
    channel.ask("ended")  # and be ended
    return 0


def train_job(job: dict[str, Any], channel: Channel, device: torch.device) -> None:
    """Load the model, train and save as ``job`` says, with the processes that were joined."""
    from dataclasses import asdict

    import torch
    from omegaconf import OmegaConf

    from harness.adapters.config import AdapterConfig
    from harness.adapters.examples import Example
    from harness.adapters.ranks import Ranks, RanksCheckpoints
    from harness.adapters.train import train
    from harness.models.config import ModelConfig
    from harness.models.language_model import LanguageModel
    from harness.models.load import ModelFiles, load_tokenizer, load_weights

    config = _typed(AdapterConfig, job["config"], OmegaConf)
    model_config = _typed(ModelConfig, job["model"], OmegaConf)
    files = ModelFiles(**job["files"])
    folder = Path(job["folder"])
    ranks = Ranks(config.strategy, lambda step: channel.tell("step", step))
    weights = load_weights(files, model_config.train_dtype, model_config.train_attention, device)
    weights.requires_grad_(False)
    model = LanguageModel(weights, load_tokenizer(files), model_config, files.identity)
    first = ranks.is_first
    checkpoints = RanksCheckpoints(
        ranks,
        Path(job["checkpoints"] or folder / "checkpoints"),
        every_steps=job["every_steps"] if job["checkpoints"] else 0,
        costs=lambda: dict(channel.ask("costs")),
        resumed=lambda costs: channel.tell("resumed", costs),
    )

    def measured(loop: Callable[[], None]) -> None:
        channel.ask("ready")
        loop()
        cuda = device.type == "cuda"
        channel.tell("trained", torch.cuda.max_memory_allocated(device) if cuda else None)

    def validating(begins: bool) -> None:
        if first:
            channel.tell("validating", begins)

    sets = json.loads(Path(job["examples"]).read_text(encoding="utf-8"))
    examples, validation = ([Example(*one) for one in sets[name]] for name in ("train", "held_out"))
    summary = train(
        model,
        config,
        examples,
        validation,
        job["seed"],
        folder,
        measured,
        validating,
        checkpoints,
        ranks,
    )
    if first:
        channel.tell("summary", asdict(summary))


def join(job: dict[str, Any]) -> torch.device:
    """Meet the other processes at the address given; the device that is this one's."""
    import torch

    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(job["threads"])
    device = torch.device("cuda", rank) if job["device"] == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    patience = timedelta(seconds=job["patience_seconds"])
    torch.distributed.init_process_group(
        backend=job["backend"],
        store=torch.distributed.TCPStore(
            "127.0.0.1", job["port"], is_master=False, timeout=patience
        ),
        rank=rank,
        world_size=world,
        timeout=patience,
    )
    return device


def _typed(kind: type, values: dict[str, Any], omegaconf: Any) -> Any:
    """The settings dataclass of ``kind`` with these values, checked."""
    return omegaconf.to_object(omegaconf.merge(omegaconf.structured(kind), values))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
