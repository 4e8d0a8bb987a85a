"""What measures, and a judge, say of an answer, put as whether it is correct."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.foreign import Problems, json_lines
from harness.measures.definitions import ACCURACY
from harness.ranges import is_share

NOT_CORRECTNESS = ("false_refusal",)
"""An answer that is no refusal may still be wrong."""

GRADED = tuple(name for name, measure in ACCURACY.items() if not is_share(measure.unit))


def verdicts(metrics: Mapping[str, Any], threshold: float) -> dict[str, bool]:
    """Name -> whether the measure calls the answer correct.

    A measure where less is better is turned round; a graded one says yes from ``threshold`` up.
    """
    found = {}
    for name, measure in ACCURACY.items():
        value = _number(metrics.get(name))
        if value is None or name in NOT_CORRECTNESS:
            continue
        if name in GRADED:
            found[f"{name} >= {threshold:g}"] = value >= threshold
        elif value in (0.0, 1.0):
            label = name if measure.higher_is_better else f"not {name}"
            found[label] = bool(value) == measure.higher_is_better
    return found


def grades(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Name -> value of each graded measure."""
    values = {name: _number(metrics.get(name)) for name in GRADED}
    return {name: value for name, value in values.items() if value is not None}


def judged(folder: Path, run_id: str, problems: Problems) -> dict[str, dict[str, bool]]:
    """Judge -> question id -> its verdict on the run's answer, as ``harness judge`` left them.

    Empty where nothing was judged; lines that cannot be used go to ``problems``.

    Raises:
        RecordError: a file is there but cannot be read.
    """
    paths = [judge / f"{run_id}.jsonl" for judge in sorted((folder / "judged").glob("*"))]
    return {
        f"judge {path.parent.name}": dict(_judged_lines(path, problems))
        for path in paths
        if path.exists()
    }


def _judged_lines(path: Path, problems: Problems) -> Iterable[tuple[str, bool]]:
    seen: set[str] = set()
    for number, line in json_lines(path, problems):
        name, correct = line.get("question_id"), line.get("correct")
        if not isinstance(name, str) or not (correct is None or isinstance(correct, bool)):
            problems.add(
                f"{path}: no verdict",
                f"{path}, line {number}: no 'question_id' (text) with 'correct' (true, false or "
                "null); the line is left out",
            )
        elif name in seen:
            problems.add(
                f"{path}: repeated questions",
                f"{path}, line {number}: question {name[:60]!r} stood before; "
                "the first verdict counts",
            )
        else:
            seen.add(name)
            if correct is not None:
                yield name, correct


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
