"""The penalty on moving away from the base model: its value, where it is taken, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import load_tiny
from safetensors.torch import load_file

from harness.adapters.config import AdapterConfig, KlConfig, ReplayConfig
from harness.adapters.examples import Example, answer_example
from harness.adapters.kinds import attach
from harness.adapters.train import _features, train
from harness.adapters.trainer import Collator, HeadOnAnswersTrainer, forward_kl
from harness.errors import ConfigError
from harness.models.language_model import LanguageModel

LORA = AdapterConfig(rank=4, alpha=8, learning_rate=1e-2, epochs=2, batch_size=4, warmup_share=0.0)


def examples(model: LanguageModel) -> list[Example]:
    pairs = [("the river mayor", "Oslo"), ("one two", "Lima"), ("town", "Rome")]
    told = [answer_example(model, prompt, answer, 64) for prompt, answer in pairs]
    return [*told[:2], replace(told[2], replayed=True)]


def test_the_divergence_is_that_of_two_coins():
    base = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    adapted = torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log()
    want = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)  # the other row does not differ
    assert float(forward_kl(base, adapted)) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("on", ["answers", "replay"])
def test_the_loss_is_cross_entropy_and_the_penalty_at_its_positions(tiny: LanguageModel, on: str):
    replay = ReplayConfig(share=0.5)
    config = replace(LORA, kl=KlConfig(weight=2.0, tokens=on), replay=replay)
    own = examples(tiny)
    batch = Collator(0)([_features(example, config) for example in own])
    whole = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        base = tiny.model(**whole).logits.log_softmax(-1)
    model = attach(tiny.model, config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:
                value.fill_(0.05)
        adapted = model(**whole).logits.log_softmax(-1)
    total, tokens = 0.0, 0
    for row, example in enumerate(own):
        for at, target in enumerate(example.labels):
            if target < 0:
                continue
            p, q = base[row, at - 1], adapted[row, at - 1]
            total -= float(q[target])
            if on == "answers" or example.replayed:
                total += 2.0 * float((p.exp() * (p - q)).sum())
            tokens += 1
    trainer = object.__new__(HeadOnAnswersTrainer)
    trainer.head, trainer.tokens, trainer.kl, trainer.shared = tiny.head, 0, config.kl, 0
    got = trainer.compute_loss(model.train(), dict(batch))
    assert float(got.detach()) == pytest.approx(total / tokens, rel=1e-5)
    assert model.training
    got.backward()  # the adapter still learns after it was switched off
    assert all(p.grad is not None for n, p in model.named_parameters() if "lora_" in n)


def test_validation_loss_has_no_penalty(tiny: LanguageModel):
    config = replace(LORA, kl=KlConfig(weight=2.0))
    batch = Collator(0)([_features(example, config) for example in examples(tiny)])
    plain = Collator(0)([_features(example, LORA) for example in examples(tiny)])
    trainer = object.__new__(HeadOnAnswersTrainer)
    trainer.head, trainer.tokens, trainer.kl, trainer.shared = tiny.head, 0, config.kl, 0
    model = attach(tiny.model, config).eval()
    with torch.no_grad():
        assert trainer.compute_loss(model, dict(batch)) == trainer.compute_loss(model, dict(plain))


def weights(folder: Path, out: Path, **changes: Any) -> dict[str, torch.Tensor]:
    model = load_tiny(folder)
    config = replace(LORA, **changes)
    train(model, config, examples(model), [], 0, out, lambda loop: loop())
    return load_file(out / "adapter_model.safetensors")


def test_without_weight_nothing_changes_and_with_weight_it_stays_nearer(
    tiny_model_folder: Path, own_cache: Path, tmp_path: Path
):
    plain = weights(tiny_model_folder, tmp_path / "1")
    none = weights(tiny_model_folder, tmp_path / "2", kl=KlConfig(weight=0.0))
    held = weights(tiny_model_folder, tmp_path / "3", kl=KlConfig(weight=100.0), epochs=20)
    free = weights(tiny_model_folder, tmp_path / "4", epochs=20)
    assert all(torch.equal(plain[name], none[name]) for name in plain)
    size = [sum(float(w[n].norm()) for n in w if "lora_B" in n) for w in (held, free)]
    assert size[0] < 0.7 * size[1]


def test_accumulated_micro_batches_are_the_same_step(
    tiny_model_folder: Path, own_cache: Path, tmp_path: Path
):
    kl = KlConfig(weight=1.0)
    whole = weights(tiny_model_folder, tmp_path / "1", kl=kl)
    parts = weights(tiny_model_folder, tmp_path / "2", kl=kl, micro_batch_size=1)
    # Adam scales tiny rounding differences up to a step, so the tolerance is not of rounding.
    assert all(torch.allclose(whole[name], parts[name], atol=2e-3) for name in whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "full"}, "adapter.kind=full changes"),
        ({"variant": "pissa"}, "adapter.variant=pissa changes"),
        ({"options": {"bias": "all"}}, "adapter.options.bias changes"),
        ({"processes": 2}, "kl.weight=1.0 trains in one process"),
        ({"kl": KlConfig(weight=1.0, tokens="replay")}, "needs adapter.replay.share above 0"),
    ],
)
def test_what_leaves_no_base_to_compare_with_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        replace(LORA, **{"kl": KlConfig(weight=1.0), **changes})


def test_a_weight_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match=r"adapter.kl.weight is nan"):
        KlConfig(weight=math.nan)
