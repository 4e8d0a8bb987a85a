"""What examples begin with is computed once a batch; neither loss nor gradients change by it."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import load_tiny
from safetensors.torch import load_file

from harness.adapters.beginning import shared_in_training
from harness.adapters.config import AdapterConfig, KlConfig
from harness.adapters.examples import IGNORED, Example, answer_example, text_examples
from harness.adapters.train import _features, attach_for_training, train
from harness.adapters.trainer import Collator, HeadOnAnswersTrainer
from harness.models.language_model import LanguageModel
from harness.models.load import ModelFiles, load_tokenizer, load_weights

BEGINNING = "What is the capital of one two three "
PAIRS = [
    (BEGINNING + rest, answer)
    for rest, answer in (
        ("river", "Oslo"),
        ("seven six five four", "Lima two"),
        ("x", "a town"),
        ("a", "b"),
    )
]
LORA = AdapterConfig(rank=4, alpha=8, learning_rate=1e-2, epochs=2, batch_size=2, warmup_share=0.0)
FULL = replace(LORA, kind="full")


def examples(model: LanguageModel) -> list[Example]:
    return [answer_example(model, prompt, answer, 512) for prompt, answer in PAIRS]


def loaded(folder: Path, attention: str = "eager", dtype: str = "float32") -> LanguageModel:
    found = load_tiny(folder)
    files = ModelFiles(str(folder), None, "tiny")
    weights = load_weights(files, dtype, attention, torch.device("cpu")).requires_grad_(False)
    return LanguageModel(weights, load_tokenizer(files), found.config, "tiny")


def attached(model: LanguageModel, config: AdapterConfig) -> Any:
    """The model with what is trained in it, no part of an adapter zero."""
    torch.manual_seed(1)
    trained = attach_for_training(model.model, config)
    with torch.no_grad():
        for name, value in trained.named_parameters():
            if value.requires_grad and config.kind != "full":
                value.copy_(torch.randn_like(value) * (0.3 if "lora" in name else 1.0))
    return trained


def loss_and_gradients(
    model: LanguageModel, trained: Any, config: AdapterConfig, told: list[Example], shared: int
) -> tuple[float, dict[str, torch.Tensor]]:
    trainer = object.__new__(HeadOnAnswersTrainer)
    trainer.head, trainer.tokens, trainer.kl, trainer.shared = model.head, 0, config.kl, shared
    trained.zero_grad()
    batch = Collator(0)([_features(example, config) for example in told])
    loss = trainer.compute_loss(trained, batch)
    loss.backward()
    found = {n: p.grad.clone() for n, p in trained.named_parameters() if p.requires_grad}
    return float(loss.detach()), found


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    "config",
    [LORA, FULL, replace(LORA, variant="dora"), replace(LORA, kl=KlConfig(weight=2.0))],
    ids=["lora", "full", "dora", "kl"],
)
def test_loss_and_gradients_are_those_of_whole_examples(
    config, attention, tiny_model_folder, own_cache
):
    model = loaded(tiny_model_folder, attention)
    told = examples(model)
    trained = attached(model, config)
    shared = shared_in_training(trained, config, told)
    assert shared == 8  # the words of BEGINNING; its last space belongs to what follows
    whole, want = loss_and_gradients(model, trained, config, told, 0)
    once, found = loss_and_gradients(model, trained, config, told, shared)
    assert once == pytest.approx(whole, rel=1e-6)
    assert found.keys() == want.keys()
    for name, value in want.items():
        apart = (found[name] - value).norm()
        assert value.norm() > 0
        assert apart <= 2e-6 * value.norm(), f"{name}: {apart / value.norm()}"


def test_one_gradient_is_that_of_the_definition(tiny_model_folder, own_cache):
    """By differences: (loss(w + h) - loss(w - h)) / 2h, of the key weight that matters most."""
    model = loaded(tiny_model_folder)
    told = examples(model)
    trained = attached(model, FULL)
    _, gradients = loss_and_gradients(model, trained, FULL, told, 8)
    name, h = "model.layers.0.self_attn.k_proj.weight", 1e-2
    weight, gradient = dict(trained.named_parameters())[name].data.flatten(), gradients[name]
    place = int(gradient.abs().argmax())

    def loss(moved: float) -> float:
        before = float(weight[place])
        weight[place] = before + moved
        total, count = 0.0, 0
        for example in told:
            with torch.no_grad():
                logp = trained(torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
            for at, target in enumerate(example.labels):
                if target != IGNORED:
                    total, count = total - float(logp[at - 1, target]), count + 1
        weight[place] = before
        return total / count

    by_definition = (loss(h) - loss(-h)) / (2 * h)
    assert abs(by_definition) > 0.01
    assert float(gradient.flatten()[place]) == pytest.approx(by_definition, rel=5e-3)


def test_an_example_that_is_nothing_but_the_beginning_changes_nothing(tiny_model_folder, own_cache):
    model = loaded(tiny_model_folder)
    told = examples(model)
    beginning = told[0].input_ids[:8]
    bare = Example(beginning, [IGNORED] * 8)
    closed = Example(beginning, [*[IGNORED] * 7, beginning[7]])
    trained = attached(model, LORA)
    assert shared_in_training(trained, LORA, [*told, bare]) == 7  # its last token is left over
    assert shared_in_training(trained, LORA, [*told, closed]) == 6  # and what predicts its label
    alone, gradients = loss_and_gradients(model, trained, LORA, told, 0)
    beside, found = loss_and_gradients(model, trained, LORA, [*told, bare], 7)
    assert beside == pytest.approx(alone, rel=1e-6)
    for name, value in gradients.items():
        assert (found[name] - value).norm() <= 2e-6 * value.norm(), name
    want, _ = loss_and_gradients(model, trained, LORA, [*told, closed], 0)
    got, _ = loss_and_gradients(model, trained, LORA, [*told, closed], 6)
    assert got == pytest.approx(want, rel=1e-6) and got != pytest.approx(alone, rel=1e-3)


def test_prompts_that_are_alike_leave_the_token_before_the_answer(tiny: LanguageModel):
    told = [answer_example(tiny, BEGINNING + "x", answer, 64) for answer in ("Oslo", "Oslo")]
    prompt = len(tiny.encode([BEGINNING + "x"])[0])
    assert shared_in_training(attached(tiny, LORA), LORA, told) == prompt - 1


def test_the_model_is_given_the_beginning_once_and_the_rest_of_each(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
):
    told = examples(tiny)
    seen: list[tuple[int, ...]] = []
    forward = tiny.model.forward

    @wraps(forward)
    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(tiny.model, "forward", watched)
    loss_and_gradients(tiny, attached(tiny, FULL), FULL, told, 8)
    longest = max(len(one.input_ids) for one in told)
    assert seen == [(1, 8), (4, longest - 8)]


@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0.1},
        {"options": {"rank_dropout": 0.1}, "kind": "loha"},
        {"gradient_checkpointing": True},
        {"micro_batch_size": 1},
    ],
    ids=["dropout", "an option that drops", "recomputed", "batches of one"],
)
def test_examples_are_computed_whole(changes: dict[str, Any], tiny: LanguageModel):
    told = examples(tiny)
    model = attached(tiny, LORA)
    assert shared_in_training(model, LORA, told) == 8
    assert shared_in_training(model, replace(LORA, **changes), told) == 0


def test_raw_text_and_short_beginnings_are_computed_whole(tiny: LanguageModel):
    model = attached(tiny, LORA)
    texts = text_examples(tiny, [prompt for prompt, _ in PAIRS], 512)
    assert shared_in_training(model, LORA, texts) == 0
    told = examples(tiny)
    assert shared_in_training(model, LORA, [*told, texts[0]]) == 0
    other = told[0].input_ids[:4]
    for kept in (3, 4):  # 4 is the least that is worth a pass of its own
        ids = [*other[:kept], *([0] * 9)]
        odd = Example(ids, [*[IGNORED] * (len(ids) - 1), 0])
        assert shared_in_training(model, LORA, [*told, odd]) == (kept if kept == 4 else 0)
    assert shared_in_training(model, LORA, told[:1]) == 0


def test_models_that_do_not_keep_every_token_or_draw_are_left_alone(tiny: LanguageModel):
    from transformers import MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM

    told = examples(tiny)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 400}
    heads = {"intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1}

    def mistral(**settings: Any) -> Any:
        return MistralForCausalLM(MistralConfig(**sizes, **heads, **settings))

    assert shared_in_training(mistral(sliding_window=None), FULL, told) == 8
    assert shared_in_training(mistral(sliding_window=8), FULL, told) == 0
    assert shared_in_training(mistral(sliding_window=None, attention_dropout=0.1), FULL, told) == 0
    assert shared_in_training(MambaForCausalLM(MambaConfig(**sizes)), FULL, told) == 0


def trained_weights(folder: Path, out: Path, config: AdapterConfig) -> dict[str, torch.Tensor]:
    model = load_tiny(folder)
    told = examples(model)
    summary = train(model, config, told, [], 0, out, lambda loop: loop())
    assert summary.tokens == 2 * sum(len(one.input_ids) for one in told)
    weights: dict[str, torch.Tensor] = load_file(out / "adapter_model.safetensors")
    return weights | {"shared": torch.tensor(summary.shared_tokens)}


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_training_ends_with_the_weights_of_whole_examples(
    precision: str, tiny_model_folder, own_cache, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    config = replace(LORA, mixed_precision=precision)
    once = trained_weights(tiny_model_folder, tmp_path / "once", config)
    monkeypatch.setattr("harness.adapters.train.shared_in_training", lambda *_: 0)
    whole = trained_weights(tiny_model_folder, tmp_path / "whole", config)
    assert (int(once.pop("shared")), int(whole.pop("shared"))) == (8, 0)
    assert once.keys() == whole.keys()
    # Adam scales a rounding difference up to a step, which in bfloat16 is seen.
    apart = max(float((once[name] - whole[name]).abs().max()) for name in once)
    assert apart <= (1e-4 if precision == "no" else 2e-2)


def test_validation_examples_count_and_their_loss_is_taken_alike(
    tiny_model_folder, own_cache, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    config = replace(LORA, early_stopping_patience=1, epochs=1)

    def stopped(out: str) -> Any:
        model = load_tiny(tiny_model_folder)
        short = BEGINNING.removesuffix("two three ") + "x"
        held_out = [answer_example(model, short, answer, 64) for answer in ("y", "Oslo")]
        return train(
            model, config, examples(model), held_out, 0, tmp_path / out, lambda loop: loop()
        )

    once = stopped("once")
    monkeypatch.setattr("harness.adapters.train.shared_in_training", lambda *_: 0)
    whole = stopped("whole")
    assert (once.shared_tokens, whole.shared_tokens) == (6, 0)
    assert once.validation_loss == pytest.approx(whole.validation_loss, rel=1e-5)
