"""Reports of optimum-benchmark: figures of each phase, beside their units.

Fields: https://github.com/huggingface/optimum-benchmark, optimum_benchmark/benchmark/report.py. A
report stands by itself (its configuration in the file beside it) or with its configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.columns import phase_columns
from harness.interchange.detect import ForeignFile
from harness.interchange.foreign_run import ForeignRun, OtherMeasure, Reading
from harness.interchange.leftover import Leftover, is_number
from harness.interchange.units import GIB, KWH, SECONDS, factor
from harness.types import sha256_of

REPORT, CONFIGURATION = "benchmark_report.json", "benchmark_config.json"
BATCH = "one batch of synthetic inputs"

# Their phase -> (ours, the figure of its latency, what that is). ``overall`` is all training steps;
# their ``train`` leaves the first ones out.
SAME_PHASE = {
    "load_model": ("load", "total", "loading"),
    "prefill": ("prefill", "mean", BATCH),
    "decode": ("decode", "mean", BATCH),
    "overall": ("train", "total", "all training steps"),
}
ANSWER = "generate"
PERCENTILES = {"p50": "latency_p50_seconds", "p95": "latency_p95_seconds"}
FEWEST_FOR_P99 = 500


def read(file: ForeignFile) -> Reading:
    """The one run of a report.

    Raises:
        DataError: a unit is unknown or missing.
    """
    report = file.content.get("report")
    whole = isinstance(report, dict) and isinstance(file.content.get("config"), dict)
    content = file.content if whole else {"report": file.content}
    if not whole and (config := _configuration_beside(file)):
        content["config"] = config
    # Of the report alone: with or without its configuration it is the same run.
    identity = sha256_of(["optimum", content["report"]])
    left = Leftover(content)
    columns = _settings(left)
    measures: dict[str, OtherMeasure] = {}
    versions: dict[str, str] = {}
    for phase in _phases(left):
        _read_phase(file, left, phase, columns, measures, versions)
    _answer_latency(file, left, columns, versions)
    columns |= _peaks(file, left, versions)
    columns["trained_steps"] = left.take_int(
        "trained_steps", "report", "overall", "latency", "count"
    )
    version = left.look("config", "environment", "optimum_benchmark_version")
    run = ForeignRun(
        tool=f"optimum-benchmark {version}" if isinstance(version, str) else "optimum-benchmark",
        file=file.name,
        name=str(columns.get("arm") or file.path.stem),
        identity=identity,
        columns=columns,
        measures=measures,
        versions=versions,
        rest=left.rest(),
        placed=left.placed,
    )
    problems = [
        f"{file.path}: {place} is no finite number: kept as text in other_fields"
        for place in left.not_finite()
    ]
    return Reading([run], problems)


def _configuration_beside(file: ForeignFile) -> dict[str, Any] | None:
    """The configuration that optimum-benchmark wrote beside a report; None if it is not there."""
    path = file.path.with_name(CONFIGURATION)
    if file.name != REPORT or not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _settings(left: Leftover) -> dict[str, Any]:
    config = ("config", "backend")
    batch = left.look("config", "scenario", "input_shapes", "batch_size")
    generated = ("config", "scenario", "generate_kwargs", "max_new_tokens")
    return {
        "arm": left.take_text("arm", "config", "name"),
        "task": left.take_text("task", *config, "task"),
        "model": left.take_text("model", *config, "model"),
        "device": left.take_text("device", *config, "device"),
        "dtype": left.take_text("dtype", *config, "torch_dtype"),
        "attention": left.take_text("attention", *config, "attn_implementation"),
        "max_new_tokens": left.take_int("max_new_tokens", *generated),
        "platform": left.take_text("platform", "config", "environment", "platform"),
        # Seconds and energy of prefill and decode are those of one batch: so are its questions.
        "n_test": batch if is_number(batch) and isinstance(batch, int) else None,
    }


def _phases(left: Leftover) -> Iterator[str]:
    report = left.look("report")
    for phase in list(report) if isinstance(report, dict) else []:
        if isinstance(report[phase], dict):
            yield phase


def _read_phase(
    file: ForeignFile,
    left: Leftover,
    phase: str,
    columns: dict[str, Any],
    measures: dict[str, OtherMeasure],
    versions: dict[str, str],
) -> None:
    at = ("report", phase)
    where = f"{file.path}, {phase}"
    ours, statistic, what = SAME_PHASE.get(phase, ("", "mean", ""))
    seconds, _, _, energy = phase_columns(ours) if ours else ("", "", "", "")
    if is_number(left.look(*at, "latency", statistic)):
        per_unit = factor(left.look(*at, "latency", "unit"), SECONDS, f"{where}.latency")
        to = seconds or f"other_measures.{phase}_{statistic}_seconds"
        value = (left.take_number(to, *at, "latency", statistic) or 0.0) * per_unit
        if seconds:
            columns[seconds] = value
            versions[seconds] = f"optimum-benchmark {phase} latency: {what}"
        else:
            count = left.look(*at, "latency", "count")
            measures[f"{phase}_{statistic}_seconds"] = OtherMeasure(
                value, False, "s", n=count if isinstance(count, int) else None
            )
    if is_number(left.look(*at, "energy", "total")):
        per_unit = factor(left.look(*at, "energy", "unit"), KWH, f"{where}.energy")
        to = energy or f"other_measures.{phase}_energy_kwh"
        value = (left.take_number(to, *at, "energy", "total") or 0.0) * per_unit
        if energy:
            columns[energy] = value
            versions[energy] = f"optimum-benchmark {phase} energy: {what}"
        else:
            measures[f"{phase}_energy_kwh"] = OtherMeasure(value, False, "kWh")
    for name in ("throughput", "efficiency"):
        unit = left.look(*at, name, "unit")
        value_of_it = left.take_number(f"other_measures.{phase}_{name}", *at, name, "value")
        if value_of_it is not None:
            measures[f"{phase}_{name}"] = OtherMeasure(
                value_of_it, True, unit if isinstance(unit, str) else ""
            )
    for cost, parts in {
        "setup_seconds": ("train_seconds",),
        "setup_energy_kwh": ("train_energy_kwh",),
        "answer_seconds": ("prefill_seconds", "decode_seconds"),
        "answer_energy_kwh": ("prefill_energy_kwh", "decode_energy_kwh"),
    }.items():
        if any(part in versions for part in parts):
            versions[cost] = f"optimum-benchmark: {BATCH if 'answer' in cost else 'training steps'}"


def _answer_latency(
    file: ForeignFile, left: Leftover, columns: dict[str, Any], versions: dict[str, str]
) -> None:
    """Percentiles of answering one prompt: ours are taken at batch size 1, so theirs must be."""
    at = ("report", ANSWER, "latency")
    if columns["n_test"] != 1 or not is_number(left.look(*at, "p50")):
        return
    per_unit = factor(left.look(*at, "unit"), SECONDS, f"{file.path}, {ANSWER}.latency")
    count = left.take_int("latency_n", *at, "count")
    names = dict(PERCENTILES)
    if count is not None and count >= FEWEST_FOR_P99:
        names["p99"] = "latency_p99_seconds"
    for theirs, ours in names.items():
        value = left.take_number(ours, *at, theirs)
        if value is not None:
            columns[ours] = value * per_unit
            versions[ours] = "optimum-benchmark generate latency"
    columns |= {"latency_n": count, "latency_batch_size": 1}


def _peaks(file: ForeignFile, left: Leftover, versions: dict[str, str]) -> dict[str, float]:
    """The highest memory over the phases, which all stay in other_fields with their unit."""
    found: dict[str, float] = {}
    for phase in _phases(left):
        for theirs, ours in {
            "max_ram": "peak_memory_gib",
            "max_allocated": "peak_gpu_memory_gib",
        }.items():
            value = left.look("report", phase, "memory", theirs)
            if is_number(value):
                unit = left.look("report", phase, "memory", "unit")
                gib = value * factor(unit, GIB, f"{file.path}, {phase}.memory")
                found[ours] = max(gib, found.get(ours, 0.0))
                versions[ours] = f"optimum-benchmark {theirs}, highest of all phases"
    return found
