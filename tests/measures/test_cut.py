"""Answers at the limit of tokens: counted, and said where they may decide a comparison."""

from __future__ import annotations

from harness.measures.accuracy import score
from harness.measures.cut import AtLimit, at_limit, told
from harness.types import Answer, Prediction, Question


def predicted(text: str, tokens: int | None, **question) -> Prediction:
    return Prediction(Question("q", "?", ("Lima",), **question), "", Answer(text, 5, tokens))


def found(*predictions: Prediction, limit: int = 4) -> AtLimit:
    return at_limit(predictions, [score(one) for one in predictions], limit)


def test_answers_as_long_as_the_limit_are_counted_and_the_wrong_ones_apart():
    counted = found(
        predicted("The capital of Peru", 4),
        predicted("It is Lima, the", 4),
        predicted("Lima", 2),
        predicted("Quito", 2),
    )
    assert counted == AtLimit(generated=4, reached=2, wrong=1, limit=4)
    assert counted.values() == {"answers_at_limit": 0.5, "wrong_at_limit": 0.25}


def test_options_and_unanswerable_questions_are_left_out():
    counted = found(
        predicted("Lima", 0, choices=("Lima", "Quito")),
        predicted("The capital of Peru", 4, unanswerable=True),
    )
    assert counted.values() == {"answers_at_limit": None, "wrong_at_limit": None}
    assert counted.note() is None


def test_an_endpoint_that_counts_no_tokens_says_nothing():
    assert found(predicted("The capital of Peru", None)).generated == 0


def test_the_note_says_what_to_raise_and_keeps_still_below_one_in_twenty():
    assert AtLimit(100, 60, 5, 20).note() == (
        "5 of 100 answers were cut at prompt.max_new_tokens=20 and count as wrong: raise it for "
        "every arm of the comparison"
    )
    assert AtLimit(100, 60, 4, 20).note() is None


def test_a_row_tells_it_and_a_row_of_an_older_version_does_not():
    row = {"arm": "rag", "max_new_tokens": 20, "wrong_at_limit": 0.21}
    assert told(row) == "21% of the answers of rag were cut at 20 tokens and count as wrong"
    assert told({**row, "wrong_at_limit": None}) is None
    assert told({"arm": "rag"}) is None
