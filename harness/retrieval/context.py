"""What goes into a prompt: how many passages to retrieve, and which of them fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from harness.errors import RetrievalError
from harness.prompts import passage_text
from harness.types import ScoredPassage


def fit_context(
    passages: Sequence[ScoredPassage],
    budget_tokens: int | None,
    count_tokens: Callable[[str], int],
) -> list[ScoredPassage]:
    """The passages, in rank order, that fit whole into the budget; None sets no limit.

    The first passage that does not fit ends the list: a lower-ranked, shorter one is not let past
    it, so the context is always the head of the ranking. A passage with the text of one already
    taken is left out and costs nothing.

    Args:
        count_tokens: tokens of a passage as it stands in a prompt (``prompts.passage_text``).
    """
    kept: list[ScoredPassage] = []
    seen: set[str] = set()
    left = math.inf if budget_tokens is None else budget_tokens
    for scored in passages:
        text = passage_text(scored.passage)
        if text in seen:
            continue
        if left < math.inf:  # counting the tokens of a whole corpus for each question takes time
            left -= count_tokens(text)
        if left < 0:
            break
        seen.add(text)
        kept.append(scored)
    return kept


def choose_top_k(scores_by_k: Mapping[int, float], default: int) -> tuple[int, str]:
    """The top_k with the highest validation score, and the reason in words.

    Of equal scores the smaller k wins: its prompts are shorter. With no scores (the task has no
    validation questions) it is ``default``.
    """
    if not scores_by_k:
        return default, f"default {default}: no validation questions"
    for k, score in scores_by_k.items():
        if not math.isfinite(score):
            raise RetrievalError(f"the validation score of top_k={k} is {score}, not a number")
    best = min(scores_by_k, key=lambda k: (-scores_by_k[k], k))
    tried = ", ".join(f"{k}: {scores_by_k[k]:.3f}" for k in sorted(scores_by_k))
    return best, f"best on validation ({tried})"
