"""How varied made pairs are, and what of the corpus they cover: figures for the report."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean

from harness.tasks.overlap import likeness, wording, words
from harness.types import Task, TrainingPair

MOST_COMPARED = 300
"""Questions whose likeness to each other is looked at; of more, so many are drawn."""


@dataclass(frozen=True)
class Diversity:
    """Figures of a set of pairs.

    Attributes:
        distinct_2: different pairs of neighbouring words, as a share of all in the questions
            (Li et al. 2016, arXiv:1510.03055).
        likeness: mean Jaccard index of two questions' words; None with fewer than two.
        answers: different answers.
        answer_words: mean words of an answer.
    """

    distinct_2: float
    likeness: float | None
    answers: int
    answer_words: float


def diversity(pairs: Sequence[TrainingPair], seed: int) -> Diversity:
    """The figures of ``pairs``, of which there is at least one; ``seed`` draws what is compared."""
    twos = [two for pair in pairs for two in pairwise(wording(pair.question).split())]
    drawn = random.Random(seed).sample(pairs, min(MOST_COMPARED, len(pairs)))  # noqa: S311 - no secret
    sets = [words(pair.question) for pair in drawn]
    alike = [likeness(one, other) for one, other in combinations(sets, 2)]
    answers = [wording(pair.answer) for pair in pairs]
    return Diversity(
        len(set(twos)) / len(twos) if twos else 0.0,
        fmean(alike) if alike else None,
        len(set(answers)),
        fmean(len(answer.split()) for answer in answers),
    )


@dataclass(frozen=True)
class Coverage:
    """What of the corpus has a pair.

    Attributes:
        documents: that are no distractors.
        without: ids of those that no pair came from.
        gold, gold_covered: documents that test questions name as stating their answer, and how many
            of them have a pair. It need not be about the same fact.
    """

    documents: int
    without: tuple[str, ...]
    gold: int
    gold_covered: int


def coverage(pairs: Sequence[TrainingPair], task: Task) -> Coverage:
    """Which documents of ``task`` have a pair."""
    covered = {pair.document_id for pair in pairs}
    documents = [document.id for document in task.corpus if not document.distractor]
    gold = {name for question in task.test for name in question.gold_documents}
    without = tuple(name for name in documents if name not in covered)
    return Coverage(len(documents), without, len(gold), len(gold & covered))
