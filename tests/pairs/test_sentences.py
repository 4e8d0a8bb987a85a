"""Documents cut into sentences, and into parts that a generator can read at once."""

from __future__ import annotations

from harness.pairs.protocol import Part
from harness.pairs.sentences import parts_of, sentences
from harness.types import Document


def words(text: str) -> int:
    return len(text.split())


def test_sentences_end_at_full_stops_but_not_in_abbreviations_or_numbers():
    text = "# Head\nDr. Feld leads it. It costs\n3.5 crowns! Open?\n\n- One item\n- Two items."
    assert sentences(text) == [
        "Dr. Feld leads it.",
        "It costs 3.5 crowns!",
        "Open?",
        "One item",
        "Two items.",
    ]


def test_a_short_document_is_one_part_with_all_pairs():
    assert parts_of([Document("d", "A b. C d.", "T")], 3, 16, words) == [
        Part("d", "T", "A b. C d.", 3)
    ]


def test_a_long_document_is_cut_between_sentences_and_its_parts_share_the_pairs():
    text = "A b c d. E f g h. I j k l."
    parts = parts_of([Document("d", text)], 3, 10, words)  # 4 words and a space: two in a part
    assert [(part.text, part.wanted) for part in parts] == [
        ("A b c d. E f g h.", 2),
        ("I j k l.", 1),
    ]
    assert [part.wanted for part in parts_of([Document("d", text)], 1, 5, words)] == [1, 1, 1]


def test_a_sentence_that_is_too_long_is_halved():
    text = " ".join(f"w{n}" for n in range(12))
    parts = parts_of([Document("d", text)], 1, 8, words)
    assert [part.text for part in parts] == [
        "w0 w1 w2 w3 w4 w5",
        "w6 w7 w8 w9 w10 w11",
    ]
