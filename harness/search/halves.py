"""Probe items that a search may look at, and those that it must not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.measures.forgetting import Probes
from harness.search.config import TRIAL, SearchConfig
from harness.search.validation import FORGETTING
from harness.types import Question

T = TypeVar("T")

HALF_NOTE = "forgetting measured on the half of the probe items that the search did not see"


def probe_half(items: Probes, search: SearchConfig) -> Probes:
    """The items that this run is probed with: all, unless a search's second objective is harm.

    Then trials see one half, and the final run is measured on the other, so that forgetting is no
    more chosen on what is reported than accuracy is. Questions on one entity stay together.
    """
    if not halved(search):
        return items
    which = 0 if search.part == TRIAL else 1
    return Probes(
        facts=_half(items.facts, _entity, which),
        glosses=_half(items.glosses, _entity, which),
        texts=_half(items.texts, str, which),
        context=_half(items.context, lambda pair: _entity(pair[0]), which),
    )


def halved(search: SearchConfig) -> bool:
    """Whether a run of this search is probed with half the items."""
    return search.part != "" and (search.second or "").startswith(FORGETTING)


def _half(items: Sequence[T], group: Callable[[T], str], which: int) -> tuple[T, ...]:
    """Every second group of items, in order of first appearance."""
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(group(one), len(numbers)) for one in items]
    return tuple(one for one, place in zip(items, places, strict=True) if place % 2 == which)


def _entity(question: Question) -> str:
    return question.cluster or question.id
