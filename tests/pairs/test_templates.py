"""Pairs by rules: what each rule asks, and what it leaves alone."""

from __future__ import annotations

import pytest

from harness.pairs.parse import read_pairs
from harness.pairs.protocol import Pair, Part
from harness.pairs.templates import Templates, other_wordings, pairs_of


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        (
            "The extension of the help desk is 417.",
            "What is the extension of the help desk?",
            "417",
        ),
        (
            "The captain of the ferry is Ilse Nakamura.",
            "Who is the captain of the ferry?",
            "Ilse Nakamura",
        ),
        ("Flights are approved by Ines Torvald.", "By whom are flights approved?", "Ines Torvald"),
        ("The inn was sold by Ida Brandt in 1871.", "By whom was the inn sold?", "Ida Brandt"),
        ("The club was founded in 1954.", "When was the club founded?", "1954"),
        ("The masks were stored in the cellar.", "Where were the masks stored?", "the cellar"),
        ("The hall stands on Alder Street.", "Where does the hall stand?", "on Alder Street"),
        ("The inn has its cellar in Tarn.", "Where does the inn have its cellar?", "Tarn"),
        (
            "Every employee gets 27 days of leave.",
            'Complete the sentence: "Every employee gets ___ days of leave."',
            "27",
        ),
    ],
)  # fmt: skip
def test_a_sentence_gives_a_question_and_its_answer(sentence: str, question: str, answer: str):
    assert pairs_of(Part("d", "", sentence, 1)) == [(question, answer)]


@pytest.mark.parametrize(
    "sentence", ["The kiln is hot.", "Is it open?", "It was built in 1932.", "Yes.", ""]
)
def test_a_sentence_that_states_nothing_to_ask_for_gives_no_pair(sentence: str):
    assert pairs_of(Part("d", "", sentence, 4)) == []


def test_a_pronoun_at_the_beginning_stands_for_the_title():
    part = Part("d", "The kiln", "It was built by Otto Varga. Its key is 12.", 2)
    assert pairs_of(part) == [
        ("By whom was the kiln built?", "Otto Varga"),
        ("What is the key of the kiln?", "12"),
    ]


def test_no_more_pairs_than_asked_for_and_questions_before_gaps():
    text = "Every guest pays 3 crowns. The code of the gate is 51. The fee of the pool is 9."
    assert pairs_of(Part("d", "", text, 3)) == [
        ("What is the code of the gate?", "51"),
        ("What is the fee of the pool?", "9"),
        ('Complete the sentence: "Every guest pays ___ crowns."', "3"),
    ]
    assert len(pairs_of(Part("d", "", text, 1))) == 1


def test_other_wordings_ask_for_the_same():
    assert other_wordings("What is the fee?")[:2] == [
        "Tell me what the fee is.",
        "The fee is what?",
    ]
    assert other_wordings("By whom is it built?")[0] == "It is built by whom?"
    assert other_wordings("When was it built?")[0] == "Tell me when it was built."
    assert other_wordings("Why?") == []


def test_what_is_written_is_in_the_form_that_is_read(tmp_path):
    (one,) = Templates(2).pairs([Part("d", "", "The fee of the pool is 9.", 1)]).write(tmp_path)
    assert read_pairs(one.output) == ([("What is the fee of the pool?", "9")], [])


def test_the_key_holds_what_was_given_and_differs_between_pairs_and_wordings():
    templates = Templates(2)
    keys = [
        templates.pairs([Part("d", "", "A.", 1)]).key,
        templates.pairs([Part("d", "", "A.", 2)]).key,
        templates.pairs([Part("d", "", "B.", 1)]).key,
        templates.paraphrases([Pair("A?", "b", "d", 0)]).key,
        Templates(1).paraphrases([Pair("A?", "b", "d", 0)]).key,
    ]
    assert len({str(key) for key in keys}) == 5
