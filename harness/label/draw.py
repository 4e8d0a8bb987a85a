"""A sample of answers: every arm has the same share of it, and every run of an arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

import numpy as np

from harness.label.answers import Answered, Shown
from harness.types import sha256_of

T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """What is asked once, and the answers drawn that it stands for, of one run or several."""

    name: str
    shown: Shown
    drawn: tuple[Answered, ...]


def draw(
    arms: Mapping[str, Mapping[str, Sequence[Answered]]], n: int, seed: int
) -> tuple[str, list[Item]]:
    """The sheet's name and ``n`` items in random order; fewer where there are fewer.

    Arms take turns, and within an arm its runs, each with its own answers in random order. An
    answer that is on the sheet already, to the same question, counts for its run and takes no
    place: of each run those of its first questions are drawn, whatever it and the others answered.
    """
    orders = [
        _in_turn(_shuffled(answers, seed, run_id) for run_id, answers in runs.items())
        for runs in arms.values()
    ]
    found: dict[Shown, list[Answered]] = {}
    for one in _in_turn(orders):
        if one.shown not in found and len(found) == n:
            break
        found.setdefault(one.shown, []).append(one)
    drawn = [[shown.sha256(), *_places(answers)] for shown, answers in found.items()]
    sheet = sha256_of([seed, n, drawn])[:16]
    items = [Item(_name(sheet, shown), shown, tuple(answers)) for shown, answers in found.items()]
    return sheet, _shuffled(items, seed, "order of the sheet")


def _name(sheet: str, shown: Shown) -> str:
    """An item's name. A letter first: a spreadsheet would take "12e34567" for a number."""
    return f"a{sha256_of([sheet, shown.sha256()])[:11]}"


def _places(answers: Iterable[Answered]) -> list[list[str]]:
    return [[one.run_id, one.question_id] for one in answers]


def _in_turn(orders: Iterable[Sequence[T]]) -> list[T]:
    """The first of each, then the second of each, and so on."""
    return [one for turn in zip_longest(*orders) for one in turn if one is not None]


def _shuffled(values: Sequence[T], seed: int, name: str) -> list[T]:
    digest = int(sha256_of([seed, name])[:16], 16)
    return [values[at] for at in np.random.default_rng(digest).permutation(len(values))]
