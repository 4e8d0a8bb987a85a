"""The answers that a judge can judge, read from the predictions of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.foreign import Problems
from harness.prompts import passages_in
from harness.scores import prediction_lines
from harness.types import sha256_of


@dataclass(frozen=True)
class Answered:
    """One answer, with what it is held against.

    Attributes:
        reference: the gold answers, a line each; empty where there are none: its correctness is
            not judged.
        passages: as they stood in the prompt; empty where none did: it is not judged whether the
            answer is grounded.
    """

    question_id: str
    cluster: str
    question: str
    answer: str
    reference: str
    passages: str

    def held_against(self, aspect: str) -> str:
        return self.reference if aspect == "correct" else self.passages


def read_answers(path: Path, problems: Problems, limit: int | None = None) -> list[Answered]:
    """The answers in a predictions file that can be judged, in its order.

    Questions with options are left out: the option that was chosen is right or wrong as it is.

    Args:
        limit: take no more than so many questions, the same for every arm: by hash of their id.

    Raises:
        RecordError: the file cannot be read.
    """
    found = []
    for number, line in prediction_lines(path, problems):
        if line.get("choices"):
            continue
        if not isinstance(line.get("question"), str) or not isinstance(line.get("output"), str):
            problems.add(
                f"{path}: no answer",
                f"{path}, line {number}: no 'question' and 'output' (text); it is not judged",
            )
            continue
        found.append(_answered(line))
    if limit is not None:
        chosen = sorted(found, key=lambda one: sha256_of(one.question_id))[:limit]
        kept = {one.question_id for one in chosen}
        found = [one for one in found if one.question_id in kept]
    return found


def _answered(line: dict[str, Any]) -> Answered:
    gold, prompt = line.get("gold"), line.get("prompt")
    shown = line.get("used_passage_ids") and isinstance(prompt, str)
    return Answered(
        question_id=line["question_id"],
        cluster=_text(line.get("cluster")),
        question=_text(line["question"]),
        answer=_text(line["output"]).strip(),
        reference=_lines(gold) if isinstance(gold, list) and not line.get("unanswerable") else "",
        passages=_text(passages_in(prompt or "", line["question"])) if shown else "",
    )


def _lines(gold: Sequence[Any]) -> str:
    return "\n".join(_text(one).strip() for one in gold if _text(one).strip())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
