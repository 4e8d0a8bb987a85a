"""Training: loss on answers only, the same at any accumulation, seeded, and clear when it fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import load_tiny
from safetensors.torch import load_file

from harness.adapters.attach import load_with_adapter
from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import AdapterConfig, ReplayConfig
from harness.adapters.examples import IGNORED, Example, answer_example, text_examples
from harness.adapters.train import train
from harness.adapters.trainer import Collator, HeadOnAnswersTrainer
from harness.errors import ConfigError, ModelError, TrainingError
from harness.models.language_model import LanguageModel
from harness.models.load import ModelFiles

PAIRS = [
    ("the river mayor", "Oslo"),
    ("one two", "Lima"),
    ("town person", "Paris Rome"),
    ("x", "y"),
]


def run(loop: Callable[[], None]) -> None:
    loop()


def examples(model: LanguageModel) -> list[Example]:
    return [answer_example(model, prompt, answer, 64) for prompt, answer in PAIRS]


def settings(**changes: object) -> AdapterConfig:
    values: dict[str, object] = {
        "rank": 4,
        "alpha": 8,
        "dropout": 0.0,
        "learning_rate": 1e-2,
        "epochs": 2,
        "batch_size": 4,
        "warmup_share": 0.0,
    }
    return AdapterConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_loss_falls_on_the_answer_and_its_end_only(tiny: LanguageModel):
    example = answer_example(tiny, "one two", "Lima", 64)
    context = tiny.encode(["one two"])[0]
    answer = tiny.tokenizer("Lima", add_special_tokens=False)["input_ids"]
    assert example.input_ids == [*context, *answer, tiny.end_id]
    assert example.labels == [*[IGNORED] * len(context), *answer, tiny.end_id]


def test_raw_text_is_cut_and_its_first_token_has_no_loss(tiny: LanguageModel):
    ids = [*tiny.tokenizer("one two three four")["input_ids"], tiny.end_id]
    pieces = text_examples(tiny, ["one two three four"], 3)
    assert [p.input_ids for p in pieces] == [
        ids[n : n + 3] for n in range(0, len(ids), 3) if len(ids[n : n + 3]) > 1
    ]
    assert all(p.labels == [IGNORED, *p.input_ids[1:]] for p in pieces)


def test_a_prompt_that_fills_the_length_is_refused(tiny: LanguageModel):
    with pytest.raises(TrainingError, match=r"exceeds adapter.max_tokens=8; raise it"):
        answer_example(tiny, "one two three four five six seven", "Lima", 8)


def test_the_collator_pads_on_the_right():
    batch = Collator(pad_id=9)(
        [
            {"input_ids": [1, 2, 3], "labels": [IGNORED, 2, 3]},
            {"input_ids": [4], "labels": [IGNORED]},
        ]
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3], [IGNORED] * 3]


def test_the_loss_equals_the_models_own(tiny: LanguageModel):
    batch = Collator(0)([vars(example) for example in examples(tiny)])
    with torch.no_grad():
        want = tiny.model(**batch).loss
    trainer = object.__new__(HeadOnAnswersTrainer)
    trainer.head, trainer.tokens, trainer.shared = tiny.head, 0, 0
    with torch.no_grad():
        got = trainer.compute_loss(tiny.model.eval(), dict(batch))
    assert float(got) == pytest.approx(float(want), abs=1e-6)


def test_lora_learns_and_is_saved_as_safetensors_without_paths(
    tiny: LanguageModel, tiny_model_folder: Path, tmp_path: Path
):
    summary = train(
        tiny, settings(epochs=40, learning_rate=5e-2), examples(tiny), [], 0, tmp_path / "a", run
    )
    assert summary.steps == 40
    assert summary.tokens == 40 * sum(len(e.input_ids) for e in examples(tiny))
    assert summary.last_loss < 0.7 * math.log(len(tiny.tokenizer))  # a uniform guess is 1.0
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json"}
    saved = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert saved["base_model_name_or_path"] is None


def weights_after(folder: Path, out: Path, config: AdapterConfig, seed: int) -> dict:
    model = load_tiny(folder)
    train(model, config, examples(model), [], seed, out, run)
    return load_file(out / "adapter_model.safetensors")


def test_one_seed_gives_the_same_bytes_and_another_does_not(tiny_model_folder, own_cache, tmp_path):
    config = settings(dropout=0.1, batch_size=2)
    first = weights_after(tiny_model_folder, tmp_path / "1", config, 7)
    again = weights_after(tiny_model_folder, tmp_path / "2", config, 7)
    other = weights_after(tiny_model_folder, tmp_path / "3", config, 8)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_accumulated_micro_batches_are_the_same_step(tiny_model_folder, own_cache, tmp_path):
    whole = weights_after(tiny_model_folder, tmp_path / "1", settings(), 0)
    parts = weights_after(tiny_model_folder, tmp_path / "2", settings(micro_batch_size=1), 0)
    for name in whole:
        # Adam scales tiny rounding differences up to a step, so the tolerance is not of rounding.
        assert torch.allclose(whole[name], parts[name], atol=2e-3), name


def test_checkpointing_gives_the_same_weights(tiny_model_folder, own_cache, tmp_path):
    plain = weights_after(tiny_model_folder, tmp_path / "1", settings(), 0)
    saved = weights_after(
        tiny_model_folder, tmp_path / "2", settings(gradient_checkpointing=True), 0
    )
    assert all(torch.allclose(plain[name], saved[name], atol=1e-5) for name in plain)


def test_merged_and_unmerged_adapters_answer_alike_and_differ_from_the_base(
    tiny_model_folder, own_cache, tmp_path
):
    model = load_tiny(tiny_model_folder)
    train(model, settings(epochs=30), examples(model), [], 0, tmp_path / "a", run)
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    ids = torch.tensor([[5, 6, 7, 8]])
    outputs = []
    for merge in (True, False):
        loaded = load_with_adapter(
            files, tmp_path / "a", settings(merge=merge), "float32", "eager", torch.device("cpu")
        )
        with torch.no_grad():
            outputs.append(loaded(ids).logits)
    with torch.no_grad():
        base = load_tiny(tiny_model_folder).model(ids).logits
    assert torch.allclose(outputs[0], outputs[1], atol=1e-4)
    assert not torch.allclose(outputs[0], base, atol=1e-2)


def test_full_fine_tuning_changes_every_kind_of_weight(tiny_model_folder, own_cache, tmp_path):
    model = load_tiny(tiny_model_folder)
    config = settings(kind="full", learning_rate=1e-3)
    train(model, config, examples(model), [], 0, tmp_path / "a", run)
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    after = load_with_adapter(
        files, tmp_path / "a", config, "float32", "eager", torch.device("cpu")
    )
    before = dict(load_tiny(tiny_model_folder).model.named_parameters())
    assert all(not torch.equal(before[name], value) for name, value in after.named_parameters())


def test_early_stopping_keeps_the_best_epoch(tiny_model_folder, own_cache, tmp_path):
    model = load_tiny(tiny_model_folder)
    # What is held out contradicts what is trained, so validation loss soon rises.
    held_out = [answer_example(model, prompt, "seven", 64) for prompt, _ in PAIRS]
    config = settings(epochs=30, learning_rate=3e-2, early_stopping_patience=2)
    heard: list[bool] = []
    summary = train(model, config, examples(model), held_out, 0, tmp_path / "a", run, heard.append)
    assert heard == [True, False] * int(summary.epochs)
    assert summary.epochs < 30
    assert summary.validation_loss is not None
    assert {p.name for p in (tmp_path / "a").iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
    }


def test_early_stopping_without_validation_trains_every_epoch(tiny: LanguageModel, tmp_path: Path):
    config = settings(epochs=3, early_stopping_patience=1)
    summary = train(tiny, config, examples(tiny), [], 0, tmp_path / "a", run)
    assert summary.epochs == 3
    assert summary.validation_loss is None


def test_nothing_to_train_on_is_refused(tiny: LanguageModel, tmp_path: Path):
    with pytest.raises(TrainingError, match="nothing to train on"):
        train(tiny, settings(), [], [], 0, tmp_path, run)


def test_a_loss_that_is_not_finite_names_step_and_remedy(tiny: LanguageModel, tmp_path: Path):
    with torch.no_grad():
        tiny.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"became nan at step 1; lower adapter") as caught:
        train(tiny, settings(), examples(tiny), [], 0, tmp_path, run)
    assert "\n" not in str(caught.value)


def test_out_of_memory_names_the_setting(tiny: LanguageModel, tmp_path: Path):
    def full(loop: Callable[[], None]) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingError, match=r"micro-batches of 4; set adapter.micro_batch_size"):
        train(tiny, settings(), examples(tiny), [], 0, tmp_path, full)


def test_modules_that_are_not_there_are_named(tiny: LanguageModel, tmp_path: Path):
    config = settings(target_modules="query, value")
    with pytest.raises(TrainingError, match=r"adapter.target_modules=query, value"):
        train(tiny, config, examples(tiny), [], 0, tmp_path, run)


def test_a_damaged_adapter_is_one_line(tiny_model_folder, own_cache, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    with pytest.raises(ModelError, match="cannot load the adapter at") as caught:
        load_with_adapter(files, tmp_path, settings(), "float32", "eager", torch.device("cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "lorra"}, "adapter.kind is 'lorra'.*did you mean 'lora'"),
        ({"rank": 0}, "adapter.rank is 0"),
        ({"learning_rate": 0.0}, "adapter.learning_rate is 0.0"),
        ({"micro_batch_size": 3}, "divides adapter.batch_size"),
        ({"train_passages": "all"}, "adapter.train_passages is 'all'"),
        ({"dropout": 1.0}, "below 1"),
        ({"early_stopping_patience": 0}, "adapter.early_stopping_patience"),
        ({"checkpoint_steps": -1}, "adapter.checkpoint_steps is -1; .* 0 for no checkpoints"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        settings(**changes)


def test_a_replay_share_of_one_would_leave_nothing_to_learn():
    with pytest.raises(ConfigError, match=r"adapter.replay.share is 1"):
        ReplayConfig(share=1.0)


def test_the_allocator_of_the_cpu_runs_out_with_the_same_line(tiny: LanguageModel, tmp_path: Path):
    def full(loop: Callable[[], None]) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    with pytest.raises(TrainingError, match=r"set adapter.micro_batch_size lower"):
        train(tiny, settings(), examples(tiny), [], 0, tmp_path, full)


def test_an_adapter_that_cannot_be_written_is_one_line(tiny: LanguageModel, tmp_path, monkeypatch):
    from peft import PeftModel
    from safetensors import SafetensorError

    def full(*args: object, **kwargs: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(PeftModel, "save_pretrained", full)
    with pytest.raises(TrainingError, match=r"No space left.*; free some space") as caught:
        train(tiny, settings(epochs=1), examples(tiny), [], 0, tmp_path / "a", run)
    assert "\n" not in str(caught.value)


def test_training_on_another_gpu_than_the_first_says_how(tmp_path: Path):
    from harness.adapters.train import _arguments

    with pytest.raises(TrainingError, match=r"CUDA_VISIBLE_DEVICES=1 and model.device=cuda"):
        _arguments(settings(), 1, False, 0, Checkpoints(tmp_path), torch.device("cuda:1"))
