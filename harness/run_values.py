"""What a finished run's row says: its settings, and what was measured, as values of columns."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.adapters.kinds import PEFT_KINDS
from harness.answering import passage_tokens, shot_tokens
from harness.columns import phase_columns
from harness.config import Config
from harness.ledger import Ledger
from harness.measures.accuracy import Scores, by_bucket, summarise
from harness.measures.forgetting import Forgetting
from harness.measures.retrieval import retrieval_scores
from harness.metering.energy import (
    cost_assumptions,
    energy_assumed_share,
    energy_source_name,
)
from harness.metering.grid import grid_of
from harness.metering.latency import percentiles
from harness.metering.reading import PhaseReading, total
from harness.method import Answers, Method
from harness.models import backends
from harness.pairs.report import made_values
from harness.row import interval_cells
from harness.stats import Interval

NOT_THE_ARMS_COST = ("probe", "latency")
"""Phases that measure an arm rather than serve it: left out of its energy and peak memory."""


def settings_values(config: Config) -> dict[str, Any]:
    """The settings that people filter and group by."""
    model, retriever, adapter = config.model, config.retriever, config.adapter
    part = config.measure.answer_part
    settings: dict[str, Any] = {
        "dtype": model.dtype,
        "attention": model.attention,
        "max_new_tokens": config.prompt.max_new_tokens,
        "shots": config.prompt.shots or None,
        "answer_part": None if part == "whole" else part,
    }
    added = config.task.distractors
    if added.source != "none":
        settings |= {"distractors": added.source, "distractors_chosen": added.choose}
    if retriever is not None:
        settings |= {
            "retriever": retriever.kind,
            "encoder": retriever.encoder.label if retriever.has_encoder else None,
            "index_kind": retriever.index if retriever.has_encoder else None,
            "reranker": retriever.rerank.label if retriever.rerank.on else None,
            "rerank_candidates": retriever.rerank.candidates if retriever.rerank.on else None,
            "chunk_tokens": retriever.chunk_tokens,
            "chunk_overlap": retriever.chunk_overlap,
            "context_budget_tokens": config.prompt.context_budget_tokens,
        }
    if adapter is not None:
        kind = PEFT_KINDS.get(adapter.kind)
        raft = adapter.raft if adapter.train_passages == "raft" else None
        settings |= {
            "adapter": adapter.kind,
            "adapter_variant": adapter.variant if adapter.kind == "lora" else None,
            "rank": adapter.rank if kind and kind.rank else None,
            "alpha": adapter.alpha if kind and kind.alpha else None,
            "adapter_merged": adapter.merge if kind else None,
            "learning_rate": adapter.learning_rate,
            "train_batch_size": adapter.batch_size,
            "train_passages": adapter.train_passages,
            "replay_share": adapter.replay.share,
            "kl_weight": adapter.kl.weight,
            "raft_gold_share": raft.gold_share if raft else None,
            "train_dtype": model.train_dtype,
            "update_dtype": adapter.update_dtype(model.train_dtype),
            "train_attention": model.train_attention,
            "train_quantization": model.train_quantization,
            "pair_generator": adapter.pairs.generator if adapter.pairs.on else None,
        }
    return settings


def accuracy_values(answers: Answers, scores: list[Scores], confidence: float) -> dict[str, Any]:
    """Accuracy, overall and by popularity bucket."""
    predictions = answers.predictions
    values: dict[str, Any] = {
        "n_test": len(predictions),
        "n_clusters": len({p.question.cluster or p.question.id for p in predictions}),
        "by_bucket": {
            bucket: {name: _plain(interval) for name, interval in means.items()}
            for bucket, means in by_bucket(predictions, scores, confidence).items()
        },
    }
    for name, interval in summarise(predictions, scores, confidence).items():
        values |= interval_cells(name, interval)
    return values


def retrieval_values(config: Config, answers: Answers, scores: list[Scores]) -> dict[str, Any]:
    """Retrieval measures; each question's own are added to ``scores``."""
    if config.retriever is None or answers.top_k is None:
        return {}
    found = retrieval_scores(answers.predictions, answers.top_k, config.measure.confidence)
    for own, retrieved in zip(scores, found.questions, strict=True):
        own.update(retrieved)
    values: dict[str, Any] = {"retrieval_n": found.n}
    for name, interval in found.means.items():
        values |= interval_cells(name, interval)
    return values


def forgetting_values(forgotten: dict[str, Forgetting], by_construction: bool) -> dict[str, Any]:
    """Each probe before and after, and the harm; null where it was not asked."""
    values: dict[str, Any] = {"forgetting_by_construction": by_construction if forgotten else None}
    for name, one in forgotten.items():
        values |= {f"{name}_before": one.before.mean, f"{name}_after": one.after.mean}
        values |= interval_cells(f"forgetting_{name}", one.harm)
        values[f"forgetting_{name}_n"] = one.harm.n
    return values


def training_values(method: Method) -> dict[str, Any]:
    """What was trained on and for how long; nothing without an adapter."""
    told = method.training
    if not told:
        return {}
    reading = method.ledger.full().get("train")
    return {
        **made_values(method.made),
        "training_data": "pairs" if method.task.train else "text",
        "training_pairs": told["examples"],
        "raft_quoting": method.quoted.quoting if method.quoted else None,
        "train_processes": told["processes"],
        "trained_tokens": told["tokens"],
        "train_shared_tokens": told.get("shared_tokens"),
        "trained_steps": told["steps"],
        "epochs": told["epochs"],
        "trainable_parameters": told.get("trainable_parameters"),
        "adapter_bytes": method.adapter_bytes,
        "train_tokens_per_second": told["tokens"] / reading.wall_seconds if reading else None,
    }


def cost_values(config: Config, ledger: Ledger, answers: Answers, method: Method) -> dict[str, Any]:
    """Time and energy by phase at full cost, totals, and what this run itself spent."""
    full = backends.known_energy(config.model, config.adapter, ledger.full())
    spent = backends.known_energy(config.model, config.adapter, ledger.spent())
    values: dict[str, Any] = {}
    for phase, reading in full.items():
        wall, cpu, gpu, energy = phase_columns(phase)
        values |= {
            wall: reading.wall_seconds,
            cpu: reading.cpu_seconds,
            gpu: reading.gpu_seconds,
            energy: reading.energy_kwh,
        }
    grid = grid_of(config.cost)
    here = total(spent.values())
    serving = [reading for phase, reading in full.items() if phase not in NOT_THE_ARMS_COST]
    peaks = [reading.peak_memory_gib for reading in serving]
    gpu_peaks = [reading.peak_gpu_memory_gib for reading in serving]
    arm = total(serving)
    timed = [p.latency_seconds for p in answers.predictions if p.latency_seconds is not None]
    predictions = answers.predictions

    def count(text: str) -> int:
        return len(method.tokenizer(text, add_special_tokens=False)["input_ids"])

    values |= {
        "prefill_tokens": _summed([p.answer.tokens_in for p in predictions]),
        "decode_tokens": _summed([p.answer.tokens_out for p in predictions]),
        "passage_tokens": passage_tokens(count, predictions),
        "shot_tokens": shot_tokens(count, method.shots, predictions)
        if config.prompt.shots
        else None,
        **percentiles(timed),
        "latency_n": len(timed) or None,
        "latency_batch_size": 1 if timed else None,
        "peak_memory_gib": max((peak for peak in peaks if peak is not None), default=None),
        "peak_gpu_memory_gib": max((peak for peak in gpu_peaks if peak is not None), default=None),
        **_energy(config, arm),
        "emissions_kg": grid.emissions_kg(arm.energy_kwh if arm else None, config.cost.pue),
        "carbon_intensity_kg_per_kwh": grid.kg_per_kwh,
        "carbon_intensity_source": f"{grid.origin}: {grid.detail}",
        "cost_assumptions": cost_assumptions(ledger.meter.energy, grid, config.cost),
        # Nothing metered is no time spent; its energy is unknown only if energy is not counted.
        "spent_seconds": here.wall_seconds if here else 0.0,
        "spent_energy_kwh": here.energy_kwh if here else None,
        "meter_overhead_share": ledger.meter.overhead_share,
    }
    return values


def _energy(config: Config, arm: PhaseReading | None) -> dict[str, Any]:
    if arm is None:
        return {"energy_source": "none"}
    return {
        "total_energy_kwh": arm.energy_kwh,
        "estimated_energy_kwh": arm.estimated_energy_kwh,
        "energy_source": energy_source_name(arm),
        "energy_assumed_share": energy_assumed_share(arm),
    }


def _summed(counts: list[int | None]) -> int | None:
    """The sum; None if a count is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _plain(interval: Interval) -> dict[str, Any]:
    """Mean, ends and number of questions, ready for JSON."""
    kept = asdict(interval)
    return {"mean": kept["mean"], "low": kept["low"], "high": kept["high"], "n": kept["n"]}
