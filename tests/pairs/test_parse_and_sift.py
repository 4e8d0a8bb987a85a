"""What is read of what a generator wrote, and what of it is kept."""

from __future__ import annotations

import pytest

from harness.pairs.config import PairsConfig
from harness.pairs.parse import read_pairs, read_wordings
from harness.pairs.protocol import Pair, Part, Written
from harness.pairs.sift import sift_pairs, sift_paraphrases
from harness.types import Document

DOCUMENT = Document("d", "The mill was built by Ida Brandt in 1871. It grinds oats.", "The mill")


def sifted(output: str, wanted: int = 9, **settings):
    part = Part("d", DOCUMENT.title, DOCUMENT.text, wanted)
    return sift_pairs(PairsConfig(**settings), {"d": DOCUMENT}, [part], [Written("", output)])


@pytest.mark.parametrize(
    ("output", "pairs", "rest"),
    [
        ("Q: Who?\nA: Ida", [("Who?", "Ida")], []),
        ("1. **Question:** Who?\n   **Answer:** Ida", [("Who?", "Ida")], []),
        ("- Q1: Who? A: Ida", [("Who?", "Ida")], []),
        ("Q: Who?\nQ: When?\nA: 1871", [("When?", "1871")], ["Q: Who?"]),
        ("Sure!\nA: Ida\nQ: Who?", [], ["Sure!", "A: Ida", "Q: Who?"]),
        ("Q:\nA:", [("", "")], []),
        ("", [], []),
    ],
)
def test_pairs_are_read_strictly_and_the_rest_is_handed_back(output, pairs, rest):
    assert read_pairs(output) == (pairs, rest)


def test_wordings_are_read_without_their_numbers():
    assert read_wordings("1. Who built it?\n\n- By whom?\nQ: Whose?") == [
        "Who built it?",
        "By whom?",
        "Whose?",
    ]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("I cannot do that.", "malformed"),
        ("", "empty"),
        ("Q: Who built the mill?\nA: ?!", "empty"),
        ("Q: The mill was old.\nA: Ida Brandt", "no_question"),
        ("Q: What did Ida Brandt build?\nA: Ida Brandt", "answer_in_question"),
        ("Q: What happened to it?\nA: The mill was built by Ida", "long_answer"),
        ("Q: Who sold the mill?\nA: Otto", "not_grounded"),
        ("Q: Who built the mill of Corvin?\nA: Ida Brandt", "not_grounded"),
        ("Q: Who built the mill in 1872?\nA: Ida Brandt", "not_grounded"),
    ],
)
def test_a_pair_that_cannot_be_trained_on_is_counted_under_its_reason(output, reason):
    found = sifted(output, max_answer_words=4)
    assert found.kept == []
    assert found.dropped == {reason: 1}


def test_good_pairs_are_kept_once_and_no_more_than_asked_for():
    found = sifted(
        "Q: Who built the mill?\nA: Ida Brandt\n"
        "Q: who built the mill\nA: Ida Brandt\n"  # no question mark
        "Q: Who built, the mill?\nA: Ida Brandt\n"
        "Q: When was it built?\nA: 1871\nQ: What does it grind?\nA: oats",
        wanted=2,
    )
    assert [(one.question, one.answer) for one in found.kept] == [
        ("Who built the mill?", "Ida Brandt"),
        ("When was it built?", "1871"),
    ]
    assert found.dropped == {"no_question": 1, "duplicate": 1, "surplus": 1}


def test_an_answer_that_is_not_in_the_document_is_kept_if_that_is_asked_for():
    assert len(sifted("Q: Who sold the mill?\nA: Otto", grounded=False).kept) == 1


def test_other_wordings_keep_answer_names_and_numbers():
    pair = Pair("Who led Tarn in 1871?", "Ida", "d", 0)
    output = (
        "1. By whom was Tarn led in 1871?\n2. Who led Tarn?\n3. Who led Tarn in 1871?\n"
        "4. Was it Ida who led Tarn in 1871?\n5. Tarn, 1871\n6. Which person led Tarn in 1871?"
    )
    found = sift_paraphrases(PairsConfig(paraphrases=1), [pair], [Written("", output)])
    assert [(one.question, one.answer) for one in found.kept] == [
        ("By whom was Tarn led in 1871?", "Ida")
    ]
    assert found.dropped == {"surplus": 5}
    found = sift_paraphrases(PairsConfig(paraphrases=2), [pair], [Written("", output)])
    assert [one.question for one in found.kept][1] == "Which person led Tarn in 1871?"
    assert found.dropped == {
        "lost_name": 1, "duplicate": 1, "answer_in_question": 1, "no_question": 1,
    }  # fmt: skip
