"""What determines each thing that a method makes: the keys under which the store keeps it.

Whatever changes an artifact's bytes is in its key, and nothing else is: not how often a training
writes checkpoints, not whether the adapter is merged when it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from harness.adapters.config import AdapterConfig
from harness.config import Config
from harness.metering.device import device_description
from harness.models.quantization import quantization_key
from harness.retrieval.config import RetrieverConfig
from harness.retrieval.rerank import rerank_key
from harness.shots import NO_SHOTS, Shots
from harness.store import Artifact
from harness.telling import telling
from harness.types import Task, sha256_of

if TYPE_CHECKING:
    import torch

METHOD_VERSION = 3
"""Part of every key: raise it when fitting or answering changes what comes out."""

DETERMINING_PACKAGES = ("torch", "transformers", "peft", "tokenizers")

WITHOUT_EFFECT = ("merge", "checkpoint_steps", "pairs")
"""Adapter settings that leave the trained bytes as they are: merging happens when answering, and
pairs that were made are in the key themselves."""


def circumstances(config: Config, device: torch.device) -> dict[str, Any]:
    """What else may change a result or its cost: packages, device, how energy is counted."""
    cost = config.cost
    return {
        "method_version": METHOD_VERSION,
        "packages": {name: version(name) for name in DETERMINING_PACKAGES},
        "device": device_description(device),
        "energy": [cost.energy, cost.cpu_watts, cost.memory_watts, cost.gpu],
    }


def weights_key(config: Config, base: str, adapter: Artifact | None) -> dict[str, Any]:
    """What determines the weights that answer: base model, adapter, format, merging."""
    return {
        "base": base,
        "adapter": adapter.key if adapter else None,
        "merged": config.adapter.merge if config.adapter else None,
        "dtype": config.model.dtype,
        "attention": config.model.attention,
    }


def adapter_key(
    config: Config,
    adapter: AdapterConfig,
    task: Task,
    base: str,
    index: Artifact | None,
    replayed: Sequence[str],
) -> dict[str, Any]:
    """What determines a trained adapter.

    Args:
        replayed: the general questions that are replayed.
    """
    retrieved = adapter.train_passages == "retrieved"
    raft = adapter.train_passages == "raft" and adapter.raft.distractors_from == "retrieved"
    settings = {
        k: v for k, v in telling("adapter", asdict(adapter)).items() if k not in WITHOUT_EFFECT
    }
    measure, prompt = config.measure, config.prompt
    in_prompts = adapter.train_passages != "none"
    needs_validation = adapter.early_stopping_patience is not None or retrieved
    return {
        "base": base,
        "adapter": settings,
        "seed": config.seed,
        "train_dtype": config.model.train_dtype,
        "train_attention": config.model.train_attention,
        **updates_key(adapter, config.model.train_dtype),
        **quantization_key(config.model),
        "chat": config.model.chat,
        "prompt": prompt.sha256(),
        "budget": prompt.context_budget_tokens if in_prompts else None,
        "replayed": sha256_of(list(replayed)),
        "pairs": sha256_of([asdict(pair) for pair in task.train]),
        "texts": task.corpus_sha256() if not task.train else None,
        "index": index.key if in_prompts and index else None,
        "top_k": top_k_settings(config.retriever) if retrieved else None,
        "chosen_by": [measure.primary, measure.answer_part, prompt.max_new_tokens]
        if retrieved
        else None,
        "validation": task.validation_sha256() if needs_validation else None,
        **(rerank_key(config.retriever.rerank) if (retrieved or raft) and config.retriever else {}),
        **(batching(config) if retrieved else {}),
    }


def updates_key(adapter: AdapterConfig, train_dtype: str) -> dict[str, Any]:
    """How updates are made, where it is not in the weights' own format."""
    moved = adapter.update_dtype(train_dtype)
    return {"update_dtype": moved} if moved != train_dtype else {}


def replay_key(
    config: Config, adapter: AdapterConfig, base: str, prompts: Sequence[Any]
) -> dict[str, Any]:
    """What determines the base model's answers to general questions."""
    return {
        "base": base,
        "dtype": config.model.train_dtype,
        "attention": config.model.train_attention,
        **quantization_key(config.model),
        "prompts": sha256_of(list(prompts)),
        "max_new_tokens": adapter.replay.max_new_tokens,
        **batching(config),
    }


def answers_key(
    config: Config,
    task: Task,
    weights: dict[str, Any],
    index: Artifact | None,
    shots: Shots = NO_SHOTS,
) -> dict[str, Any]:
    """What determines an arm's answers and their latencies."""
    measure, prompt, model = config.measure, config.prompt, config.model
    return {
        **({"shots": shots.sha256()} if shots.count else {}),
        "weights": weights,
        "index": index.key if index else None,
        "top_k": top_k_settings(config.retriever),
        "prompt": prompt.sha256(),
        "budget": prompt.context_budget_tokens,
        "max_new_tokens": prompt.max_new_tokens,
        "context_tokens": model.context_tokens,
        "chat": model.chat,
        "batch": [model.batch_size, model.batch_tokens],
        "test": task.test_sha256(),
        "validation": task.validation_sha256(),
        "primary": [measure.primary, measure.answer_part],
        "latency": [measure.latency_questions, measure.latency_warmup],
        **(rerank_key(config.retriever.rerank) if config.retriever else {}),
    }


def probes_key(config: Config, weights: dict[str, Any], items: str) -> dict[str, Any]:
    """What determines the scores of the forgetting probes.

    Args:
        items: sha256 of what is probed.
    """
    return {
        "weights": weights,
        "items": items,
        "text_tokens": config.forgetting.text_tokens,
        "prompt": config.prompt.sha256(),
        "max_new_tokens": config.prompt.max_new_tokens,
        "chat": config.model.chat,
        **batching(config),
    }


def batching(config: Config) -> dict[str, Any]:
    """Batch sizes of answering, but for the usual ones: another one rounds sums otherwise, and so
    may change a token.
    """
    sizes = {"batch_size": config.model.batch_size, "batch_tokens": config.model.batch_tokens}
    return telling("batching", sizes)


def top_k_settings(config: RetrieverConfig | None) -> Any:
    """top_k, or what it is chosen from; None without a retriever."""
    if config is None:
        return None
    return config.top_k or [list(config.top_k_candidates), config.top_k_default]
