"""Answers that reached the limit of tokens: what it may have cost an arm that speaks at length.

A base model answers in sentences, a fine-tuned one in the few words that it was trained on. A limit
that cuts the sentence before the name makes fine-tuning look better than it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.measures.accuracy import Scores
from harness.types import Prediction

WORTH_SAYING = 0.05
"""Share of wrong answers at the limit below which no verdict should hang on it."""


@dataclass(frozen=True)
class AtLimit:
    """How many of an arm's generated answers were as long as they might be.

    Attributes:
        generated: answerable open questions, of which the answer's tokens are known.
        reached: answers of as many tokens as the limit; one that happens to end there counts too.
        wrong: those of them that hold no gold answer: the most that a higher limit could mend.
        limit: ``prompt.max_new_tokens``.
    """

    generated: int
    reached: int
    wrong: int
    limit: int

    def values(self) -> dict[str, float | None]:
        """The row's values: shares of ``generated``; null where nothing was generated."""
        n = self.generated
        return {
            "answers_at_limit": self.reached / n if n else None,
            "wrong_at_limit": self.wrong / n if n else None,
        }

    def note(self) -> str | None:
        """What a reader must know of it."""
        if not self.generated or self.wrong / self.generated < WORTH_SAYING:
            return None
        return (
            f"{self.wrong} of {self.generated} answers were cut at prompt.max_new_tokens="
            f"{self.limit} and count as wrong: raise it for every arm of the comparison"
        )


def at_limit(predictions: Sequence[Prediction], scores: Sequence[Scores], limit: int) -> AtLimit:
    """What the limit of ``limit`` tokens may have cost; ``scores`` are the predictions' own."""
    counted = [
        (one.answer.tokens_out, own["contains"])
        for one, own in zip(predictions, scores, strict=True)
        if "contains" in own and one.answer.tokens_out is not None
    ]
    reached = [contained for tokens, contained in counted if tokens >= limit]
    return AtLimit(len(counted), len(reached), sum(not one for one in reached), limit)


def told(row: Mapping[str, Any]) -> str | None:
    """Of a row, that the limit may have cost its arm something; None where it cannot have much."""
    share = row.get("wrong_at_limit")
    if share is None or share < WORTH_SAYING:
        return None
    return (
        f"{share:.0%} of the answers of {row['arm']} were cut at {row.get('max_new_tokens')} "
        "tokens and count as wrong"
    )
