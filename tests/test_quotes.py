"""Answers that quote: what is scored of them, and what is said of a quote that never ends."""

from __future__ import annotations

import pytest

from harness.measures.accuracy import ANSWER_PARTS, score
from harness.measures.config import ANSWER_PARTS as NAMES
from harness.quotes import BEGIN, END, final_answer, quotes_in, quoting, quoting_of
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage


@pytest.mark.parametrize(
    ("text", "final"),
    [
        (quoting("Lima is the capital.", "Lima"), "Lima"),
        ("Lima", "Lima"),  # an arm that does not quote is scored as it is
        (f"{BEGIN} one {END} so {BEGIN} two {END}\nLima ", "Lima"),
        (f"{BEGIN} Lima is the cap", ""),
        (f"{BEGIN} one {END} Lima {BEGIN} two", ""),
        (f"{BEGIN} Lima {END}", ""),
        (f"{END} Lima", "Lima"),
    ],
)
def test_the_final_answer_follows_the_last_quote(text: str, final: str):
    assert final_answer(text) == final


def predicted(text: str, *passages: str, unused: str = "", **question) -> Prediction:
    held = [Passage(f"p{n}", "d", one, "Title") for n, one in enumerate(passages)]
    held.append(Passage("unused", "d", unused))
    return Prediction(
        Question("q", "?", ("Lima",), **question),
        "",
        Answer(text, 1, 1),
        retrieved=tuple(ScoredPassage(one, 1.0) for one in held),
        used_passage_ids=tuple(one.id for one in held[:-1]),
    )


def test_an_answer_that_stands_in_the_quote_alone_does_not_count():
    wrong = predicted(quoting("Lima is the capital.", "Quito"))
    assert score(wrong, "whole")["contains"] == 1
    assert score(wrong, "final")["contains"] == 0
    assert score(wrong, "final")["exact_match"] == 0
    right = predicted(quoting("It is the capital.", "Lima"))
    assert score(right, "final")["exact_match"] == 1


def test_an_unfinished_quote_is_an_empty_answer_and_is_said():
    cut = predicted(f"{BEGIN} Lima is the capital", "Lima is the capital.")
    assert score(cut, "final")["contains"] == 0
    assert score(cut, "final")["false_refusal"] == 1
    found = quoting_of([cut, predicted("Lima")])
    assert found.values() == {"quoting": 0, "quoting_verbatim": 0, "quoting_unfinished": 1}
    assert str(found.note(2)).startswith("1 of 2 answers ended within a quote and count as empty")
    assert quoting_of([predicted("Lima")]).note(1) is None


def test_quotes_are_held_against_the_passages_of_the_prompt():
    text = "Lima is the capital.\nIt lies on the coast."
    answers = [
        predicted(quoting("Lima is the capital. It lies", "Lima"), text),  # across a line's end
        predicted(quoting("Lima is the main city.", "Lima"), text),
        predicted(quoting("Title: Lima is the capital.", "Lima"), text),  # as it stood there
        predicted(quoting("Lima is it.", "Lima"), text, unused="Lima is it."),
        predicted(quoting("", "Lima"), text),
        predicted(f"{BEGIN} Lima is {END} and {BEGIN} made up {END} Lima", text),
        predicted("Lima", text),
        predicted(quoting("Lima is", "Lima"), text, choices=("Lima", "Quito")),
    ]
    found = quoting_of(answers)
    assert (found.quoting, found.verbatim, found.unfinished) == (6, 2, 0)


def test_quotes_are_read_in_their_order():
    assert quotes_in(f"x {BEGIN} one\n two {END} y {BEGIN} three {END} z") == ["one two", "three"]
    assert quotes_in(f"{BEGIN} open") == []
    assert quotes_in(f"{END} stray") == []


def test_settings_name_every_part_of_an_answer():
    assert set(NAMES) == set(ANSWER_PARTS)
