"""A training that was killed goes on, and ends with the very bytes of one that was not."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import KilledError, load_tiny
from safetensors.torch import load_file

from harness.adapters.checkpoints import Checkpoints, progress_of
from harness.adapters.config import AdapterConfig
from harness.adapters.examples import Example, answer_example
from harness.adapters.train import TrainingSummary, train
from harness.errors import TrainingError
from harness.models.language_model import LanguageModel

# Of many lengths, so that the order by length is another in every epoch: 20 examples in batches of
# 4 are 5 steps an epoch.
PAIRS = [(" ".join(["one two three four five six seven"] * n), "Lima") for n in (1, 2)] * 4
PAIRS += [("town " * n + "mayor", "Oslo") for n in range(12)]


@pytest.fixture(autouse=True)
def cache(own_cache: Path) -> Path:
    return own_cache


def settings(**changes: Any) -> AdapterConfig:
    values: dict[str, Any] = {
        "rank": 4,
        "alpha": 8,
        "dropout": 0.1,  # draws random numbers in every step
        "learning_rate": 1e-2,
        "epochs": 3,
        "batch_size": 4,
    }
    return AdapterConfig(**{**values, **changes})


STOPPING = settings(epochs=30, learning_rate=1e-1, early_stopping_patience=1)


def examples(model: LanguageModel, answer: str | None = None) -> list[Example]:
    return [
        answer_example(model, f"What is the capital of {prompt}", answer or gold, 512)
        for prompt, gold in PAIRS
    ]


def trained(
    model_folder: Path,
    out: Path,
    config: AdapterConfig,
    work: Path | None = None,
    dtype: torch.dtype = torch.float32,
    every: int | None = 1,
) -> tuple[bytes, TrainingSummary]:
    """The saved weights' bytes and the summary of a training with a model loaded afresh."""
    model = load_tiny(model_folder)
    model.model.to(dtype)
    # What is held out contradicts what is trained, so validation loss soon rises.
    held_out = examples(model, "seven")[:4] if config.early_stopping_patience else []
    checkpoints = Checkpoints(work, every) if work else None
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    summary = train(
        model,
        config,
        examples(model),
        held_out,
        7,
        out,
        lambda loop: loop(),
        checkpoints=checkpoints,
    )
    (weights,) = out.glob("*.safetensors")
    return weights.read_bytes(), summary


def undisturbed_training(
    model_folder: Path, out: Path, config: AdapterConfig, dtype: torch.dtype = torch.float32
) -> tuple[bytes, TrainingSummary]:
    """What a training gives that nothing interrupts; without checkpoints, once for each config."""
    key = (repr(config), str(dtype))
    if key not in UNDISTURBED:
        UNDISTURBED[key] = trained(model_folder, out, config, dtype=dtype)
    return UNDISTURBED[key]


UNDISTURBED: dict[tuple[str, str], tuple[bytes, TrainingSummary]] = {}


def interrupted(step: int, kill: Callable[[int | None], None], *args: Any, **kwargs: Any) -> None:
    kill(step)
    with pytest.raises(KilledError):
        trained(*args, **kwargs)
    kill(None)


def steps(work: Path) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in work.iterdir())


@pytest.mark.parametrize(
    ("changes", "kills"),
    [
        ({}, [3]),  # in the first epoch
        ({}, [5]),  # at an epoch's beginning
        ({}, [5, 8, 14]),  # again and again, once at a beginning and then within the epoch
        ({"micro_batch_size": 2}, [7]),
        ({"dropout": 0.0}, [3, 8]),  # what all begin with is computed once a batch
        ({"kind": "full", "learning_rate": 1e-3}, [7]),
        ({"schedule": "cosine", "warmup_share": 0.3, "weight_decay": 0.1}, [2]),
    ],
)
def test_a_resumed_training_gives_the_same_bytes(
    tiny_model_folder, tmp_path, killed_at, changes, kills
):
    config, work = settings(**changes), tmp_path / "work"
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)
    assert undisturbed[1].shared_tokens == (0 if config.dropout else 5)
    for step in kills:
        interrupted(step, killed_at, tiny_model_folder, tmp_path / "b", config, work)
        assert steps(work)[-1] == step
    assert trained(tiny_model_folder, tmp_path / "b", config, work) == undisturbed


def test_a_resumed_training_gives_the_same_bytes_from_an_older_checkpoint(
    tiny_model_folder, tmp_path, killed_at
):
    config, work = settings(), tmp_path / "work"
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)
    interrupted(11, killed_at, tiny_model_folder, tmp_path / "b", config, work, every=4)
    assert steps(work) == [4, 8]
    assert trained(tiny_model_folder, tmp_path / "b", config, work, every=4) == undisturbed


def test_bfloat16_adapters_stay_bfloat16(tiny_model_folder, tmp_path, killed_at):
    config, work = settings(), tmp_path / "work"
    undisturbed = undisturbed_training(
        tiny_model_folder, tmp_path / "a", config, dtype=torch.bfloat16
    )
    interrupted(7, killed_at, tiny_model_folder, tmp_path / "b", config, work, torch.bfloat16)
    resumed = trained(tiny_model_folder, tmp_path / "b", config, work, torch.bfloat16)
    assert resumed == undisturbed
    saved = load_file(tmp_path / "b" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.bfloat16}


def test_early_stopping_resumes_right_wherever_it_was_killed(
    tiny_model_folder, tmp_path, killed_at
):
    config = STOPPING
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)
    last = undisturbed[1].steps
    assert last < 150  # it did stop early
    for step in (5, last - 6, last - 1):
        work = tmp_path / f"work{step}"
        interrupted(step, killed_at, tiny_model_folder, tmp_path / "b", config, work)
        resumed = trained(tiny_model_folder, tmp_path / "b", config, work)
        assert resumed == undisturbed, step


def test_killed_after_it_stopped_early_it_does_not_train_on(
    tiny_model_folder, tmp_path, monkeypatch
):
    config = STOPPING
    work = tmp_path / "work"
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)

    def die(*args: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("harness.adapters.train._save", die)
        with pytest.raises(KilledError):
            trained(tiny_model_folder, tmp_path / "b", config, work)
    assert trained(tiny_model_folder, tmp_path / "b", config, work) == undisturbed


def test_a_store_that_was_moved_still_finds_the_best_epoch(tiny_model_folder, tmp_path, killed_at):
    config = STOPPING
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)
    last = undisturbed[1].steps
    interrupted(last - 1, killed_at, tiny_model_folder, tmp_path / "b", config, tmp_path / "work")
    (tmp_path / "work").rename(tmp_path / "moved")
    assert trained(tiny_model_folder, tmp_path / "b", config, tmp_path / "moved") == undisturbed


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
import test_checkpoints as t
from harness.adapters.trainer import HeadOnAnswersTrainer
compute_loss = HeadOnAnswersTrainer.compute_loss
def mortal(trainer, *args, **kwargs):
    if trainer.state.global_step == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return compute_loss(trainer, *args, **kwargs)
HeadOnAnswersTrainer.compute_loss = mortal
t.trained(Path({model!r}), Path({out!r}), t.settings(), Path({work!r}))
"""


def test_a_process_that_was_killed_is_gone_on_from(tiny_model_folder, tmp_path):
    work, here = tmp_path / "work", Path(__file__).parent
    script = KILLED.format(
        paths=[str(here), str(here.parent)],
        model=str(tiny_model_folder),
        out=str(tmp_path / "b"),
        work=str(work),
    )
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, env=environment
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-500:]
    assert steps(work) == [7, 8]
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", settings())
    assert trained(tiny_model_folder, tmp_path / "b", settings(), work) == undisturbed


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", ["flip", "truncate", "missing", "unsealed", "seal", "extra"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tiny_model_folder, tmp_path, killed_at, caplog, damage
):
    config, work = settings(epochs=2), tmp_path / "work"
    interrupted(7, killed_at, tiny_model_folder, tmp_path / "b", config, work)
    newest = work / "checkpoint-7"
    if damage == "flip":
        flip(newest / "adapter_model.safetensors")
    elif damage == "truncate":
        (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:-1])
    elif damage == "missing":
        (newest / "rng_state.pth").unlink()
    elif damage == "unsealed":
        (newest / "seal.json").unlink()
    elif damage == "seal":
        (newest / "seal.json").write_text("{")
    else:
        (newest / "pytorch_model.bin").write_bytes(b"pickled")
    with caplog.at_level(logging.WARNING):
        assert Checkpoints(work).newest() == work / "checkpoint-6"
    assert "not resuming training from checkpoint-7" in caplog.text
    assert not newest.exists()
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)
    assert trained(tiny_model_folder, tmp_path / "b", config, work) == undisturbed


def test_with_every_checkpoint_damaged_it_starts_again(tiny_model_folder, tmp_path, killed_at):
    config, work = settings(epochs=2), tmp_path / "work"
    interrupted(7, killed_at, tiny_model_folder, tmp_path / "b", config, work)
    for path in work.iterdir():
        flip(path / "optimizer.pt")
    assert Checkpoints(work).newest() is None
    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", config)
    assert trained(tiny_model_folder, tmp_path / "b", config, work) == undisturbed


def test_a_checkpoint_whose_best_epoch_is_damaged_is_not_resumed_from(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    write(checkpoints, 5, best_step=5)
    for step in (6, 7, 8):
        write(checkpoints, step, best_step=5)
    assert steps(tmp_path) == [5, 7, 8]  # the best is kept beside the newest two
    flip(tmp_path / "checkpoint-5" / "weights")
    assert checkpoints.newest() is None


def write(checkpoints: Checkpoints, step: int, best_step: int | None = None) -> None:
    def save() -> None:
        checkpoints.path(step).mkdir()
        (checkpoints.path(step) / "weights").write_text("weights" * step)

    checkpoints.write(step, save, {"best_step": best_step})


def test_nothing_is_unpickled(tiny_model_folder, tmp_path, killed_at, monkeypatch):
    work = tmp_path / "work"
    interrupted(3, killed_at, tiny_model_folder, tmp_path / "b", settings(), work)
    assert not list(work.rglob("training_args.bin"))
    load, loaded = torch.load, []

    def watched(file: Any, *args: Any, **kwargs: Any) -> Any:
        assert kwargs.get("weights_only") is True, file
        loaded.append(Path(file).name)
        return load(file, *args, **kwargs)

    monkeypatch.setattr(torch, "load", watched)
    trained(tiny_model_folder, tmp_path / "b", settings(), work)
    assert sorted(loaded) == ["optimizer.pt", "rng_state.pth", "scheduler.pt"]


def test_a_full_disk_costs_the_checkpoint_not_the_training(
    tiny_model_folder, tmp_path, monkeypatch, caplog
):
    def full(*args: object, **kwargs: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    undisturbed = undisturbed_training(tiny_model_folder, tmp_path / "a", settings())
    monkeypatch.setattr(torch, "save", full)
    work = tmp_path / "work"
    with caplog.at_level(logging.WARNING):
        assert trained(tiny_model_folder, tmp_path / "b", settings(), work, every=7) == undisturbed
    assert "without a checkpoint at step 7: PytorchStreamWriter failed" in caplog.text
    assert steps(work) == []


def test_a_full_disk_is_told_where_early_stopping_needs_the_weights(
    tiny_model_folder, tmp_path, monkeypatch
):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.adapters.checkpoints.seal", full)
    config = settings(early_stopping_patience=2)
    with pytest.raises(TrainingError, match=r"epoch 1, .*No space left.*; free some") as caught:
        trained(tiny_model_folder, tmp_path / "b", config, tmp_path / "work", every=100)
    assert "\n" not in str(caught.value)
    assert steps(tmp_path / "work") == []


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_work_is_lost_at_most_unless_saving_is_slow(tmp_path):
    clock = Clock()
    checkpoints = Checkpoints(tmp_path, clock=clock)
    clock.now += 59
    assert not checkpoints.is_due(1)
    clock.now += 1
    assert checkpoints.is_due(2)

    def save() -> None:
        checkpoints.path(2).mkdir()
        clock.now += 3  # two percent of 150 s

    checkpoints.write(2, save, {})
    clock.now += 149
    assert not checkpoints.is_due(3)
    clock.now += 1
    assert checkpoints.is_due(4)


def test_checkpoints_by_steps(tmp_path):
    assert [step for step in range(1, 9) if Checkpoints(tmp_path, 3).is_due(step)] == [3, 6]
    assert not any(Checkpoints(tmp_path, 0).is_due(step) for step in range(1, 9))


def test_the_newest_two_are_kept_whatever_the_clock_says(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (9, 10, 11):
        write(checkpoints, step)
        os.utime(checkpoints.path(step), (1000 - step, 1000 - step))
    assert steps(tmp_path) == [10, 11]
    assert checkpoints.newest() == tmp_path / "checkpoint-11"


def test_a_checkpoint_holds_what_the_work_cost_and_tells_it_on_resuming(
    tiny_model_folder, tmp_path, killed_at
):
    work = tmp_path / "work"
    interrupted(3, killed_at, tiny_model_folder, tmp_path / "b", settings(), work)
    told: list[dict[str, Any]] = []
    path = Checkpoints(work).newest()
    assert path is not None
    assert progress_of(path)["costs"] == {}
    progress = json.loads((path / "progress.json").read_text())
    (path / "progress.json").write_text(json.dumps(progress | {"costs": {"train": 5}}))
    (path / "seal.json").unlink()
    from harness.adapters.checkpoints import seal

    seal(path)
    model = load_tiny(tiny_model_folder)
    checkpoints = Checkpoints(work, 1, dict, told.append)
    (tmp_path / "c").mkdir()
    summary = train(
        model, settings(), examples(model), [], 7, tmp_path / "c", lambda loop: loop(),
        checkpoints=checkpoints,
    )  # fmt: skip
    assert told == [{"train": 5}]
    assert asdict(summary)["steps"] == 15
