"""One trial of a search: a setting fitted as in any run, and scored on validation questions."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.config import Config
from harness.errors import ConfigError, HarnessError
from harness.ledger import Ledger
from harness.measures.costs import costs
from harness.metering.reading import PhaseReading, total
from harness.models.load import locate
from harness.row import Row, new_row
from harness.run import check_corpus, measure, resolved
from harness.search.trials import FAILED, OK, Trial, put_trial, read_trials
from harness.search.validation import on_validation, probes_for
from harness.sweep.cell import run_id
from harness.tasks import load_task
from harness.types import sha256_of

logger = logging.getLogger(__name__)


def run_trial(config: Config, rerun: str) -> Row:
    """The trial that ``config.search`` tells of, kept in search.csv; what it came to, as a row.

    The row is for the journal: it has no measures, and is written nowhere. A trial that is in
    search.csv, in whatever search of the experiment, is not run again.

    Args:
        rerun: as for ``run.run``.
    """
    folder = config.folder()
    trial = draft(config)
    ledgers: list[Ledger] = []
    try:
        there = _kept(folder, trial, rerun)
        if there is None:
            task = on_validation(load_task(config.task))
            check_corpus(config, task)
            files = locate(config.model)
            config = resolved(as_trial(config), files)
            objectives = [trial.measure, trial.second]
            digest = sha256_of([run_id(config, task, files.identity), objectives])
            trial = replace(trial, digest=digest)
            there = _kept(folder, trial, rerun)
        if there is not None:
            trial = replace(
                there, search=trial.search, number=trial.number, settings=trial.settings
            )
            if trial != there:
                put_trial(folder, trial)
            return {**_row(config, there), "spent_energy_kwh": None}
        values, _, scores, _ = measure(config, task, files, ledgers.append)
        scored = [one for one in scores if trial.measure in one]
        trial = replace(trial, **_objectives(config, values), n_questions=len(scored), state=OK)
    except HarnessError as error:
        logger.error("trial %d: %s", trial.number, error)
        trial = replace(trial, error=" ".join(str(error).split()))
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        put_trial(folder, _with_costs(replace(trial, error=told), ledgers))
        raise
    trial = _with_costs(trial, ledgers)
    put_trial(folder, trial)
    return _row(config, trial)


def lose_trial(config: Config, error: str) -> Row:
    """The failed trial, kept in search.csv, of which only the settings are known; as a row."""
    trial = _with_costs(replace(draft(config), error=error), [])
    put_trial(config.folder(), trial)
    return _row(config, trial)


def draft(config: Config) -> Trial:
    """The trial before anything is known of it: failed, until it is not."""
    search = config.search
    return Trial(
        search=search.id,
        number=search.number,
        state=FAILED,
        arm=config.arm,
        seed=config.seed,
        settings=dict(search.settings),
        # Where a trial fails before its data is known, its settings alone tell it from others.
        digest=sha256_of([search.id, dict(search.settings)]),
        measure=str(search.measure),
        second=search.second,
        invocation=os.environ.get("HARNESS_INVOCATION") or None,
    )


def _row(config: Config, trial: Trial) -> Row:
    return new_row(
        run_id=f"trial-{trial.digest[:12]}",
        experiment=config.experiment,
        arm=config.arm,
        task=config.task.name,
        model=config.model.name,
        seed=config.seed,
        invocation=trial.invocation,
        status=trial.state,
        error=None if trial.ok else trial.error or "no score",
        spent_energy_kwh=(trial.spent or {}).get("energy_kwh"),
    )


def as_trial(config: Config) -> Config:
    """The config without what no objective needs: latencies and probes."""
    second = config.search.second or ""
    timed = config.measure.latency_questions if second.startswith("latency") else 0
    return replace(
        config,
        measure=replace(config.measure, latency_questions=timed),
        forgetting=replace(config.forgetting, probes=probes_for(second)),
    )


def _kept(folder: Path, trial: Trial, rerun: str) -> Trial | None:
    """The trial that makes this one needless: the same digest, this search's own preferred."""
    if rerun == "all":
        return None
    same = [one for one in read_trials(folder) if one.digest == trial.digest]
    same = [one for one in same if one.ok or rerun == "missing"]
    same.sort(key=lambda one: (one.search != trial.search, one.number != trial.number))
    return same[0] if same else None


def _objectives(config: Config, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a trial that hold its objectives.

    Raises:
        ConfigError: one of them is not known here.
    """
    first, second = str(config.search.measure), config.search.second
    found = {"value": values.get(first), "second_value": None}
    if second is not None:
        found["second_value"] = values.get(second, costs(values).get(second))
    for name, value in ((first, found["value"]), (second, found["second_value"])):
        if name is not None and value is None:
            raise ConfigError(f"{name} is not known for {config.arm}: name another objective")
    return {**found, "low": values.get(f"{first}_low"), "high": values.get(f"{first}_high")}


def _with_costs(trial: Trial, ledgers: Sequence[Ledger]) -> Trial:
    """The trial with what it took: the phase that failed, if one did, included."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if not ledgers:
        return replace(trial, created_at=now)
    ledger = ledgers[0]
    spent = total(ledger.meter.readings().values())
    reused = {one.key: _summed(one.costs) for one in ledger.artifacts if one.reused and one.costs}
    known = [spent, *(PhaseReading.from_dict(costs) for costs in reused.values())]
    full = total(one for one in known if one is not None)
    return replace(
        trial,
        seconds=full.wall_seconds if full else None,
        energy_kwh=full.energy_kwh if full else None,
        spent=spent.to_dict() if spent else None,
        made=[one.key for one in ledger.artifacts if not one.reused],
        reused=reused,
        created_at=now,
    )


def _summed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The phases of an artifact's costs as one reading."""
    summed = total(PhaseReading.from_dict(one) for one in stored.values())
    return summed.to_dict() if summed else {}
