"""Results of lm-evaluation-harness: a JSON file for all tasks, and a file of samples for each.

Fields: https://github.com/EleutherAI/lm-evaluation-harness, lm_eval/loggers/evaluation_tracker.py.
Each task and filter becomes a row; a group of tasks, whose figures are means over them, too.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from harness.columns import COLUMNS
from harness.errors import DataError
from harness.interchange.detect import ForeignFile
from harness.interchange.foreign_run import ForeignRun, OtherMeasure, Reading, foreign_name
from harness.interchange.leftover import Leftover, is_number
from harness.interchange.lm_eval_samples import Samples, samples_beside
from harness.interchange.own_export import OURS, SAME_DEFINITION, own_name, restore
from harness.types import sha256_of

PER_TASK = (
    "configs",
    "versions",
    "n-shot",
    "n-samples",
    "higher_is_better",
    "task_hashes",
    "groups",
    "group_subtasks",
)
NO_MEASURE = ("name", "alias", "sample_len", "sample_count", "samples")
Z_95 = 1.959963984540054


def read(file: ForeignFile) -> Reading:
    """A run for each task and filter of a results file, with the samples that lie beside it.

    Raises:
        DataError: there are no figures in it.
    """
    found = {task: _filters(figures) for task, figures in file.content["results"].items()}
    tasks = {task: filters for task, filters in found.items() if filters}
    if not tasks:
        raise DataError(f"{file.path}: no task in 'results' has a figure")
    samples, problems = samples_beside(file.path, tuple(tasks))
    digest = sha256_of(file.content)
    runs = []
    for task, filters in tasks.items():
        for one in filters:
            identity = sha256_of(["lm-eval", task, one, digest])
            view = _view(file.content, task, one, tuple(tasks))
            run = _run(file, Leftover(view), task, one, identity, samples.get(task))
            runs.append(run)
    left = Leftover(file.content)
    problems += [
        f"{file.path}: {place} is no finite number: kept as text in other_fields"
        for place in left.not_finite()
    ]
    return Reading(runs, problems)


def measure_name(metric: str, output_type: object) -> str:
    """What a metric of lm-eval is called here; a column's name only where it means the same."""
    if metric in SAME_DEFINITION and output_type == "multiple_choice":
        return SAME_DEFINITION[metric]
    return foreign_name(metric, "lm_eval")


def _filters(figures: Any) -> list[str]:
    """The filters of a task that have a figure, in the file's order."""
    if not isinstance(figures, dict):
        return []
    named = [_parts(key) for key, value in figures.items() if is_number(value)]
    return list(dict.fromkeys(one for metric, one in named if metric))


def _parts(key: str) -> tuple[str, str]:
    """Metric and filter of a key as "acc,none"; the metric is "" where it is none."""
    metric, comma, one = key.rpartition(",")
    if not comma:
        metric, one = key, "none"  # before version 0.4 there were no filters
    if metric in NO_MEASURE or metric.endswith("_stderr"):
        return "", one
    return metric, one


def _view(content: dict[str, Any], task: str, one: str, tasks: Sequence[str]) -> dict[str, Any]:
    """The file without what is another task's or another filter's alone."""
    others = set(tasks) - {task}

    def of_task(entries: Any) -> Any:
        if not isinstance(entries, dict):
            return entries
        return {name: entry for name, entry in entries.items() if name not in others}

    view = {name: of_task(told) if name in PER_TASK else told for name, told in content.items()}
    figures = content["results"][task]
    other_filters = set(_filters(figures)) - {one}
    view["results"] = of_task(content["results"]) | {
        task: {
            key: value
            for key, value in figures.items()
            if "," not in key or key.rpartition(",")[2] not in other_filters
        }
    }
    return copy.deepcopy(view)


def _run(
    file: ForeignFile,
    left: Leftover,
    task: str,
    one: str,
    identity: str,
    samples: Samples | None,
) -> ForeignRun:
    ours = left.look(OURS, "row") if isinstance(left.look(OURS, "row"), dict) else None
    output_type = left.look("configs", task, "output_type")
    names = {
        metric: measure_name(metric, output_type) if ours is None else own_name(metric, ours)
        for metric, of in map(_parts, left.look("results", task))
        if metric and of == one
    }
    lines = samples.lines(one, names) if samples else []
    version = left.look("lm_eval_version")
    questions = _questions(left, task, len(lines))
    columns = _settings(left, task, one) | {"n_test": questions}
    measures: dict[str, OtherMeasure] = {}
    versions: dict[str, Any] = {}
    for metric, name in names.items():
        _place(left, task, one, metric, name, questions, columns, measures)
        task_version = left.look("versions", task)
        versions[name] = " ".join(
            str(part) for part in ("lm-eval", metric, task_version) if part is not None
        )
    if lines and ours is None:
        columns["split_sha256"] = samples.split_sha256(one) if samples else None
    if ours is not None:
        versions = restore(left, columns, measures) or versions
    tool = f"lm-eval {version}" if isinstance(version, str) else "lm-eval"
    return ForeignRun(
        tool=tool if ours is None else "rag-ft-harness export",
        file=file.name,
        name=f"{columns.get('arm') or columns.get('model') or ''}-{task}-{one}",
        identity=identity,
        columns=columns,
        measures=measures,
        versions=versions,
        rest=left.rest(),
        placed=left.placed,
        lines=lines,
    )


def _place(
    left: Leftover,
    task: str,
    one: str,
    metric: str,
    name: str,
    questions: int | None,
    columns: dict[str, Any],
    measures: dict[str, OtherMeasure],
) -> None:
    """Put one figure where it belongs; its standard error stays in other_fields as it is."""
    with_filter = f"{metric},{one}"
    key = with_filter if left.look("results", task, with_filter) is not None else metric
    own = name in COLUMNS
    value = left.take_number(name if own else f"other_measures.{name}", "results", task, key)
    if value is None:
        return
    error = left.look("results", task, key.replace(metric, f"{metric}_stderr", 1))
    # An error of 0 means that all answers scored alike, not that the figure is certain.
    known = is_number(error) and error > 0
    low, high = (value - Z_95 * error, value + Z_95 * error) if known else (None, None)
    if own:
        columns[name] = value
        if low is not None and high is not None:
            columns[f"{name}_low"], columns[f"{name}_high"] = max(0.0, low), min(1.0, high)
        return
    measures[name] = OtherMeasure(
        value, _higher_is_better(left, task, metric), "", low, high, questions
    )


def _higher_is_better(left: Leftover, task: str, metric: str) -> bool | None:
    told = left.look("higher_is_better", task, metric)
    if isinstance(told, bool):
        return told
    listed = left.look("configs", task, "metric_list")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("metric") == metric:
            found = entry.get("higher_is_better")
            return found if isinstance(found, bool) else None
    return None


def _questions(left: Leftover, task: str, answered: int) -> int | None:
    effective = left.take_int("n_test", "n-samples", task, "effective")
    return effective if effective is not None else answered or None


def _settings(left: Leftover, task: str, one: str) -> dict[str, Any]:
    model, arm = _model(left)
    packages = {
        "lm_eval": left.take_text("package_versions", "lm_eval_version"),
        "transformers": left.take_text("package_versions", "transformers_version"),
    }
    number_format = left.look("config", "model_dtype")
    generated = ("configs", task, "generation_kwargs", "max_gen_toks")
    return {
        "created_at": _date(left),
        "arm": arm,
        # Two filters score the same answers differently, so neither is a replicate of the other.
        "task": task if one == "none" else f"{task},{one}",
        "model": model,
        "model_identity": left.take_text("model_identity", "config", "model_sha"),
        "device": left.take_text("device", "config", "device"),
        "dtype": number_format.removeprefix("torch.") if isinstance(number_format, str) else None,
        "max_new_tokens": left.take_int("max_new_tokens", *generated),
        "package_versions": {name: told for name, told in packages.items() if told} or None,
    }


def _model(left: Leftover) -> tuple[str | None, str | None]:
    """Name of the model, and a label: the last part of the name, with its adapter's if it has one.

    Both stay in other_fields, where the model's arguments stand whole.
    """
    arguments = left.look("config", "model_args")
    if isinstance(arguments, str):
        pairs = (pair.partition("=") for pair in arguments.split(","))
        arguments = {name.strip(): value.strip() for name, _, value in pairs}
    told = arguments if isinstance(arguments, dict) else {}
    name = told.get("pretrained") or told.get("model") or left.look("model_name")
    if not isinstance(name, str) or not name:
        return None, None
    parts = [name, told.get("peft"), told.get("lora")]
    label = "+".join(PurePath(part).name for part in parts if isinstance(part, str) and part)
    return name, label or name


def _date(left: Leftover) -> str | None:
    seconds = left.look("date")
    if not is_number(seconds) or not 0 < seconds < 2**35:
        return None
    left.take_number("created_at", "date")
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
