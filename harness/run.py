"""One config -> one record: task, method, answers, measures, row. Read this first."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import provenance
from harness.adapters.kinds import peft_config
from harness.config import Config, config_hash, keep_config
from harness.errors import ConfigError, HarnessError
from harness.ledger import Ledger
from harness.measures.accuracy import Scores, score
from harness.measures.cut import at_limit
from harness.measures.definitions import metric_versions
from harness.measures.forgetting import load_probes
from harness.measures.index_recall import measure_index_recall
from harness.measures.probing import measure_forgetting
from harness.measures.similarity import fetch_encoder, measure_similarity, similarity_values
from harness.metering.codecarbon_source import open_energy_source
from harness.metering.device import choose_device, device_description
from harness.metering.meter import Meter
from harness.method import Answers, Method
from harness.models import backends
from harness.models.calibrate import resolve_choices
from harness.models.load import ModelFiles, locate, one_line
from harness.pairs.report import write_training_data
from harness.predictions import write_predictions
from harness.probe_items import ProbeLine, write_probe_items
from harness.quotes import quoting_of
from harness.record import prepare_table, put_row
from harness.row import Row, new_row
from harness.run_values import (
    accuracy_values,
    cost_values,
    forgetting_values,
    retrieval_values,
    settings_values,
    training_values,
)
from harness.search.choice import chosen_settings
from harness.search.config import TRIAL
from harness.search.halves import HALF_NOTE, halved, probe_half
from harness.store_use import session
from harness.sweep.cell import draft_id, kept, run_id
from harness.sweep.turns import turns_on
from harness.tasks import load_task
from harness.tracking import track
from harness.types import Task

logger = logging.getLogger(__name__)

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
        identity |= {"run_id": ids[1], "config_hash": config_hash(config)} | settings_values(config)
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
    fetch_encoder(config.measure)
    turn = turns_on(device) if config.measure.exclusive else None
    with Meter(
        device,
        open_energy_source(config.cost, device, config.adapter.processes if config.adapter else 1),
        sample_seconds=config.cost.sample_seconds,
        turn=turn,
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
    with turn() if turn else nullcontext():  # another cell may be measured now
        measure_similarity(config.measure, str(device), answers.predictions, scores)
    values = accuracy_values(answers, scores, confidence)
    limit = at_limit(answers.predictions, scores, config.prompt.max_new_tokens)
    values |= limit.values()
    quoting = quoting_of(answers.predictions) if config.measure.answer_part == "final" else None
    if quoting:
        values |= quoting.values()
    values |= retrieval_values(config, answers, scores) | {"index_recall_at_k": index_recall}
    values |= forgetting_values(probed.measures, by_construction=config.adapter is None)
    values |= training_values(method)
    values |= cost_values(config, ledger, answers, method)
    said = backends.row_notes(answers.account, answers.predictions)
    half = HALF_NOTE if probed.items and halved(config.search) else None
    quoted = method.quoted.note() if method.quoted else None
    left_open = quoting.note(len(answers.predictions)) if quoting else None
    trained = method.training.get("note")
    notes = [*method.task.notes, trained, quoted, limit.note(), left_open, half, *said]
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
    values |= similarity_values(config.measure, values.get("metric_versions") or metric_versions())
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


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"
