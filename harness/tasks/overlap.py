"""Training questions that are worded like held-out ones: the same words, or nearly so.

Likeness is the Jaccard index of the two sets of words, |A ∩ B| / |A ∪ B|. Questions are short, so
runs of words, as they are compared between documents (8-grams, say), would find equal ones alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

NEARLY = 0.8
"""From this likeness on two questions count as nearly the same."""


def wording(text: str) -> str:
    """``text`` in lower case, without punctuation and extra spaces."""
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split())


def words(text: str) -> frozenset[str]:
    """The different words of ``text``."""
    return frozenset(wording(text).split())


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The Jaccard index of two sets of words: 1 if equal, 0 if they share none or one is empty."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def nearest(
    questions: Sequence[str], held_out: Sequence[str], threshold: float = NEARLY
) -> dict[int, tuple[int, float]]:
    """Position in ``questions`` -> (position of the nearest held-out question, their likeness).

    Only those at ``threshold`` or above are in it; ties go to the first. All such are found, but
    few pairs are compared: two sets that are so alike share one of the rarest words of both
    (prefix filtering, Bayardo et al. 2007, "Scaling up all pairs similarity search").
    """
    ours = [words(question) for question in questions]
    theirs = [words(question) for question in held_out]
    counts = Counter(word for held in theirs for word in held)

    def rarest(of: frozenset[str]) -> list[str]:
        ordered = sorted(of, key=lambda word: (counts[word], word))
        # Exact: 0.8 × 5 in floating point is 4.000…01, and would leave one word too few.
        fewest_shared = ceil(Fraction(str(threshold)) * len(of))
        return ordered[: len(of) - fewest_shared + 1]

    holders: dict[str, list[int]] = defaultdict(list)
    for position, held in enumerate(theirs):
        for word in rarest(held):
            holders[word].append(position)
    found: dict[int, tuple[int, float]] = {}
    for position, own in enumerate(ours):
        candidates = sorted({at for word in rarest(own) for at in holders.get(word, ())})
        scored = [(likeness(own, theirs[at]), at) for at in candidates]
        best = max(scored, key=lambda pair: (pair[0], -pair[1]), default=(0.0, 0))
        if best[0] >= threshold:
            found[position] = (best[1], best[0])
    return found


def near_notes(trained: Sequence[str], held_out: Sequence[str]) -> list[str]:
    """A note on how many questions that are trained on are nearly held-out ones; none if none."""
    near = nearest(trained, held_out)
    if not near:
        return []
    return [
        f"{len(near)} of {len(trained)} train questions are worded nearly like a held-out one "
        f"(Jaccard index of their words {NEARLY:g} or more)"
    ]
