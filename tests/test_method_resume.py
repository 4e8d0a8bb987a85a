"""A method whose training is interrupted: the next fit goes on, and costs what both spent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import store, store_listing
from harness.adapters.config import AdapterConfig
from harness.adapters.trainer import HeadOnAnswersTrainer
from harness.config import Config
from harness.ledger import Ledger
from harness.metering.meter import Meter
from harness.method import Method
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles
from harness.tasks.config import FictionalConfig
from harness.types import Task, TrainingPair

PAIRS = tuple(TrainingPair(f"{'one ' * n}two", "Lima") for n in range(12))
TASK = Task("pairs", PAIRS, (), (), ())
# 3 steps an epoch; a checkpoint after steps 2 and 4.
LORA = AdapterConfig(
    rank=2, alpha=4, epochs=2, batch_size=4, dropout=0.1, learning_rate=1e-2, checkpoint_steps=2
)
STEP_SECONDS = 10.0


class KilledError(BaseException):
    """What stops a training in the middle."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fitted(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Method, Ledger]]:
    """Fits a method with an adapter, each step taking ten seconds of a clock that is ours."""
    compute_loss = HeadOnAnswersTrainer.compute_loss
    model = ModelConfig(
        name="tiny", source="local", id=str(tiny_model_folder), dtype="float32",
        attention="eager", train_dtype="float32", train_attention="eager",
    )  # fmt: skip

    def fit(dies_at: int | None = None, reuse: bool = True, adapter: AdapterConfig = LORA) -> Any:
        clock = Clock()

        def timed(trainer: HeadOnAnswersTrainer, *args: Any, **kwargs: Any) -> Any:
            if trainer.state.global_step == dies_at:
                raise KilledError
            clock.now += STEP_SECONDS
            return compute_loss(trainer, *args, **kwargs)

        monkeypatch.setattr(HeadOnAnswersTrainer, "compute_loss", timed)
        ledger = Ledger(Meter(torch.device("cpu"), clock=clock, cpu_clock=lambda: 0.0), reuse)
        config = Config(arm="lora", task=FictionalConfig(), model=model, adapter=adapter)
        files = ModelFiles(str(tiny_model_folder), None, "tiny")
        method = Method(config, TASK, files, torch.device("cpu"), ledger)
        if dies_at is None:
            method.fit()
        else:
            with pytest.raises(KilledError):
                method.fit()
        return method, ledger

    return fit


def train_seconds(ledger: Ledger) -> tuple[float, float]:
    """Of the arm in full, and of what this run spent."""
    spent = ledger.spent().get("train")
    return ledger.full()["train"].wall_seconds, spent.wall_seconds if spent else 0.0


def weights(method: Method) -> bytes:
    assert method.adapter_artifact is not None
    return (method.adapter_artifact.folder / "adapter_model.safetensors").read_bytes()


def test_a_resumed_fit_gives_the_same_adapter_at_the_cost_of_both(own_cache: Path, fitted):
    undisturbed, ledger = fitted(reuse=False)
    assert train_seconds(ledger) == (60, 60)
    expected, told = weights(undisturbed), undisturbed.training

    fitted(dies_at=5, reuse=False)
    assert [path.name for path in store_listing.unfinished()] == [
        f".work-{undisturbed.adapter_artifact.folder.name}"
    ]
    # The killed fit was to reuse nothing, so its artifact is still the one before: make room.
    store.discard(undisturbed.adapter_artifact.folder)

    resumed, ledger = fitted()
    assert weights(resumed) == expected
    assert resumed.training == told
    assert train_seconds(ledger) == (60, 20)  # 40 s were in the checkpoint of step 4
    assert ledger.reused == ["checkpoint"]
    assert store_listing.unfinished() == []

    reused, ledger = fitted()
    assert weights(reused) == expected
    assert train_seconds(ledger) == (60, 0)
    assert ledger.reused == ["adapter"]


def test_without_reuse_an_interrupted_training_begins_anew(own_cache: Path, fitted):
    fitted(dies_at=5)
    _, ledger = fitted(reuse=False)
    assert train_seconds(ledger) == (60, 60)
    assert ledger.reused == []


def test_without_checkpoints_nothing_is_kept(own_cache: Path, fitted):
    from dataclasses import replace

    fitted(dies_at=5, adapter=replace(LORA, checkpoint_steps=0))
    assert store_listing.unfinished() == []
