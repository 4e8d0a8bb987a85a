"""The records behind the page's list of questions: a sample that keeps what arms disagree about.

Each arm is shown by one run, that of its first seed. A question is right where its measure is 1.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from harness.compare.arms import run_file
from harness.report.gather import ReportData
from harness.report.judging import Judged, Key, disagree, judged, sample, strata
from harness.report.text import cut

QUESTIONS = 2000
"""Questions listed at most."""
BYTES = 9_000_000
"""Of all records at most; the rest of the page takes some 2 MB."""
ARMS = 16
"""Arms listed at most, in the order of the comparison."""
PROMPT, OUTPUT, FIELD = 6000, 3000, 1000
"""Characters kept of a prompt, an answer, and any other text."""
PASSAGES = 20
"""Retrieved passages listed for an answer at most."""


@dataclass(frozen=True)
class Explorer:
    """Attributes:
    arms: label, run and seed of each listed arm.
    records: one a question, in the order of the first arm's file.
    texts: prompts, which records name by their position: many are shared.
    total: questions that any listed arm answered.
    disagreements: how many of them arms judged differently, and how many of those are listed.
    """

    arms: tuple[dict[str, Any], ...]
    records: tuple[dict[str, Any], ...]
    texts: tuple[str, ...]
    judges: tuple[str, ...]
    total: int
    disagreements: int
    disagreements_listed: int
    arms_left_out: int = 0

    def as_json(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {"arms": self.arms, "questions": self.records, "texts": self.texts}

    @property
    def note(self) -> str:
        """How many of how many questions are listed, which, and what was cut."""
        listed = len(self.records)
        parts = [
            f"{listed:,} of {self.total:,} questions are listed",
            "each arm is shown by the run of its first seed",
        ]
        if listed < self.total:
            parts.append(
                "a random sample (seeded), in proportion to the buckets, three questions that "
                "arms disagree about to each that they agree about, while there are such: "
                f"{self.disagreements_listed:,} of {self.disagreements:,} disagreements"
            )
        if self.arms_left_out:
            parts.append(
                f"the first {len(self.arms)} arms of {len(self.arms) + self.arms_left_out}"
            )
        parts.append(
            f"prompts are cut after {PROMPT:,} characters, answers after {OUTPUT:,}, other texts "
            f"after {FIELD:,}"
        )
        if self.judges:
            parts.append(f"right means that {' or else '.join(self.judges)} is 1")
        return "; ".join(parts) + "."


def explorer(
    data: ReportData, questions: int = QUESTIONS, longest: int = BYTES, seed: int = 0
) -> Explorer:
    """The questions to list, at most ``questions`` of them in ``longest`` bytes of JSON."""
    with_answers = [arm for arm in data.arms if arm.scores]
    listed = [judged(arm, data.comparison.primary) for arm in with_answers[:ARMS]]
    order: dict[Key, None] = {}
    for entry in listed:
        order.update(dict.fromkeys(entry.keys()))
    wanted = sample(strata(list(order), listed), questions, random.Random(seed))  # noqa: S311
    lines = [_read(entry, set(wanted)) for entry in listed]
    texts: dict[str, int] = {}
    records: dict[Key, dict[str, Any]] = {}
    size = 0
    for key in wanted:
        before = len(texts)
        record = _record(key, [found.get(key) for found in lines], listed, texts)
        if record is None:
            continue
        added = list(texts)[before:] if len(texts) > before else []
        size += len(orjson.dumps(record)) + sum(len(text.encode()) + 8 for text in added)
        if size > longest:
            for text in added:
                del texts[text]
            break
        records[key] = record
    disagreed = {key for key in order if disagree(key, listed)}
    return Explorer(
        arms=tuple(_arm(entry) for entry in listed),
        records=tuple(records[key] for key in order if key in records),
        texts=tuple(texts),
        judges=tuple(dict.fromkeys(name for entry in listed for name in entry.judges)),
        total=len(order),
        disagreements=len(disagreed),
        disagreements_listed=len(disagreed & set(records)),
        arms_left_out=len(with_answers) - len(listed),
    )


def _read(entry: Judged, wanted: set[Key]) -> dict[Key, dict[str, Any]]:
    from harness.foreign import Problems
    from harness.scores import prediction_lines

    run = next(run for run in entry.arm.runs if run["run_id"] == entry.run_id)
    path = run_file(run, "predictions")
    if path is None:
        return {}
    task = entry.arm.summary.task
    return {
        (task, line["question_id"]): line
        for _, line in prediction_lines(
            path, Problems()
        )  # problems were told when scores were read
        if (task, line["question_id"]) in wanted
    }


def _record(
    key: Key,
    lines: Sequence[dict[str, Any] | None],
    listed: Sequence[Judged],
    texts: dict[str, int],
) -> dict[str, Any] | None:
    """The question once, and each arm's answer to it (null where it has none)."""
    first = next((line for line in lines if line is not None), None)
    if first is None:
        return None
    return {
        "id": cut(key[1], FIELD),
        "task": cut(key[0], FIELD),
        "question": _text(first.get("question")),
        "gold": _texts(first.get("gold")),
        "choices": _texts(first.get("choices")),
        "bucket": _text(first.get("bucket")),
        "relation": _text(first.get("relation")),
        "answers": [
            None if line is None else _answer(key, line, entry, texts)
            for line, entry in zip(lines, listed, strict=True)
        ],
    }


def _answer(key: Key, line: dict[str, Any], entry: Judged, texts: dict[str, int]) -> dict[str, Any]:
    prompt = cut(str(line.get("prompt") or ""), PROMPT)
    used = line.get("used_passage_ids")
    in_prompt = set(map(str, used)) if isinstance(used, list) else set()
    return {
        "output": cut(str(line.get("output") or ""), OUTPUT),
        "right": entry.right.get(key),
        "seeds": entry.by_seed.get(key),
        "prompt": texts.setdefault(prompt, len(texts)),
        "passages": [
            _passage(passage, in_prompt) for passage in _objects(line.get("retrieved"))[:PASSAGES]
        ],
        "metrics": {
            cut(str(name), 80): value
            for name, value in list(line["metrics"].items())[:20]
            if isinstance(value, int | float) and value == value  # noqa: PLR0124
        },
    }


def _passage(passage: dict[str, Any], in_prompt: set[str]) -> dict[str, Any]:
    name = str(passage.get("passage_id") or passage.get("document_id") or "")
    score = passage.get("score")
    found: dict[str, Any] = {"id": cut(name, FIELD), "used": name in in_prompt}
    found["score"] = score if isinstance(score, int | float) else None
    if passage.get("text"):
        found["text"] = cut(str(passage["text"]), FIELD)
    return found


def _objects(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else []
    return [item for item in found if isinstance(item, dict)]


def _text(value: Any) -> str:
    return "" if value is None else cut(str(value), FIELD)


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value] if value else []
    return [cut(str(item), FIELD) for item in found[:20]]


def _arm(entry: Judged) -> dict[str, Any]:
    run = entry.arm.runs[0] if entry.arm.runs else {}
    seed = next(
        (run.get("seed") for run in entry.arm.runs if run.get("run_id") == entry.run_id),
        run.get("seed"),
    )
    return {
        "label": cut(entry.arm.label, FIELD),
        "run_id": cut(entry.run_id, FIELD),
        "seed": None if seed is None else int(seed),
    }
