"""Samples of lm-evaluation-harness as predictions: what compare needs to pair two of its runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.foreign import Problems, json_lines
from harness.interchange.leftover import is_number
from harness.interchange.own_export import OURS
from harness.predictions import Line
from harness.types import sha256_of

DATE = re.compile(r"(?:^|_)(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.json$")
"""What results_<date>.json and samples_<task>_<date>.jsonl have in common."""


class Samples:
    """The samples of one task, in the file's order, all filters together."""

    def __init__(self, samples: Sequence[dict[str, Any]]) -> None:
        self._samples = samples

    def lines(self, one: str, names: Mapping[str, str]) -> list[Line]:
        """A prediction for each sample of a filter; ``names`` is metric to measure of ours."""
        samples = self._of_filter(one)
        ids = _question_ids(samples)
        return [_line(sample, name, names) for sample, name in zip(samples, ids, strict=True)]

    def split_sha256(self, one: str) -> str:
        """Hash of the questions and their targets: two runs that share it asked the same."""
        return sha256_of(
            sorted(
                [str(sample.get("doc_hash") or sample.get("doc")), str(sample.get("target"))]
                for sample in self._of_filter(one)
            )
        )

    def _of_filter(self, one: str) -> list[dict[str, Any]]:
        # Before version 0.4.5 samples did not say their filter, and had but one.
        return [sample for sample in self._samples if sample.get("filter", one) == one]


def samples_beside(results: Path, tasks: Sequence[str]) -> tuple[dict[str, Samples], list[str]]:
    """Task to the samples of the same date in the results' folder, and what could not be read."""
    found: dict[str, Samples] = {}
    date = DATE.search(results.name)
    if date is None:
        return {}, []
    problems = Problems()
    for task in tasks:
        # A task's name may hold "/": the file's name says it as lm-eval wrote it.
        path = results.parent / f"samples_{Path(task).name}_{date[1]}.jsonl"
        if not path.is_file():
            continue
        try:
            lines = [
                _checked(path, number, line, problems)
                for number, line in json_lines(path, problems)
            ]
        except RecordError as error:
            problems.add(f"{path}: unreadable", str(error))
            continue
        samples = [line for line in lines if line is not None]
        if samples:
            found[task] = Samples(samples)
        else:
            problems.add(f"{path}: empty", f"{path}: no samples in it")
    return found, list(problems.lines())


def _checked(
    path: Path, number: int, line: dict[str, Any], problems: Problems
) -> dict[str, Any] | None:
    if "doc_id" in line or isinstance(line.get("doc_hash"), str):
        return line
    problems.add(
        f"{path}: no sample",
        f"{path}, line {number}: no 'doc_id' or 'doc_hash', so this is no sample: left out",
    )
    return None


def _question_ids(samples: Sequence[dict[str, Any]]) -> list[str]:
    """The hash of each document, with its number where a task asks one document twice."""
    hashes = [str(sample.get("doc_hash") or "") for sample in samples]
    often = Counter(hashes)
    found, met = [], Counter[str]()
    for sample, one in zip(samples, hashes, strict=True):
        own = sample.get(OURS)
        if isinstance(own, dict) and isinstance(own.get("question_id"), str):
            name = own["question_id"]
        elif one and often[one] == 1:
            name = one
        else:
            name = "-".join(part for part in (one, str(sample.get("doc_id"))) if part)
        met[name] += 1
        found.append(name if met[name] == 1 else f"{name}#{met[name]}")
    return found


def _line(sample: dict[str, Any], question_id: str, names: Mapping[str, str]) -> Line:
    """One sample as ``harness.predictions`` stores it; what has no place in ``other_fields``."""
    rest = dict(sample)
    own = rest.pop(OURS, None)
    prompt, options = _arguments(sample.get("arguments"))
    scores = _option_scores(sample.get("filtered_resps"), len(options))
    metrics = {
        ours: float(rest.pop(theirs))
        for theirs, ours in names.items()
        if is_number(sample.get(theirs)) or isinstance(sample.get(theirs), bool)
    }
    doc = sample.get("doc") if isinstance(sample.get("doc"), dict) else {}
    assert isinstance(doc, dict)
    question = doc.get("question")
    prompt_hash = sample.get("prompt_hash")
    line: Line = {
        "question_id": question_id,
        "question": question if isinstance(question, str) else prompt,
        "gold": _gold(sample.get("target"), options),
        "choices": options,
        "unanswerable": False,
        "cluster": "",
        "relation": "",
        "popularity": None,
        "bucket": "",
        "gold_documents": [],
        "prompt": prompt,
        "prompt_sha256": prompt_hash if isinstance(prompt_hash, str) else None,
        "retrieved": [],
        "used_passage_ids": [],
        "output": _output(sample, options, scores),
        "option_scores": scores,
        "metrics": metrics,
        "tokens_in": None,
        "tokens_out": None,
        "latency_seconds": None,
    }
    if isinstance(own, dict):
        return {**line, **own, "question_id": question_id}
    return {**line, "other_fields": rest}


def _arguments(told: Any) -> tuple[str, list[str]]:
    """The prompt, and the continuations whose likelihoods were compared (none if it generated)."""
    entries = list(told.values()) if isinstance(told, dict) else told
    pairs = []
    for entry in entries if isinstance(entries, list) else []:
        parts = list(entry.values()) if isinstance(entry, dict) else entry
        if isinstance(parts, list) and parts:
            pairs.append((parts[0], parts[1] if len(parts) > 1 else None))
    if not pairs:
        return "", []
    prompt = pairs[0][0] if isinstance(pairs[0][0], str) else str(pairs[0][0])
    options = [after for _, after in pairs if isinstance(after, str)]
    return prompt, [option.strip() for option in options] if len(options) > 1 else []


def _option_scores(responses: Any, options: int) -> list[float]:
    """The log-likelihood of each option, where there is one for each; else none."""
    found = []
    for one in responses if isinstance(responses, list) else []:
        first = one[0] if isinstance(one, list) and one else one
        try:
            found.append(float(first))
        except (TypeError, ValueError):
            return []
    return found if options and len(found) == options and all(map(is_number, found)) else []


def _gold(target: Any, options: Sequence[str]) -> list[str]:
    """The gold answer; of a multiple-choice task, whose target is a number, the option's text."""
    text = str(target) if target is not None else ""
    if options and text.isdecimal() and int(text) < len(options):
        return [options[int(text)]]
    return [text] if text else []


def _output(sample: Mapping[str, Any], options: Sequence[str], scores: Sequence[float]) -> str:
    """The likeliest option, or what was generated, before filters took anything from it."""
    if scores:
        return options[max(range(len(scores)), key=lambda place: scores[place])]
    found = sample.get("resps")
    while isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, str) else ""
