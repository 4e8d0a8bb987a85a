"""One config -> one record: task, method, answers, measures, row. Read this first."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import provenance
from harness.adapters.kinds import PEFT_KINDS, peft_config
from harness.answering import passage_tokens, shot_tokens
from harness.columns import phase_columns
from harness.config import Config, config_hash, keep_config
from harness.errors import ConfigError, HarnessError
from harness.ledger import Ledger
from harness.measures.accuracy import Scores, by_bucket, score, summarise
from harness.measures.definitions import metric_versions
from harness.measures.forgetting import Forgetting, load_probes
from harness.measures.index_recall import measure_index_recall
from harness.measures.probing import measure_forgetting
from harness.measures.retrieval import retrieval_scores
from harness.metering.codecarbon_source import open_energy_source
from harness.metering.device import choose_device, device_description
from harness.metering.energy import (
    cost_assumptions,
    energy_assumed_share,
    energy_source_name,
)
from harness.metering.grid import grid_of
from harness.metering.latency import percentiles
from harness.metering.meter import Meter
from harness.metering.reading import PhaseReading, total
from harness.method import Answers, Method
from harness.models import backends
from harness.models.calibrate import resolve_choices
from harness.models.load import ModelFiles, locate, one_line
from harness.pairs.report import made_values, write_training_data
from harness.predictions import write_predictions
from harness.probe_items import ProbeLine, write_probe_items
from harness.record import prepare_table, put_row
from harness.row import Row, interval_cells, new_row
from harness.search.choice import chosen_settings
from harness.search.config import TRIAL
from harness.search.halves import HALF_NOTE, halved, probe_half
from harness.stats import Interval
from harness.store_use import session
from harness.sweep.cell import draft_id, kept, run_id
from harness.sweep.turns import turns_on
from harness.tasks import load_task
from harness.tracking import track
from harness.types import Task

logger = logging.getLogger(__name__)

NOT_THE_ARMS_COST = ("probe", "latency")
"""Phases that measure an arm rather than serve it: left out of its energy and peak memory."""

_RUNS = itertools.count()
"""Runs of this process: after the first, libraries are loaded and caches are warm."""


@session()
def run(config: Config, rerun: str = "all") -> Row:
    """The row of one cell, written to ``<results>/<experiment>/runs.csv``.

    A run that fails for a reason its user can mend gives a row with ``status=failed``. A search's
    trial goes to ``search.csv`` instead, and has no row there.

    Args:
        rerun: "all" runs the cell whatever there is, and replaces its row; "missing" returns its
            row if there is one, "failed" only if that run was ok.

    Raises:
        RecordError: the results cannot be written; nothing has been computed then.
    """
    if config.search.part == TRIAL:
        from harness.search.trial import run_trial  # builds on this module

        return run_trial(config, rerun)
    folder = config.folder()
    table = folder / "runs.csv"
    prepare_table(table)
    ids = [draft_id(config)]  # a run that failed early has this one
    identity = _identity(config) | {"run_id": ids[0]}
    try:
        if config.adapter and config.adapter.options:
            peft_config(config.adapter)
        task = load_task(config.task)  # first: what the user gave is checked before any long work
        check_corpus(config, task)
        files = locate(config.model)
        config = resolved(config, files)
        ids += [run_id(config, task, files.identity), draft_id(config)]
        there = kept(table, ids, rerun)
        if there is not None:
            return there
        identity |= {"run_id": ids[1], "config_hash": config_hash(config)} | _settings(config)
        chosen = chosen_settings(folder, config.search)
        identity["settings_chosen_by"] = chosen.told if chosen else None
        enter = chosen.enter if chosen else None
        keep_config(config, folder / "configs")
        measured, answers, scores, probed = measure(config, task, files, enter)
        row = new_row(**{**identity, **measured, "status": "ok"})
        write_predictions(folder / "predictions", row["run_id"], answers.predictions, scores)
        if probed:
            write_probe_items(folder / "probes", row["run_id"], probed)
    except HarnessError as error:
        logger.error("%s: %s", config.arm, error)
        row = new_row(**identity, status="failed", error=str(error))
    except Exception as error:
        put_row(table, new_row(**identity, status="failed", error=_told(error)), ids)
        raise
    put_row(table, row, ids)
    track(config.tracking, Path(config.results), row)
    return row


def check_corpus(config: Config, task: Task) -> None:
    """Raise ConfigError if the arm retrieves or trains, and the task has nothing for it."""
    if config.retriever and not task.corpus:
        raise ConfigError(
            f"{config.arm} retrieves, but task '{task.name}' has no documents: set task.corpus to "
            "a folder or file of them, or leave this arm out"
        )
    if config.adapter and not task.train and all(one.distractor for one in task.corpus):
        raise ConfigError(
            f"{config.arm} trains, but task '{task.name}' has neither training pairs nor documents "
            "that may be trained on: set task.corpus, or leave this arm out"
        )


def record_failure(config: Config, error: str) -> Row:
    """The failed row, now in the table, of a cell that could not end by itself: it was killed, say.

    Raises:
        RecordError: the results cannot be written.
    """
    if config.search.part == TRIAL:
        from harness.search.trial import lose_trial

        return lose_trial(config, error)
    identity = _identity(config) | {"run_id": draft_id(config)}
    row = new_row(**identity, status="failed", error=error)
    put_row(config.folder() / "runs.csv", row)
    return row


def measure(
    config: Config,
    task: Task,
    files: ModelFiles,
    enter: Callable[[Ledger], None] | None = None,
) -> tuple[dict[str, Any], Answers, list[Scores], list[ProbeLine]]:
    """The experiment itself: the row's values, the answers, each question's and item's scores.

    Args:
        config: resolved.
        enter: given the ledger before anything is entered in it.
    """
    first = next(_RUNS) == 0
    device = choose_device(config.model.device)
    relations = sorted({q.relation for q in task.test + task.validation if q.relation})
    items = load_probes(config.forgetting, relations)  # fetched, if need be, before long work
    items = probe_half(items, config.search)
    with Meter(
        device,
        open_energy_source(config.cost, device, config.adapter.processes if config.adapter else 1),
        sample_seconds=config.cost.sample_seconds,
        turn=turns_on(device) if config.measure.exclusive else None,
    ) as meter:
        ledger = Ledger(meter, reuse=config.measure.reuse)
        if enter:
            enter(ledger)
        method = Method(config, task, files, device, ledger)
        method.index()
        made = method.prepare()
        if made is not None:
            write_training_data(config.folder() / "training_data", made, task)
        method.fit()
        answers = method.answer()
        index_recall = measure_index_recall(method, answers)
        probed = measure_forgetting(method, items, config.forgetting)
    confidence = config.measure.confidence
    scores = [score(one, config.measure.answer_part) for one in answers.predictions]
    values = _accuracy(answers, scores, confidence)
    values |= _retrieval(config, answers, scores) | {"index_recall_at_k": index_recall}
    values |= _forgetting(probed.measures, by_construction=config.adapter is None)
    values |= _training(method)
    values |= _cost(config, ledger, answers, method)
    said = backends.row_notes(answers.account, answers.predictions)
    half = HALF_NOTE if probed.items and halved(config.search) else None
    notes = [*method.task.notes, method.training.get("note"), half, *said]
    values |= {
        "split_sha256": task.test_sha256(),
        "corpus_sha256": task.corpus_sha256(),
        "distractor_documents": sum(document.distractor for document in task.corpus),
        "model_identity": files.identity,
        "parity": task.parity,
        "notes": "; ".join(note for note in notes if note),
        "device": device_description(device),
        "device_exclusive": meter.device_exclusive(),
        "reused": ledger.reused,
        "cold_start": first and not ledger.reused,
        "top_k": answers.top_k,
        "top_k_chosen_by": answers.top_k_chosen_by,
    }
    values |= backends.row_values(
        config.model, answers.account, answers.predictions, str(values["device"])
    )
    return values, answers, scores, probed.items


def resolved(config: Config, files: ModelFiles) -> Config:
    """The config with the device, and number format and attention chosen for it."""
    device = choose_device(config.model.device)
    turn = turns_on(device) if config.measure.exclusive else nullcontext
    model = resolve_choices(config.model, files, device, turn)
    return replace(config, model=replace(model, device=str(device)))


def _identity(config: Config) -> dict[str, Any]:
    """What is known before anything runs: a failed row has at least this."""
    commit, dirty = provenance.code_version()
    now = datetime.now(UTC)
    return {
        "created_at": now.isoformat(timespec="seconds"),
        "invocation": os.environ.get("HARNESS_INVOCATION"),
        "experiment": config.experiment,
        "arm": config.arm,
        "task": config.task.name,
        "model": config.model.name,
        "seed": config.seed,
        "config_hash": config_hash(config),
        "code_version": commit,
        "code_dirty": dirty,
        "package_versions": provenance.package_versions(),
        "platform": provenance.platform_name(),
        "metric_versions": metric_versions(),
    }


def _settings(config: Config) -> dict[str, Any]:
    """The settings that people filter and group by."""
    model, retriever, adapter = config.model, config.retriever, config.adapter
    settings: dict[str, Any] = {
        "dtype": model.dtype,
        "attention": model.attention,
        "max_new_tokens": config.prompt.max_new_tokens,
        "shots": config.prompt.shots or None,
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
            "train_attention": model.train_attention,
            "pair_generator": adapter.pairs.generator if adapter.pairs.on else None,
        }
    return settings


def _accuracy(answers: Answers, scores: list[Scores], confidence: float) -> dict[str, Any]:
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


def _retrieval(config: Config, answers: Answers, scores: list[Scores]) -> dict[str, Any]:
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


def _forgetting(forgotten: dict[str, Forgetting], by_construction: bool) -> dict[str, Any]:
    values: dict[str, Any] = {"forgetting_by_construction": by_construction if forgotten else None}
    for name, one in forgotten.items():
        values |= {f"{name}_before": one.before.mean, f"{name}_after": one.after.mean}
        values |= interval_cells(f"forgetting_{name}", one.harm)
        values[f"forgetting_{name}_n"] = one.harm.n
    return values


def _training(method: Method) -> dict[str, Any]:
    told = method.training
    if not told:
        return {}
    reading = method.ledger.full().get("train")
    return {
        **made_values(method.made),
        "training_data": "pairs" if method.task.train else "text",
        "training_pairs": told["examples"],
        "train_processes": told["processes"],
        "trained_tokens": told["tokens"],
        "trained_steps": told["steps"],
        "epochs": told["epochs"],
        "trainable_parameters": told.get("trainable_parameters"),
        "adapter_bytes": method.adapter_bytes,
        "train_tokens_per_second": told["tokens"] / reading.wall_seconds if reading else None,
    }


def _cost(config: Config, ledger: Ledger, answers: Answers, method: Method) -> dict[str, Any]:
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


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"
