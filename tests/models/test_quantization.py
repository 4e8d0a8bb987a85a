"""Training on weights in four bits: what is loaded, trained, refused and kept apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import KilledError
from safetensors.torch import load_file

from harness.adapters.attach import load_with_adapter
from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import AdapterConfig
from harness.adapters.examples import answer_example
from harness.adapters.train import train
from harness.config import Config
from harness.economics.plan.predicted import training_of
from harness.errors import ConfigError, ModelError
from harness.models import quantization
from harness.models.config import ModelConfig, VllmConfig
from harness.models.endpoint_config import EndpointConfig
from harness.models.language_model import LanguageModel
from harness.models.load import ModelFiles, load_tokenizer, load_weights
from harness.models.quantization import quantization_key
from harness.tasks.config import FictionalConfig

CPU = torch.device("cpu")


def model(**settings: object) -> ModelConfig:
    values = {"source": "local", "id": "m", "train_dtype": "bfloat16"} | settings
    return ModelConfig(train_quantization="nf4", **values)  # type: ignore[arg-type]


def config(adapter: AdapterConfig | None, **settings: object) -> Config:
    return Config(arm="a", task=FictionalConfig(), model=model(**settings), adapter=adapter)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ({"kind": "full"}, "adapter.kind=full: model.train_quantization=nf4 trains LoRA alone"),
        ({"kind": "loha"}, "adapter.kind=loha: model.train_quantization=nf4 trains LoRA alone"),
        ({"variant": "pissa"}, "adapter.variant=pissa: model.train_quantization=nf4 keeps weights"),
        ({"processes": 2}, "adapter.processes=2: model.train_quantization=nf4 trains in one"),
        ({"mixed_precision": "bf16"}, "computes in model.train_dtype"),
    ],
)
def test_what_cannot_be_trained_on_four_bits_is_refused(
    adapter: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(AdapterConfig(**adapter))  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_the_number_format_to_compute_in_has_to_be_stated() -> None:
    with pytest.raises(ConfigError, match="train_dtype, which is auto: state it"):
        model(train_dtype="auto")


def test_an_unknown_quantization_is_refused() -> None:
    with pytest.raises(ConfigError, match="train_quantization is 'int8'; it is one of none, nf4"):
        ModelConfig(source="local", id="m", train_quantization="int8")


def test_an_endpoint_has_nothing_to_quantise() -> None:
    with pytest.raises(ConfigError, match="train_quantization does nothing with model=endpoint"):
        EndpointConfig(
            base_url="http://127.0.0.1:1/v1", id="m", train_dtype="auto", train_quantization="nf4"
        )


def test_vllm_answers_with_what_was_trained_in_four_bits() -> None:
    # It reads the weights as they are, with the adapter folded in.
    settings = VllmConfig(source="local", id="m", train_dtype="bfloat16", train_quantization="nf4")
    Config(arm="a", task=FictionalConfig(), model=settings, adapter=AdapterConfig())


def test_arms_that_train_nothing_are_not_refused() -> None:
    assert config(None).model.train_quantization == "nf4"


def test_a_missing_package_is_told_with_what_to_install(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "installed_version", lambda: None)
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    with pytest.raises(ModelError, match=r"needs bitsandbytes: pip install -e '.\[quantized\]'"):
        load_weights(files, "bfloat16", "eager", CPU, "nf4")


def test_the_key_holds_what_quantises_and_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quantization_key(ModelConfig(source="local", id="m")) == {}
    monkeypatch.setattr(quantization, "installed_version", lambda: "1.0")
    assert quantization_key(model()) == {"train_quantization": ["nf4", "1.0"]}


def test_the_plan_of_such_a_run_is_that_of_qlora() -> None:
    adapter = AdapterConfig(rank=4)
    row = {"trained_tokens": 400, "training_pairs": 10, "epochs": 1}
    planned = training_of(row, config(adapter), adapter)
    # PEFT keeps what is trained in float32 beside weights of four bits.
    assert (planned.method, planned.dtype, planned.trained_dtype) == (
        "qlora",
        "bfloat16",
        "float32",
    )


def run(loop: Callable[[], None]) -> None:
    loop()


def trained(
    folder: Path, kept: Path, checkpoints: Checkpoints | None = None, **changes: Any
) -> LanguageModel:
    """The tiny model, an adapter trained on its weights in four bits and saved to ``kept``."""
    files = ModelFiles(str(folder), None, "tiny")
    settings = model(id=str(folder))
    weights = load_weights(files, "bfloat16", "eager", CPU, "nf4").requires_grad_(False)
    loaded = LanguageModel(weights, load_tokenizer(files), settings, files.identity)
    pairs = [("the river mayor", "Oslo"), ("one two", "Lima")]
    examples = [answer_example(loaded, prompt, answer, 64) for prompt, answer in pairs]
    kept.mkdir(exist_ok=True)
    train(loaded, adapter(**changes), examples, [], 0, kept, run, checkpoints=checkpoints)
    return loaded


def adapter(**changes: object) -> AdapterConfig:
    values = {
        "rank": 4, "alpha": 8, "learning_rate": 1e-2, "epochs": 8, "batch_size": 2,
    }  # fmt: skip
    return AdapterConfig(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{}, {"gradient_checkpointing": True}])
def test_an_adapter_is_trained_on_four_bits_and_answers_on_the_weights_as_they_are(
    tiny_model_folder: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    bnb = pytest.importorskip("bitsandbytes")
    loaded = trained(tiny_model_folder, tmp_path, **changes)
    layer = loaded.model.model.layers[0].mlp.down_proj
    assert isinstance(layer.base_layer, bnb.nn.Linear4bit)
    assert layer.base_layer.weight.dtype == torch.uint8  # two weights a byte
    assert layer.base_layer.weight.quant_state.quant_type == "nf4"
    assert layer.base_layer.weight.quant_state.nested
    assert layer.base_layer.compute_dtype == torch.bfloat16
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert all("lora_" in name for name in saved)
    assert any(value.abs().max() > 0 for name, value in saved.items() if "lora_B" in name)
    # Merged or beside them, the base is the one that every other arm answers with.
    files, ids = ModelFiles(str(tiny_model_folder), None, "tiny"), torch.tensor([[5, 6, 7]])
    logits = {}
    for merge in (True, False):
        answering = load_with_adapter(
            files, tmp_path, adapter(merge=merge), "float32", "eager", CPU
        )
        assert not getattr(answering, "is_loaded_in_4bit", False)
        logits[merge] = answering(input_ids=ids).logits
    assert torch.allclose(logits[True], logits[False], atol=1e-4)


def test_the_same_training_in_four_bits_gives_the_same_adapter(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    saved = []
    for name in ("one", "two"):
        trained(tiny_model_folder, tmp_path / name, epochs=2)
        saved.append(load_file(tmp_path / name / "adapter_model.safetensors"))
    assert saved[0].keys() == saved[1].keys()
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])


def test_a_killed_training_in_four_bits_ends_with_the_same_adapter(
    tiny_model_folder: Path, tmp_path: Path, killed_at: Callable[[int | None], None]
) -> None:
    pytest.importorskip("bitsandbytes")
    work = Checkpoints(tmp_path / "work", 1)
    trained(tiny_model_folder, tmp_path / "whole")
    killed_at(3)
    with pytest.raises(KilledError):
        trained(tiny_model_folder, tmp_path / "killed", work)
    killed_at(None)
    assert (tmp_path / "work" / "checkpoint-3").is_dir()
    trained(tiny_model_folder, tmp_path / "resumed", work)
    one, two = (
        (tmp_path / name / "adapter_model.safetensors").read_bytes()
        for name in ("whole", "resumed")
    )
    assert one == two
