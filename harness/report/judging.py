"""Which questions each arm got right, and a sample of them that keeps what arms disagree about."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from harness.measures.definitions import ACCURACY
from harness.report.gather import ArmRuns

JUDGES = ("contains", "exact_match", "multiple_choice", "contains_paper")
"""Measures that say "right", the first that a question has; an own one after them."""

Key = tuple[str, str]
"""Task and question id: two tasks may use one id."""


@dataclass(frozen=True)
class Judged:
    """One arm, shown by the run of its first seed.

    Attributes:
        right: whether that run answered rightly, of the questions that can be judged.
        by_seed: how many of how many seeds did; empty for one seed.
        judges: the measures that said so.
    """

    arm: ArmRuns
    run_id: str
    right: dict[Key, bool]
    buckets: dict[Key, str]
    by_seed: dict[Key, tuple[int, int]]
    judges: tuple[str, ...]

    def keys(self) -> Iterator[Key]:
        """The questions that the run answered, in the order of its file."""
        task = self.arm.summary.task
        return ((task, name) for name in self.arm.scores[self.run_id].question_ids)


def judged(arm: ArmRuns, primary: Sequence[str]) -> Judged:
    """The arm's answers judged by the primary measures, else by the usual ones."""
    run_id = next(iter(arm.scores))
    task = arm.summary.task
    verdicts = {name: _right(arm, name, primary) for name in arm.scores}
    right, judges = verdicts[run_id]
    by_seed: dict[Key, tuple[int, int]] = {}
    if len(verdicts) > 1:
        for found, _ in verdicts.values():
            for key, value in found.items():
                yes, of = by_seed.get(key, (0, 0))
                by_seed[key] = yes + value, of + 1
    scores = arm.scores[run_id]
    buckets = {
        (task, name): str(bucket or "")
        for name, bucket in zip(scores.question_ids, scores.columns["bucket"], strict=True)
    }
    return Judged(arm, run_id, right, buckets, by_seed, judges)


def disagree(key: Key, listed: Sequence[Judged]) -> bool:
    """Whether one arm answered rightly what another did not."""
    return len({entry.right[key] for entry in listed if key in entry.right}) > 1


def strata(keys: Sequence[Key], listed: Sequence[Judged]) -> dict[tuple[bool, str], list[Key]]:
    """The questions by whether arms disagree about them, and by bucket."""
    found: dict[tuple[bool, str], list[Key]] = {}
    for key in keys:
        bucket = next((entry.buckets[key] for entry in listed if key in entry.buckets), "")
        found.setdefault((disagree(key, listed), bucket), []).append(key)
    return found


def sample(
    groups: dict[tuple[bool, str], list[Key]], most: int, source: random.Random
) -> list[Key]:
    """At most ``most`` questions; of any length, the list's beginning is such a sample too.

    Disagreements and agreements are each drawn in proportion to their buckets; three of the first
    are taken to one of the second until either is used up.

    Args:
        groups: (whether arms disagree, bucket) -> questions.
    """
    drawn: dict[bool, list[Key]] = {}
    for differ in (True, False):
        placed = []
        for (kind, _), keys in groups.items():
            if kind is differ:
                shuffled = source.sample(keys, len(keys))
                placed += [((i + 0.5) / len(keys), key) for i, key in enumerate(shuffled)]
        drawn[differ] = [key for _, key in sorted(placed, key=lambda place: place[0])]
    mixed: list[Key] = []
    differing, same = drawn[True], drawn[False]
    threes = [differing[start : start + 3] for start in range(0, len(differing), 3)]
    for three, one in zip_longest(threes, same):
        mixed += three or []
        mixed += [one] if one is not None else []
        if len(mixed) >= most:
            break
    return mixed[:most]


def _right(
    arm: ArmRuns, run_id: str, primary: Sequence[str]
) -> tuple[dict[Key, bool], tuple[str, ...]]:
    """Whether each question was answered rightly, by the first measure that it has."""
    scores = arm.scores[run_id]
    named = [name for name in primary if name in ACCURACY and ACCURACY[name].higher_is_better]
    own = [name for name in primary if name not in ACCURACY and not name.startswith("forgetting_")]
    judges = dict.fromkeys([*named, *JUDGES, *own])
    value = np.full(len(scores.question_ids), np.nan)
    used = []
    for name in judges:
        if name in scores.measures:
            open_yet = np.isnan(value) & np.isfinite(scores.measures[name])
            if open_yet.any():
                value[open_yet] = scores.measures[name][open_yet]
                used.append(name)
    if "false_answer" in scores.measures:
        open_yet = np.isnan(value) & np.isfinite(scores.measures["false_answer"])
        value[open_yet] = 1 - scores.measures["false_answer"][open_yet]
    task = arm.summary.task
    known = np.isfinite(value).tolist()
    right = {
        (task, name): one == 1
        for name, one, counts in zip(scores.question_ids, value.tolist(), known, strict=True)
        if counts
    }
    return right, tuple(used)
