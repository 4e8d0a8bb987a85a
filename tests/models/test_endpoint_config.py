"""What an endpoint's settings refuse, and that no key can get into them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.adapters.config import AdapterConfig
from harness.cli import main
from harness.errors import ConfigError
from harness.models.config import ModelConfig, VllmConfig
from harness.models.endpoint_config import EndpointConfig
from harness.overrides import check

URL = "http://127.0.0.1:8000/v1"
ASKED = ["model=endpoint", f"model.base_url={URL}", "model.id=org/tiny", "task=fictional"]


def settings(**values: object) -> EndpointConfig:
    return EndpointConfig(**{"base_url": URL, "id": "org/tiny", **values})  # type: ignore[arg-type]


def test_the_name_is_the_end_of_the_id():
    assert settings().name == "tiny"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"base_url": ""}, "needs model.base_url"),
        ({"base_url": "127.0.0.1:8000"}, "is no address"),
        ({"base_url": "ftp://host/v1"}, "is no address"),
        ({"base_url": "http://host:port/v1"}, "is no address"),
        ({"id": ""}, "needs model.id"),
        ({"api": "chats"}, "did you mean 'chat'"),
        ({"limit_field": "tokens"}, "model.limit_field is 'tokens'"),
        ({"concurrency": 0}, "model.concurrency is at least 1"),
        ({"timeout_seconds": 0}, "model.timeout_seconds above 0"),
        ({"retries": -1}, "model.retries"),
        ({"requests_per_minute": 0}, "model.requests_per_minute is above 0"),
        ({"price_per_million_out": -1.0}, "model.price_per_million_out is -1.0"),
        ({"context_tokens": 4}, "model.context_tokens is 4"),
        ({"dtype": "float32"}, "model.dtype does nothing with model=endpoint"),
        ({"batch_size": 2}, "model.batch_size does nothing"),
        ({"source": "hub"}, "model.source is hub"),
        ({"chat": True}, "model.chat does nothing with model.api=chat"),
        ({"chat": True, "api": "completions"}, "needs model.tokenizer"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(values: dict[str, object], says: str):
    with pytest.raises(ConfigError, match=says) as caught:
        settings(**values)
    assert "\n" not in str(caught.value)


def test_the_key_itself_is_refused_and_not_repeated():
    for wrong in ("sk-proj-abc123", "a key", "7UP"):
        with pytest.raises(ConfigError, match="never the key itself") as caught:
            settings(api_key_env=wrong)
        assert wrong not in str(caught.value)
    assert settings(api_key_env="MY_KEY").api_key_env == "MY_KEY"


@pytest.mark.parametrize(
    "url", ["http://u:secret@h/v1", "http://h/v1?key=secret", "http://h/#secret"]
)
def test_an_address_that_holds_a_key_is_refused_and_not_repeated(url: str):
    with pytest.raises(ConfigError, match="environment variable") as caught:
        settings(base_url=url)
    assert "secret" not in str(caught.value)


def test_an_adapter_on_an_endpoint_is_refused_before_anything_runs(
    tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no weights here, so it cannot be fine-tuned"):
        check([*ASKED, "method=lora"], multirun=False)
    with pytest.raises(ConfigError, match="no weights here"):
        check([*ASKED, "method=closed_book,rag_lora"], multirun=True)
    assert main(["run", *ASKED, "method=lora"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_frozen_arms_on_an_endpoint_compose():
    (config,) = check([*ASKED, "method=rag_bm25", "model.concurrency=2"], multirun=False).configs
    assert isinstance(config.model, EndpointConfig)
    assert (config.model.backend, config.model.concurrency) == ("endpoint", 2)


def test_vllm_states_its_number_format_and_merges_adapters():
    given = VllmConfig(id="org/tiny")
    assert (given.backend, given.dtype, ModelConfig(id="x").backend) == (
        "vllm",
        "bfloat16",
        "transformers",
    )
    for values, says in (
        ({"dtype": "auto"}, "model.dtype is auto"),
        ({"attention": "eager"}, "model.attention does nothing"),
        ({"gpu_memory_share": 1.5}, "model.gpu_memory_share is 1.5"),
    ):
        with pytest.raises(ConfigError, match=says):
            replace(given, **values)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"set adapter\.merge=true"):
        check(["model=vllm", "model.id=x", "method=lora", "adapter.merge=false"], multirun=False)
    (config,) = check(["model=vllm", "model.id=x", "method=lora"], multirun=False).configs
    assert isinstance(config.adapter, AdapterConfig)
