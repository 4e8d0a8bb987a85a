"""PEFT's kinds: each learns, is stored, merges to the same answers, and refuses what is not its."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import KilledError, load_tiny
from safetensors.torch import load_file

from harness.adapters.attach import load_with_adapter
from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import AdapterConfig
from harness.adapters.examples import Example, answer_example
from harness.adapters.kinds import attach, peft_config
from harness.adapters.train import loraplus, train
from harness.errors import ConfigError, TrainingError
from harness.models.language_model import LanguageModel
from harness.models.load import ModelFiles

PAIRS = [("the river mayor", "Oslo"), ("one two", "Lima"), ("town person", "Rome"), ("x", "y")]
IDS = torch.tensor([[5, 6, 7, 8]])
LORA = AdapterConfig(rank=4, alpha=8, learning_rate=1e-2, epochs=4, batch_size=2, warmup_share=0.0)
KINDS = {
    "dora": replace(LORA, variant="dora"),
    "rslora": replace(LORA, variant="rslora"),
    "pissa": replace(LORA, variant="pissa"),
    "olora": replace(LORA, variant="olora"),
    "loraplus": replace(LORA, lr_ratio=16),
    "loha": replace(LORA, kind="loha"),
    "lokr": replace(LORA, kind="lokr"),
    "vera": replace(LORA, kind="vera"),
    "oft": replace(LORA, kind="oft", options={"oft_block_size": 8}),
    "ia3": replace(LORA, kind="ia3", target_modules="k_proj,v_proj,down_proj",
                   options={"feedforward_modules": ["down_proj"]}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(own_cache: Path) -> Path:
    return own_cache


def examples(model: LanguageModel) -> list[Example]:
    return [answer_example(model, prompt, answer, 64) for prompt, answer in PAIRS]


def trained(folder: Path, out: Path, config: AdapterConfig, work: Path | None = None) -> Any:
    """The model as training left it, before it is stored and loaded again."""
    model = load_tiny(folder)
    checkpoints = Checkpoints(work, 1) if work else None
    train(model, config, examples(model), [], 3, out, lambda loop: loop(), checkpoints=checkpoints)
    return model.model


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(IDS).logits


@pytest.mark.parametrize("name", KINDS)
def test_what_is_stored_is_what_was_trained_merged_or_not(
    name: str, tiny_model_folder: Path, tmp_path: Path
):
    config = KINDS[name]
    # PEFT puts its layers into the model itself, so this one has the adapter in it.
    want = logits(trained(tiny_model_folder, tmp_path / "a", config))
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
    }
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    for merge in (True, False):
        setting = replace(config, merge=merge)
        cpu = torch.device("cpu")
        got = load_with_adapter(files, tmp_path / "a", setting, "float32", "eager", cpu)
        assert torch.allclose(logits(got), want, atol=2e-4), merge
    base = logits(load_tiny(tiny_model_folder).model)
    assert not torch.allclose(want, base, atol=2e-3)


@pytest.mark.parametrize("name", ["dora", "pissa", "olora", "loraplus", "vera", "oft", "kl"])
def test_a_killed_training_ends_with_the_same_bytes(
    name: str, tiny_model_folder: Path, tmp_path: Path, killed_at: Callable[[int | None], None]
):
    from harness.adapters.config import KlConfig

    config = KINDS.get(name, replace(LORA, dropout=0.1, kl=KlConfig(weight=0.5)))
    trained(tiny_model_folder, tmp_path / "whole", config)
    killed_at(5)
    with pytest.raises(KilledError):
        trained(tiny_model_folder, tmp_path / "killed", config, tmp_path / "work")
    killed_at(None)
    assert (tmp_path / "work" / "checkpoint-5").is_dir()
    trained(tiny_model_folder, tmp_path / "resumed", config, tmp_path / "work")
    whole, resumed = (
        load_file(tmp_path / run / "adapter_model.safetensors") for run in ("whole", "resumed")
    )
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_pissas_initialisation_is_metered_with_the_training(tiny: LanguageModel, tmp_path: Path):
    laps = []

    def measured(loop: Any) -> None:
        laps.append(loop.__name__)
        loop()

    train(tiny, KINDS["pissa"], examples(tiny), [], 0, tmp_path / "a", measured)
    assert laps == ["attaching", "run"]


def test_the_trained_numbers_are_counted(tiny: LanguageModel, tmp_path: Path):
    # In each of two layers: 8 outputs of k_proj, 8 of v_proj, 32 inputs of down_proj.
    summary = train(tiny, KINDS["ia3"], examples(tiny), [], 0, tmp_path / "a", lambda loop: loop())
    assert summary.trainable_parameters == 2 * (8 + 8 + 32)


def test_lora_pluss_b_learns_so_many_times_faster(tiny: LanguageModel):
    optimizer = loraplus(attach(tiny.model, KINDS["loraplus"]), KINDS["loraplus"])
    assert optimizer is not None
    rates = {
        group["lr"]: {tuple(value.shape) for value in group["params"]}
        for group in optimizer.param_groups
        if group["params"]
    }
    # A is (rank, in) and B (out, rank), with a rank of 4.
    assert set(rates) == {1e-2, 16e-2}
    assert {shape[0] for shape in rates[1e-2]} == {4}
    assert {shape[1] for shape in rates[16e-2]} == {4}


def test_options_reach_peft():
    config = peft_config(replace(LORA, options={"rank_pattern": {"q_proj": 2}, "bias": "all"}))
    assert (config.rank_pattern, config.bias, config.r) == ({"q_proj": 2}, "all", 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"rank_patern": {}}}, r"rank_patern is no option .*mean 'rank_pattern'"),
        ({"options": {"r": 8}}, r"adapter.options.r: set adapter.rank instead"),
        ({"options": {"init_lora_weights": "pissa"}}, r"set adapter.variant instead"),
        ({"options": {"layer_replication": []}}, r"layer_replication is no option of"),
        ({"kind": "ia3", "target_modules": "k_proj", "options": {"feedforward_modules": ["up"]}},
         r"do not fit IA3Config: .*subset"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_one_line(changes: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        peft_config(replace(LORA, **changes))
    assert "\n" not in str(caught.value)


def test_modules_that_are_not_there_are_named(tiny: LanguageModel, tmp_path: Path):
    config = replace(KINDS["oft"], target_modules="query")
    with pytest.raises(TrainingError, match=r"adapter.target_modules=query") as caught:
        train(tiny, config, examples(tiny), [], 0, tmp_path, lambda loop: loop())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "dorra"}, "adapter.variant is 'dorra'.*did you mean 'dora'"),
        ({"kind": "full", "variant": "dora"}, "is of LoRA; adapter.kind is 'full'"),
        ({"kind": "full", "options": {"bias": "all"}}, "adapter.kind=full has none"),
        ({"lr_ratio": 0.5}, "adapter.lr_ratio is 0.5; it is at least 1"),
        ({"kind": "loha", "lr_ratio": 2.0}, "adapter.lr_ratio is of LoRA"),
        ({"variant": "pissa", "processes": 2}, "variant=pissa trains in one process"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        replace(LORA, **changes)
