"""Few-shot examples: training pairs shown, with their answers, before the question that is asked.

They are drawn once by the run's seed and are the same for every question, so that all prompts begin
alike and the spread over seeds holds what the draw does. Drawn by likeness to the question they
would retrieve: tasks train on every fact they ask, in other words, so the nearest pair is the
question's own answer. For the same reason a pair about a question's own fact or document is passed
over for that question, and the next one takes its place.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass

from harness.errors import DataError
from harness.types import Question, Task, TrainingPair, sha256_of


@dataclass(frozen=True)
class Shots:
    """How many examples a question gets, and the pairs that they are taken from, in order."""

    count: int = 0
    pairs: tuple[TrainingPair, ...] = ()

    def of(self, question: Question) -> tuple[TrainingPair, ...]:
        """The first ``count`` pairs that do not give the question's answer away."""
        if not self.count:
            return ()
        return tuple(pair for pair in self.pairs if not _tells(pair, question))[: self.count]

    def sha256(self) -> str:
        """Hash of all that decides which examples any question gets."""
        return sha256_of([self.count, [asdict(pair) for pair in self.pairs]])


NO_SHOTS = Shots()


def draw_shots(task: Task, count: int, seed: int) -> Shots:
    """``count`` examples for each question, from the task's training pairs, a fact at most once.

    Raises:
        DataError: the task has no training pairs, or too few that a question may be shown.
    """
    if not count:
        return NO_SHOTS
    if not task.train:
        raise DataError(
            f"prompt.shots={count} needs training pairs, but task '{task.name}' has none: set "
            "prompt.shots=0, or give questions and answers to train on (task.training=pairs)"
        )
    order = list(task.train)
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    facts: dict[str, TrainingPair] = {}
    for pair in order:
        facts.setdefault(pair.question_id or pair.question, pair)
    shots = Shots(count, tuple(facts.values()))
    for question in (*task.test, *task.validation):
        if (found := len(shots.of(question))) < count:
            raise DataError(
                f"prompt.shots={count}, but task '{task.name}' has only {found} training pairs "
                f"that do not give away the answer to question '{question.id}'; lower prompt.shots"
            )
    return shots


def _tells(pair: TrainingPair, question: Question) -> bool:
    """Whether the pair is about the question's own fact, or from a document that states it."""
    return pair.question_id == question.id or (
        pair.document_id != "" and pair.document_id in question.gold_documents
    )
