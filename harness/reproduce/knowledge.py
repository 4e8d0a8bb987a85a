"""What a model knows before it is trained: facts classed by how often it answers them.

After Gekhman et al. 2024 (arXiv:2405.05904), who ask each fact with several few-shot prompts. Asked
greedily with each: HighlyKnown facts are answered every time, MaybeKnown ones sometimes, the others
never. The paper tells WeaklyKnown from Unknown by sampled answers; here both are Unknown.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.compare.arms import Arm, run_file
from harness.errors import DataError
from harness.foreign import Problems
from harness.reproduce.reading import Reading
from harness.scores import prediction_lines

HIGHLY, MAYBE, UNKNOWN = "HighlyKnown", "MaybeKnown", "Unknown"

STAGE, TASK, ARM, MEASURE = "known", "cities", "few_shot", "contains"
"""Whose answers say what is known."""

FEWEST_PROMPTS = 3
"""Fewer prompts would tell little of how sure the model is."""

QUESTIONS, CORPUS = "questions.jsonl", "corpus.jsonl"


@dataclass(frozen=True)
class Fact:
    """A fact that was asked, and how often the answer was right."""

    id: str
    question: str
    answers: tuple[str, ...]
    right: int
    asked: int

    @property
    def known(self) -> str:
        """Its class."""
        if self.right == self.asked:
            return HIGHLY
        return MAYBE if self.right else UNKNOWN


def facts_of(runs: Sequence[Sequence[Mapping[str, Any]]]) -> list[Fact]:
    """The facts that every run answered, in the order of the first; one run a few-shot prompt."""
    by_id = [{str(line["question_id"]): line for line in run} for run in runs]
    return [
        Fact(
            id=name,
            question=str(line["question"]),
            answers=tuple(map(str, line["gold"])),
            right=sum(run[name]["metrics"][MEASURE] == 1 for run in by_id),
            asked=len(by_id),
        )
        for name, line in by_id[0].items()
        if all(name in run for run in by_id)
    ]


def split_facts(facts: Sequence[Fact], train: int, validation: int) -> list[dict[str, Any]]:
    """Rows of a file of own questions: ``train`` Unknown facts to learn, the others to be asked.

    Validation questions are of all classes, as the test's are; which facts stand where is drawn
    with a fixed seed. A row's relation is its class.

    Raises:
        DataError: too few Unknown facts to train on, or none that is known.
    """
    unknown = [fact for fact in facts if fact.known == UNKNOWN]
    if len(unknown) <= train or not any(fact.known != UNKNOWN for fact in facts):
        raise DataError(
            f"of {len(facts)} facts {len(unknown)} are Unknown to the model: more than {train} "
            "must be, and some must be known; ask more facts, or another model"
        )
    rng = random.Random("facts by what is known")  # noqa: S311 - no secret
    learnt = {fact.id for fact in rng.sample(unknown, train)}
    rest = [fact.id for fact in facts if fact.id not in learnt]
    chosen = set(rng.sample(rest, min(validation, len(rest) // 2)))
    splits = {True: "train", False: "test"}
    return [
        {
            "id": fact.id,
            "question": fact.question,
            "answers": list(fact.answers),
            "split": "validation" if fact.id in chosen else splits[fact.id in learnt],
            "relation": fact.known,
            "gold_passage": fact.id,
        }
        for fact in facts
    ]


def write_by_knowledge(folder: Path, train: int = 90, validation: int = 40) -> None:
    """Class the facts that were asked in ``folder`` and write questions and documents beside.

    Raises:
        DataError: they were asked with too few prompts, or too few are Unknown.
    """
    arm = Reading(folder).find(STAGE, TASK, ARM)
    if not isinstance(arm, Arm):
        raise DataError(f"{folder}: what the model knows has to be asked first: {arm}")
    if len(arm.runs) < FEWEST_PROMPTS:
        raise DataError(
            f"{folder}: {ARM} was run with {len(arm.runs)} seeds, each a few-shot prompt of its "
            f"own; {FEWEST_PROMPTS} or more say how sure the model is"
        )
    runs = []
    for row in arm.runs:
        path = run_file(row, "predictions")
        assert path is not None
        runs.append([line for _, line in prediction_lines(path, Problems())])
    facts = facts_of(runs)
    # Smoke asks few facts: a third of the Unknown ones is enough to see that all is connected.
    unknown = sum(fact.known == UNKNOWN for fact in facts)
    rows = split_facts(facts, min(train, max(1, unknown // 3)), validation)
    _write_lines(folder / QUESTIONS, rows)
    # The corpus that the task asks for: one document a fact, which nothing retrieves.
    documents = [
        {"id": fact.id, "title": fact.id, "text": f"{fact.question} {fact.answers[0]}."}
        for fact in facts
    ]
    _write_lines(folder / CORPUS, documents)


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
