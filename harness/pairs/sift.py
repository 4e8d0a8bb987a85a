"""What is kept of what was written: each pair that is dropped is counted under one reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.pairs.config import PairsConfig
from harness.pairs.parse import read_pairs, read_wordings
from harness.pairs.protocol import Pair, Part, Written
from harness.pairs.templates import GAP
from harness.tasks.overlap import wording
from harness.types import Document

MALFORMED = "malformed"
EMPTY = "empty"
NO_QUESTION = "no_question"
ANSWER_GIVEN = "answer_in_question"
LONG = "long_answer"
NOT_GROUNDED = "not_grounded"
DUPLICATE = "duplicate"
SURPLUS = "surplus"
LOST_NAME = "lost_name"

REASONS: dict[str, str] = {
    MALFORMED: "no question followed by an answer, in the form that was asked for",
    EMPTY: "no question, or no answer",
    NO_QUESTION: "neither a question nor an order such as 'Name …'; fewer than three words",
    ANSWER_GIVEN: "the answer stands in the question",
    LONG: "an answer of more words than adapter.pairs.max_answer_words",
    NOT_GROUNDED: "the answer, or a name or number of the question, is not in the document",
    DUPLICATE: "worded like a question that was kept before",
    SURPLUS: "more than were asked for",
    LOST_NAME: "another wording without a name or number of its question",
}
"""Reason -> what it means; where several hold, the first one counts."""

_ORDER = re.compile(r"^(?:name|tell|give|state|say|complete|fill|list|identify)\b", re.IGNORECASE)
_SPECIFIC = re.compile(r"(?<=[\w,.;:'\"”“(] )[A-Z]\w*|\d[\d.,]*")


@dataclass
class Sifted:
    """Pairs that were kept, and how many were dropped for which reason, with an example of each."""

    kept: list[Pair] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, example: str) -> None:
        """Count what is dropped; the first of its reason is the example."""
        self.dropped[reason] += 1
        self.examples.setdefault(reason, example)


def sift_pairs(
    config: PairsConfig,
    documents: Mapping[str, Document],
    parts: Sequence[Part],
    written: Sequence[Written],
) -> Sifted:
    """The pairs of what was written about each part."""
    sifted = Sifted()
    seen: set[str] = set()
    texts = {name: wording(f"{one.title} {one.text}") for name, one in documents.items()}
    for source, (part, one) in enumerate(zip(parts, written, strict=True)):
        found, rest = read_pairs(one.output)
        for line in rest:
            sifted.drop(MALFORMED, line)
        if not found and not rest:
            sifted.drop(EMPTY, "(nothing was written)")
        kept = 0
        for question, answer in found:
            reason = _fault(config, question, answer, texts[part.document_id])
            reason = reason or (DUPLICATE if wording(question) in seen else "")
            reason = reason or (SURPLUS if kept == part.wanted else "")
            if reason:
                sifted.drop(reason, f"Q: {question} A: {answer}")
                continue
            kept += 1
            seen.add(wording(question))
            sifted.kept.append(Pair(question, answer, part.document_id, source))
    return sifted


def _fault(config: PairsConfig, question: str, answer: str, document: str) -> str:
    """Why the pair cannot be trained on; "" if it can."""
    if not wording(question) or not wording(answer):
        return EMPTY
    if not is_question(question):
        return NO_QUESTION
    if stands_in(wording(answer), wording(question)):
        return ANSWER_GIVEN
    if len(wording(answer).split()) > config.max_answer_words:
        return LONG
    named = specifics(question) <= set(document.split())
    if config.grounded and not (named and stands_in(wording(answer), document)):
        return NOT_GROUNDED
    return ""


def sift_paraphrases(
    config: PairsConfig, pairs: Sequence[Pair], written: Sequence[Written]
) -> Sifted:
    """Other wordings of each pair's question, with its answer; ``source`` is its position."""
    sifted = Sifted()
    seen = {wording(pair.question) for pair in pairs}
    for source, (pair, one) in enumerate(zip(pairs, written, strict=True)):
        kept = 0
        for question in read_wordings(one.output):
            if kept == config.paraphrases:
                reason = SURPLUS
            elif not wording(question):
                reason = EMPTY
            elif not is_question(question):
                reason = NO_QUESTION
            elif stands_in(wording(pair.answer), wording(question)):
                reason = ANSWER_GIVEN
            elif not specifics(pair.question) <= set(wording(question).split()):
                reason = LOST_NAME
            else:
                reason = DUPLICATE if wording(question) in seen else ""
            if reason:
                sifted.drop(reason, f"{question} (for: {pair.question})")
                continue
            kept += 1
            seen.add(wording(question))
            sifted.kept.append(Pair(question, pair.answer, pair.document_id, source))
    return sifted


def is_question(text: str) -> bool:
    """Whether it asks: by a question mark, an order or a gap; in three words or more."""
    asks = text.rstrip("\"'”’*) ").endswith(("?", "？")) or _ORDER.match(text) or GAP in text
    return bool(asks) and len(text.split()) >= 3


def stands_in(phrase: str, text: str) -> bool:
    """Whether the words of ``phrase`` stand in ``text``, side by side; both are wordings."""
    return f" {phrase} " in f" {text} "


def specifics(question: str) -> set[str]:
    """The names and numbers of a question, but for its first word."""
    return {word for found in _SPECIFIC.findall(question) for word in wording(found).split()}
