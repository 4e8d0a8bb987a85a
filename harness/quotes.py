"""Answers that quote before they answer, as RAFT trains them: how they are written and read.

Zhang et al. 2024 (arXiv:2403.10131): what is quoted from a passage stands between two marks, and
the final answer follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.prompts import passage_text
from harness.types import Prediction

BEGIN, END = "##begin_quote##", "##end_quote##"


def quoting(quote: str, answer: str) -> str:
    """The answer behind a quote."""
    return f"{BEGIN} {quote} {END} {answer}"


def final_answer(text: str) -> str:
    """What follows the last quote; the whole text without one; "" where a quote was never closed.

    A quote may hold the answer by chance, so it is no answer: one that ends within it gave none.
    """
    after = text.rpartition(END)[2]
    return "" if BEGIN in after else after.strip()


def quotes_in(text: str) -> list[str]:
    """Each closed quote, white space collapsed."""
    pieces = text.split(END)[:-1]
    return [collapsed(piece.rpartition(BEGIN)[2]) for piece in pieces if BEGIN in piece]


@dataclass(frozen=True)
class Quoting:
    """How the answers of a run quote.

    Attributes:
        quoting: answers with a closed quote and nothing left open.
        verbatim: those of which every quote stands word for word in one passage of the prompt.
        unfinished: answers that end within a quote.
    """

    quoting: int
    verbatim: int
    unfinished: int

    def values(self) -> dict[str, int]:
        """The row's values."""
        return {
            "quoting": self.quoting,
            "quoting_verbatim": self.verbatim,
            "quoting_unfinished": self.unfinished,
        }

    def note(self, answers: int) -> str | None:
        """What a reader must know of them."""
        if not self.unfinished:
            return None
        return (
            f"{self.unfinished} of {answers} answers ended within a quote and count as empty: "
            "prompt.max_new_tokens may be too low"
        )


def quoting_of(predictions: Sequence[Prediction]) -> Quoting:
    """How many of the generated answers quote, quote what they were given, and never end."""
    generated = [one for one in predictions if not one.question.choices]
    unfinished = [one for one in generated if BEGIN in one.answer.text.rpartition(END)[2]]
    closed = [one for one in generated if one not in unfinished and quotes_in(one.answer.text)]
    return Quoting(len(closed), sum(map(_verbatim, closed)), len(unfinished))


def collapsed(text: str) -> str:
    """The text with each run of white space as one space."""
    return " ".join(text.split())


def _verbatim(prediction: Prediction) -> bool:
    given = [
        collapsed(passage_text(scored.passage))
        for scored in prediction.retrieved
        if scored.passage.id in prediction.used_passage_ids
    ]
    quotes = quotes_in(prediction.answer.text)
    return all(quote and any(quote in text for text in given) for quote in quotes)
