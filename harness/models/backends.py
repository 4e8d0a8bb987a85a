"""Chooses what runs a model, and tells the record what follows from that choice."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.errors import ConfigError
from harness.measures.definitions import metric_versions
from harness.metering.reading import PhaseReading
from harness.models.choices import LETTER_VERSION
from harness.models.config import ModelConfig, VllmConfig
from harness.models.endpoint_config import EndpointConfig
from harness.models.estimate import EstimatedTokenizer
from harness.models.load import ModelFiles, load_tokenizer, load_weights, position_limit
from harness.models.protocol import Account, Model
from harness.models.quantization import check_quantization
from harness.telling import telling
from harness.types import Prediction

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from harness.adapters.config import AdapterConfig

REMOTE_PHASES = ("tune", "prefill", "decode", "latency", "probe")
"""Phases in which a remote model works: what its machine uses is not known."""

BY_LETTER = "multiple_choice"
"""The measure that means something else where options are chosen by letter."""


def check_adapter(model: ModelConfig, adapter: AdapterConfig | None) -> None:
    """Nothing, if the adapter can be trained and the backend can answer with it.

    Raises:
        ConfigError: it has no weights to train, answers with merged adapters alone, or the adapter
            cannot be trained on quantised weights.
    """
    if adapter is None:
        return
    if model.backend == "endpoint":
        raise ConfigError(
            "model=endpoint has no weights here, so it cannot be fine-tuned: leave out arms with "
            "an adapter (method=closed_book,rag)"
        )
    if model.backend == "vllm" and not adapter.merge:
        raise ConfigError("model=vllm answers with merged adapters: set adapter.merge=true")
    check_quantization(model, adapter)


def tokenizer_of(config: ModelConfig, files: ModelFiles) -> Any:
    """The tokenizer that cuts and counts passages: the model's, or an estimate where none is named.

    Raises:
        ModelError: it cannot be loaded.
    """
    if isinstance(config, EndpointConfig) and config.tokenizer is None:
        return EstimatedTokenizer()
    return load_tokenizer(files)


def key_of(config: ModelConfig) -> dict[str, Any]:
    """What determines answers besides weights and prompts; empty for transformers.

    How fast an endpoint is asked is left out: who lowers that after a refusal goes on from the
    answers that came.

    Raises:
        ModelError: vLLM is asked for and not installed.
    """
    if isinstance(config, EndpointConfig):
        names = ("api", "seed", "tokenizer", "chat", "limit_field")
        asked = telling("endpoint", {name: getattr(config, name) for name in names})
        return {"backend": "endpoint", **asked}
    if isinstance(config, VllmConfig):
        from harness.models.vllm_backend import vllm_version

        return {"backend": "vllm", "version": vllm_version()}
    return {}


def context_limit(config: ModelConfig, files: ModelFiles) -> int | None:
    """The longest prompt and answer together, in tokens; None where nobody says.

    Loads no weights.

    Raises:
        ModelError: the model's settings cannot be read.
    """
    if isinstance(config, EndpointConfig):
        return config.context_tokens
    limits = [config.context_tokens, position_limit(files)]
    return min((limit for limit in limits if limit is not None), default=None)


def open_model(
    config: ModelConfig,
    files: ModelFiles,
    device: torch.device,
    tokenizer: Any,
    identity: str,
    adapter: tuple[Path, AdapterConfig] | None = None,
) -> Model:
    """The model that answers.

    Args:
        config: resolved: dtype and attention are chosen.
        identity: names the weights, those of ``adapter`` (its folder and settings) included.

    Raises:
        ModelError: it cannot be loaded, or an endpoint does not answer.
    """
    if isinstance(config, EndpointConfig):
        from harness.models.endpoint import Endpoint

        return Endpoint(config, tokenizer, identity)
    if isinstance(config, VllmConfig):
        from harness.models.vllm_backend import VllmModel

        if adapter is None:
            return VllmModel(config, files.location, tokenizer, identity)
        with tempfile.TemporaryDirectory(prefix="harness-vllm-") as folder:
            # vLLM reads files, so the adapter is folded in and the whole model written for it.
            _weights(config, files, device, adapter, "sdpa").save_pretrained(folder)
            return VllmModel(config, folder, tokenizer, identity)
    from harness.models.language_model import LanguageModel

    weights = _weights(config, files, device, adapter, config.attention)
    return LanguageModel(weights, tokenizer, config, identity)


def _weights(
    config: ModelConfig,
    files: ModelFiles,
    device: torch.device,
    adapter: tuple[Path, AdapterConfig] | None,
    attention: str,
) -> PreTrainedModel:
    """The base model's weights, frozen, with the adapter in them if there is one."""
    if adapter is None:
        return load_weights(files, config.dtype, attention, device).requires_grad_(False)
    from harness.adapters.attach import load_with_adapter

    folder, settings = adapter
    return load_with_adapter(files, folder, settings, config.dtype, attention, device)


def known_energy(
    config: ModelConfig, adapter: AdapterConfig | None, readings: Mapping[str, PhaseReading]
) -> dict[str, PhaseReading]:
    """The readings, without energy where a remote machine did the work: what is here is a part."""
    remote = REMOTE_PHASES if config.backend == "endpoint" else ()
    if adapter and adapter.pairs.generator == "endpoint":
        remote = (*remote, "prepare")
    unknown: dict[str, Any] = dict.fromkeys(
        (
            *("energy_kwh", "cpu_energy_kwh", "memory_energy_kwh", "gpu_energy_kwh"),
            *("counter_energy_kwh", "assumed_energy_kwh", "estimated_energy_kwh"),
        )
    )
    return {
        phase: replace(reading, **unknown) if phase in remote else reading
        for phase, reading in readings.items()
    }


def row_values(
    config: ModelConfig, account: Account, predictions: Sequence[Prediction], device: str
) -> dict[str, Any]:
    """Columns that the backend decides; they replace what a model in this process would say.

    Args:
        device: this machine's description.
    """
    values: dict[str, Any] = {}
    if isinstance(config, EndpointConfig):
        values |= {
            "dtype": None,
            "attention": None,
            "device": f"remote: {urlsplit(config.base_url).netloc}; the rest on {device}",
            "device_exclusive": None,
            "api_cost_usd": api_cost(config, account),
        }
    if config.backend == "vllm":
        values["attention"] = "vllm"
    if not account.likelihoods and any(p.question.choices for p in predictions):
        versions = metric_versions()
        versions[BY_LETTER] += LETTER_VERSION
        values["metric_versions"] = versions
    return values


def row_notes(account: Account, predictions: Sequence[Prediction]) -> list[str]:
    """What a reader of the row must know of how the answers were had."""
    notes = list(account.notes)
    choosing = [p for p in predictions if p.question.choices]
    if choosing and not account.likelihoods:
        unread = sum(p.answer.text not in p.question.choices for p in choosing)
        notes.append(
            "multiple choice by the letter that the model says, not by likelihood"
            + (f"; {unread} of {len(choosing)} answers named no option" if unread else "")
        )
    return notes


def api_cost(config: EndpointConfig, account: Account) -> float | None:
    """US dollars for the tokens of the account; None if a price or a count is unknown."""
    fresh, out = config.price_per_million_in, config.price_per_million_out
    if fresh is None or out is None or account.tokens_in is None or account.tokens_out is None:
        return None
    cached = config.price_per_million_cached_in
    from_cache = account.tokens_cached_in or 0
    read = (account.tokens_in - from_cache) * fresh + from_cache * (
        fresh if cached is None else cached
    )
    return (read + account.tokens_out * out) / 1e6
