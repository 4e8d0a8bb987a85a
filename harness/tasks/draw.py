"""Seeded draws that the tasks share: the split of facts, and samples no larger than asked."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from harness.types import Question

T = TypeVar("T")


def sample_in_order(items: Sequence[T], at_most: int | None, seed: int) -> list[T]:
    """At most so many items, drawn by ``seed``, in their original order; all if null."""
    if at_most is None or len(items) <= at_most:
        return list(items)
    kept = random.Random(seed).sample(range(len(items)), at_most)  # noqa: S311 - not for secrets
    return [items[index] for index in sorted(kept)]


def split_validation(
    questions: Sequence[Question], validation: int, seed: int
) -> tuple[list[Question], list[Question]]:
    """(validation, test) questions: validation drawn evenly over relation and popularity bucket.

    At most half of the questions become validation, so that a small task keeps a test set.
    """
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for question in questions:
        strata[question.relation, question.bucket].append(question.id)
    queues = [strata[key] for key in sorted(strata)]
    for queue in queues:
        rng.shuffle(queue)
    rng.shuffle(queues)
    wanted = min(validation, len(questions) // 2)
    chosen: set[str] = set()
    while len(chosen) < wanted:
        for queue in queues:
            if queue and len(chosen) < wanted:
                chosen.add(queue.pop())
    return (
        [question for question in questions if question.id in chosen],
        [question for question in questions if question.id not in chosen],
    )
