"""One arm metered again: made anew aside from the store, or opened from it; then answered."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import provenance
from harness.answering import answer
from harness.blocks.plan import Plan
from harness.blocks.table import METERED, Reading
from harness.columns import phase_columns
from harness.config import Config
from harness.errors import RecordError
from harness.ledger import Ledger
from harness.metering.codecarbon_source import open_energy_source
from harness.metering.device import choose_device, device_description
from harness.metering.energy import cost_assumptions, energy_assumed_share, energy_source_name
from harness.metering.grid import grid_of
from harness.metering.meter import Meter
from harness.metering.reading import total
from harness.method import Method
from harness.models.backends import known_energy
from harness.predictions import read_predictions
from harness.recorded import Opened, open_run, parts_of
from harness.results import run_file
from harness.sweep.turns import turns_on
from harness.types import Prediction

Row = Mapping[str, Any]


def meter_again(plan: Plan, number: int, scratch: Path) -> Reading:
    """The reading of the plan's run ``number``, but for its place among the blocks.

    Args:
        scratch: an empty folder, in which everything is made that is made.

    Raises:
        RecordError: serving is metered, and what the run made is not in the store any more.
        DataError: documents, questions or model of the run are others by now.
    """
    row, everything = plan.rows[number], plan.phases == "all"
    started = datetime.now(UTC).isoformat(timespec="seconds")
    config, task, files = parts_of(row)
    device = choose_device(config.model.device)
    opened = None if everything else _opened(row)
    processes = config.adapter.processes if config.adapter else 1
    with Meter(
        device,
        open_energy_source(config.cost, device, processes),
        sample_seconds=config.cost.sample_seconds,
        turn=turns_on(device) if config.measure.exclusive else None,
    ) as meter:
        ledger = Ledger(meter, aside=scratch)
        if opened is None:
            method = Method(_as_chosen(config, row), task, files, device, ledger)
            method.index()
            method.prepare()
            method.fit()
        else:
            method = opened.method
            method.ledger = ledger
        top_k = row.get("top_k")
        predictions = answer(
            method.model(),
            config.prompt,
            task.test,
            method.retriever,
            0 if top_k is None else int(top_k),
            ledger,
            shots=method.shots,
        )
        trained = method.training.get("tokens") if everything else None
        exclusive = meter.device_exclusive()
    readings = known_energy(config.model, config.adapter, ledger.full())
    whole = total(readings[phase] for phase in METERED if phase in readings)
    code, dirty = provenance.code_version()
    found: Reading = {
        **{"set_id": plan.set_id, "run_id": row["run_id"], "arm": row["arm"]},
        **{"seed": row["seed"], "phases": plan.phases, "started_at": started},
        "n_test": len(predictions),
        "same_answers": same_answers(row, predictions),
        "prefill_tokens": _sum([one.answer.tokens_in for one in predictions]),
        "decode_tokens": _sum([one.answer.tokens_out for one in predictions]),
        "trained_tokens": trained,
        "energy_source": energy_source_name(whole) if whole else "none",
        "energy_assumed_share": energy_assumed_share(whole) if whole else None,
        "cost_assumptions": cost_assumptions(meter.energy, grid_of(config.cost), config.cost),
        "device": device_description(device),
        "device_exclusive": exclusive,
        "platform": provenance.platform_name(),
        "package_versions": provenance.package_versions(),
        **{"code_version": code, "code_dirty": dirty},
    }
    for phase in METERED:
        if phase in readings:
            one = readings[phase]
            values = (one.wall_seconds, one.cpu_seconds, one.gpu_seconds, one.energy_kwh)
            found |= dict(zip(phase_columns(phase), values, strict=True))
    del method, opened
    gc.collect()  # the next arm's model is not to share memory with this one's
    return found


def same_answers(row: Row, predictions: Sequence[Prediction]) -> bool | None:
    """Whether every answer is the one on record; None where the run's answers are not there."""
    try:
        lines = read_predictions(run_file(dict(row), "predictions"))
    except RecordError:
        return None
    then = {line["question_id"]: line.get("output") for line in lines}
    return then == {one.question.id: one.answer.text for one in predictions}


def _opened(row: Row) -> Opened:
    """The run with what it made, which is not made again to be answered with alone."""
    try:
        return open_run(row)
    except RecordError as error:
        raise RecordError(f"{error} with harness ask; or meter all phases") from error


def _as_chosen(config: Config, row: Row) -> Config:
    """The settings with the top_k that training prompts were given, so none is chosen again."""
    retriever, adapter = config.retriever, config.adapter
    if retriever is None or adapter is None or adapter.train_passages != "retrieved":
        return config
    if retriever.gives_all or retriever.top_k is not None:
        return config
    chosen = _opened(row).method.training.get("train_top_k")
    return replace(config, retriever=replace(retriever, top_k=chosen))


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
