"""A run of ours as lm-evaluation-harness writes its own: results JSON, and samples beside it.

What that format has no place for stands under the key ``rag_ft_harness``, from which
``harness import`` restores it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import stdev
from typing import Any

from harness.columns import COLUMNS
from harness.errors import DataError
from harness.interchange.lm_eval import Z_95
from harness.interchange.own_export import OURS, SAME_DEFINITION
from harness.measures.definitions import ACCURACY, FORGETTING, RETRIEVAL
from harness.predictions import Line
from harness.record import replacing
from harness.row import checked_run_id
from harness.types import sha256_of

THEIR_NAMES = {ours: theirs for theirs, ours in SAME_DEFINITION.items()}
MEASURED = {**ACCURACY, **RETRIEVAL, **FORGETTING}
FROM_SAMPLE = ("question", "prompt", "prompt_sha256")
"""Fields of a prediction that a sample holds under a name of its own."""


def write_lm_eval(folder: Path, row: Mapping[str, Any], lines: Sequence[Line]) -> Path:
    """Write a finished run to ``folder/<run_id>/`` and return the path of its results.

    Raises:
        DataError: the run has no measures.
        RecordError: the folder cannot be written, or the disk is full.
    """
    results = results_of(row, lines)
    date = _date_id(row)
    inside = folder / checked_run_id(str(row["run_id"]))
    path = inside / f"results_{date}.json"
    with replacing(path) as file:
        json.dump(results, file, indent=2, ensure_ascii=True, allow_nan=False)
        file.write("\n")
    if lines:
        with replacing(inside / f"samples_{_task(row)}_{date}.jsonl") as file:
            for place, line in enumerate(lines):
                file.write(json.dumps(_sample(place, line), allow_nan=False) + "\n")
    return path


def results_of(row: Mapping[str, Any], lines: Sequence[Line]) -> dict[str, Any]:
    """The results JSON of a finished run.

    Raises:
        DataError: the run has no measures.
    """
    figures, better = _figures(row, lines)
    if not figures:
        raise DataError(f"run {row['run_id']} has no measures that lm-eval's format could hold")
    task = _task(row)
    questions = row.get("n_test") or len(lines) or None
    packages = row.get("package_versions") or {}
    choices = any(line.get("choices") for line in lines) or "acc,none" in figures
    return {
        "results": {task: {"alias": task, "sample_len": questions, **figures}},
        "group_subtasks": {},
        "configs": {
            task: {
                "task": task,
                "output_type": "multiple_choice" if choices else "generate_until",
                "num_fewshot": 0,
                "metric_list": [
                    {"metric": name, "aggregation": "mean", "higher_is_better": told}
                    for name, told in better.items()
                ],
            }
        },
        "versions": {task: str(row.get("split_sha256") or "unknown")[:12]},
        "n-shot": {task: 0},
        "higher_is_better": {task: better},
        "n-samples": {task: {"original": questions, "effective": questions}},
        "config": {
            "model": "rag-ft-harness",
            "model_args": {
                "pretrained": row.get("model"),
                **{name: row.get(name) for name in ("arm", "retriever", "adapter", "seed")},
            },
            "model_sha": row.get("model_identity") or "",
            "model_dtype": row.get("dtype"),
            "device": row.get("device"),
            "batch_size": None,
            "limit": None,
        },
        "git_hash": row.get("code_version"),
        "date": _date(row).timestamp(),
        "transformers_version": packages.get("transformers"),
        "model_source": "rag-ft-harness",
        "model_name": row.get("model"),
        "model_name_sanitized": re.sub(r"[\"<>:/|\\?*\[\]]+", "__", str(row.get("model"))),
        OURS: {"row": _kept(row)},
    }


def _figures(
    row: Mapping[str, Any], lines: Sequence[Line]
) -> tuple[dict[str, Any], dict[str, bool | None]]:
    """Figures with their standard errors, and whether higher is better; by lm-eval's names."""
    figures: dict[str, Any] = {}
    better: dict[str, bool | None] = {}
    other = row.get("other_measures") or {}
    for name, measure in MEASURED.items():
        if row.get(name) is not None:
            low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
            theirs = THEIR_NAMES.get(name, name)
            figures[f"{theirs},none"] = row[name]
            figures[f"{theirs}_stderr,none"] = _standard_error(name, lines, low, high)
            better[theirs] = measure.higher_is_better
    for name, told in sorted(other.items()):
        # A name that lm-eval has for a measure of ours is taken; then ours alone keeps the other.
        if f"{name},none" in figures:
            continue
        if isinstance(told, dict) and isinstance(told.get("value"), int | float):
            figures[f"{name},none"] = told["value"]
            error = _standard_error(name, lines, told.get("low"), told.get("high"))
            figures[f"{name}_stderr,none"] = error
            better[name] = told.get("higher_is_better")
    return figures, better


def _standard_error(
    name: str, lines: Sequence[Line], low: float | None, high: float | None
) -> float | str:
    """As lm-eval takes it: standard deviation over the root of n; "N/A" where it is not known."""
    scores = [line["metrics"][name] for line in lines if name in line["metrics"]]
    if len(scores) > 1:
        return stdev(scores) / math.sqrt(len(scores))
    if low is not None and high is not None:
        return (high - low) / (2 * Z_95)
    return "N/A"


def _sample(place: int, line: Line) -> dict[str, Any]:
    gold, choices = line.get("gold") or [], line.get("choices") or []
    document = {
        "id": line["question_id"],
        "question": line.get("question"),
        "answers": gold,
        "choices": choices,
    }
    target = str(choices.index(gold[0])) if gold and gold[0] in choices else (gold or [""])[0]
    prompt = line.get("prompt") or ""
    scores = line.get("option_scores") or []
    metrics = {THEIR_NAMES.get(name, name): value for name, value in line["metrics"].items()}
    responses: list[Any] = [[str(score), None] for score in scores] or [line.get("output") or ""]
    calls: list[list[Any]] = [[prompt, choice] for choice in choices] or [[prompt, {}]]
    return {
        "doc_id": place,
        "doc": document,
        "target": target,
        "arguments": {
            f"gen_args_{number}": {f"arg_{part}": value for part, value in enumerate(call)}
            for number, call in enumerate(calls)
        },
        "resps": [[response] for response in responses],
        "filtered_resps": responses,
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": sha256_of(document),
        "prompt_hash": line.get("prompt_sha256") or "",
        "target_hash": sha256_of(target),
        **metrics,
        OURS: {name: value for name, value in line.items() if name not in FROM_SAMPLE},
    }


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are known; not where on this machine the row was read from."""
    return {name: row[name] for name in COLUMNS if row.get(name) is not None}


def _task(row: Mapping[str, Any]) -> str:
    """The task's name without what a file's name cannot hold."""
    return re.sub(r"[^\w.,-]+", "_", str(row["task"])).lstrip(".") or "task"


def _date(row: Mapping[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(str(row.get("created_at")))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _date_id(row: Mapping[str, Any]) -> str:
    return _date(row).astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")
