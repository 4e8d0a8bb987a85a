"""The predictions file: one JSON line for each question that a run answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.record import replacing
from harness.row import checked_run_id
from harness.types import Prediction

Line = dict[str, Any]


def write_predictions(
    folder: Path,
    run_id: str,
    predictions: Sequence[Prediction],
    scores: Sequence[Mapping[str, float]],
) -> Path:
    """Write ``<folder>/<run_id>.jsonl``, in one step or not at all, and return its path.

    Raises:
        RecordError: the run id is no file name, the folder cannot be written, the disk is full,
            predictions and scores differ in number, a question is there twice, or a number is NaN
            or infinite.
    """
    path = folder / f"{checked_run_id(run_id)}.jsonl"
    if len(predictions) != len(scores):
        raise RecordError(f"{path}: {len(predictions)} predictions but {len(scores)} scores")
    lines, seen = [], set()
    for prediction, metrics in zip(predictions, scores, strict=True):
        name = prediction.question.id
        if name in seen:
            raise RecordError(f"{path}: question '{name}' was answered twice")
        seen.add(name)
        lines.append(_to_json(path, prediction, metrics))
    with replacing(path) as file:
        file.writelines(lines)
    return path


def prediction_line(prediction: Prediction, metrics: Mapping[str, float]) -> Line:
    """One question as it is stored. ``rank`` is from 1; ``metrics`` holds those that apply."""
    question, answer = prediction.question, prediction.answer
    return {
        "question_id": question.id,
        "question": question.question,
        "gold": list(question.answers),
        "choices": list(question.choices),
        "unanswerable": question.unanswerable,
        "cluster": question.cluster,
        "relation": question.relation,
        "popularity": question.popularity,
        "bucket": question.bucket,
        "gold_documents": list(question.gold_documents),
        "prompt": prediction.prompt,
        "prompt_sha256": prediction.prompt_sha256(),
        "retrieved": [
            {
                "document_id": scored.passage.document_id,
                "passage_id": scored.passage.id,
                "score": float(scored.score),
                "rank": rank,
            }
            for rank, scored in enumerate(prediction.retrieved, start=1)
        ],
        "used_passage_ids": list(prediction.used_passage_ids),
        "output": answer.text,
        "option_scores": [float(value) for value in answer.option_scores],
        "metrics": {name: float(value) for name, value in metrics.items()},
        "tokens_in": answer.tokens_in,
        "tokens_out": answer.tokens_out,
        "latency_seconds": prediction.latency_seconds,
    }


def read_predictions(path: Path) -> list[Line]:
    """The lines of a predictions file, as ``prediction_line`` made them.

    Raises:
        RecordError: no such file, or a line that is not UTF-8, no JSON object, without question id
            or metrics, or about a question that stood before; with the line number.
    """
    lines: list[Line] = []
    seen: set[str] = set()
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = _from_json(path, number, raw)
                if line["question_id"] in seen:
                    raise RecordError(
                        f"{path}, line {number}: question '{line['question_id']}' stands twice"
                    )
                seen.add(line["question_id"])
                lines.append(line)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    return lines


def _to_json(path: Path, prediction: Prediction, metrics: Mapping[str, float]) -> str:
    try:
        line = prediction_line(prediction, metrics)
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair: only JSON's own escapes can hold it
            text = json.dumps(line, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{path}: question '{prediction.question.id}': {error}") from error
    return text + "\n"


def _from_json(path: Path, number: int, raw: bytes) -> Line:
    where = f"{path}, line {number}"
    try:
        line = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: no JSON ({error})") from error
    if not isinstance(line, dict):
        raise RecordError(f"{where}: a prediction is a JSON object, not {type(line).__name__}")
    if not isinstance(line.get("question_id"), str) or not isinstance(line.get("metrics"), dict):
        raise RecordError(f"{where}: a prediction needs 'question_id' and 'metrics'")
    return line


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
