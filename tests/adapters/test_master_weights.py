"""Updates in float32 to weights in bfloat16: none is lost, and a checkpoint brings all back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import load_tiny

from harness.adapters.config import AdapterConfig
from harness.adapters.examples import answer_example
from harness.adapters.master_weights import MASTER, MasterAdamW, optimiser_of
from harness.adapters.train import train

PAIRS = [("the river mayor", "Oslo"), ("one two", "Lima"), ("town person", "Paris Rome")]


def one_weight(value: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([value], dtype=torch.bfloat16))


def stepped(kind: Any, steps: int, parameter: torch.nn.Parameter, **settings: Any) -> Any:
    """An optimiser after so many steps against a gradient of 1."""
    optimiser = kind([parameter], **({"lr": 1e-3, "weight_decay": 0.0} | settings))
    for _ in range(steps):
        parameter.grad = torch.ones_like(parameter)
        optimiser.step()
    return optimiser


@pytest.mark.parametrize("fused", [False, True])
def test_steps_too_small_for_bfloat16_add_up(fused: bool) -> None:
    # Next to 1 bfloat16 moves down by 1/256. A step of AdamW against a steady gradient is the
    # learning rate, 1/1000: rounded away each time; of ten, 1 - 10/1000 is nearest to 1 - 3/256.
    lost, kept = one_weight(1.0), one_weight(1.0)
    stepped(torch.optim.AdamW, 10, lost, fused=fused)
    optimiser = stepped(MasterAdamW, 10, kept, fused=fused)
    assert lost.item() == 1.0
    assert optimiser.state[kept][MASTER].item() == pytest.approx(1 - 10 / 1000, abs=1e-6)
    assert kept.item() == 1 - 3 / 256
    assert kept.dtype == torch.bfloat16 and kept.grad is None


def test_the_copy_is_moved_as_a_model_in_float32_is() -> None:
    torch.manual_seed(0)
    half = torch.nn.Parameter(torch.randn(30, 20).bfloat16())
    whole = torch.nn.Parameter(half.data.float())
    settings: dict[str, Any] = {"lr": 1e-3, "weight_decay": 0.1, "fused": True}
    one, other = MasterAdamW([half], **settings), torch.optim.AdamW([whole], **settings)
    for _ in range(5):
        gradient = torch.randn(30, 20).bfloat16()
        half.grad, whole.grad = gradient.clone(), gradient.float()
        one.step()
        other.step()
    assert torch.equal(one.state[half][MASTER], whole.data)
    assert torch.equal(half.data, whole.data.bfloat16())
    # A weight that is float32 has no copy, and moves as without one.
    plain = torch.nn.Parameter(torch.ones(3))
    assert MASTER not in stepped(MasterAdamW, 2, plain).state[plain]
    same = torch.nn.Parameter(torch.ones(3))
    stepped(torch.optim.AdamW, 2, same)
    assert torch.equal(plain, same)


def test_a_state_that_was_saved_goes_on_as_if_it_had_not_been() -> None:
    whole, begun = one_weight(1.0), one_weight(1.0)
    stepped(MasterAdamW, 7, whole)
    saved = stepped(MasterAdamW, 3, begun).state_dict()
    resumed = one_weight(begun.item())
    optimiser = MasterAdamW([resumed], lr=1e-3, weight_decay=0.0)
    optimiser.load_state_dict(saved)
    assert {value.dtype for value in optimiser.state[resumed].values()} == {torch.float32}
    for _ in range(4):
        resumed.grad = torch.ones_like(resumed)
        optimiser.step()
    # Without the copy the three steps before would be lost again.
    assert resumed.item() == whole.item() == 1 - 2 / 256
    assert saved["state"][0][MASTER].item() == pytest.approx(0.997, abs=1e-6)  # it was not touched


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_training_in_bfloat16_moves_the_weights_as_one_in_float32_does(
    kind: str,
    tiny_model_folder: Path,
    own_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At this rate AdamW in bfloat16 leaves nearly every weight where it was.
    config = AdapterConfig(kind=kind, rank=4, learning_rate=1e-6, epochs=4, batch_size=3)
    optimisers: list[MasterAdamW] = []
    made = MasterAdamW.__init__

    def kept(self: MasterAdamW, *args: Any, **kwargs: Any) -> None:
        optimisers.append(self)
        made(self, *args, **kwargs)

    monkeypatch.setattr(MasterAdamW, "__init__", kept)
    sizes = []
    for dtype in (torch.bfloat16, torch.float32):
        model = load_tiny(tiny_model_folder)
        model.model.to(dtype)
        before = {id(p): p.detach().clone() for p in model.model.parameters()}
        examples = [answer_example(model, *pair, 64) for pair in PAIRS]
        train(model, config, examples, [], 0, tmp_path, lambda loop: loop())
        trained = optimisers[-1]
        assert trained.defaults["fused"] is True
        now = {p: state.get(MASTER, p.data) for p, state in trained.state.items()}
        assert {value.dtype for value in now.values()} == {torch.float32}
        moved = [(now[p] - before[id(p)].float()).abs() for p in now if id(p) in before]
        sizes.append(float(torch.cat([one.flatten() for one in moved]).mean()) if moved else 0.0)
    assert len(optimisers) == 2
    # Full: every weight is one of the model's. LoRA's own are drawn in the training.
    assert (sizes[0] > 0) == (kind == "full")
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_only_the_trainers_adamw_gets_copies() -> None:
    from transformers import TrainingArguments

    kind, settings = optimiser_of(TrainingArguments(use_cpu=True, learning_rate=3e-4))
    assert kind is MasterAdamW and settings["lr"] == 3e-4
    with pytest.raises(TypeError, match="the Trainer's optimiser is SGD, and AdamW is expected"):
        optimiser_of(TrainingArguments(use_cpu=True, optim="sgd"))
