"""Chunking, with a tokenizer of one token a word so that spans can be counted by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, DataError
from harness.retrieval.chunk import _spans, chunk
from harness.types import Document


def word_tokenizer(split: str = "whitespace"):
    """A real fast tokenizer: a token is a word, or (``split="characters"``) a character."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = (
        pre_tokenizers.WhitespaceSplit()
        if split == "whitespace"
        else pre_tokenizers.Split(Regex("."), "isolated")
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def words(n: int) -> str:
    return " ".join(f"w{i}" for i in range(n))


def numbers(text: str) -> list[int]:
    return [int(word[1:]) for word in text.split()]


def test_a_document_that_fits_stays_whole_and_keeps_its_title():
    [passage] = chunk([Document("d", " w0  w1\nw2 ", title="T")], 8, 2, word_tokenizer())
    assert (passage.id, passage.document_id, passage.title) == ("d#0", "d", "T")
    assert passage.text == "w0  w1\nw2"


def test_a_long_document_is_spread_evenly_with_overlap():
    # 20 words, 8 a passage, 2 shared: ceil((20 - 2) / (8 - 2)) = 3 passages of
    # ceil((20 + 2 * 2) / 3) = 8 words
    passages = chunk([Document("d", words(20))], 8, 2, word_tokenizer())
    assert [numbers(p.text) for p in passages] == [
        [*range(0, 8)],
        [*range(6, 14)],
        [*range(12, 20)],
    ]
    assert [p.id for p in passages] == ["d#0", "d#1", "d#2"]


def test_the_last_passage_is_no_sliver():
    # one word too many for a single passage: halves, not 8 words and 1
    passages = chunk([Document("d", words(9))], 8, 0, word_tokenizer())
    assert [len(p.text.split()) for p in passages] == [5, 4]


def test_text_is_the_documents_own_characters():
    text = "Côte  d’Ivoire\tis “here”; 1,5 km² " * 5
    for passage in chunk([Document("d", text)], 8, 2, word_tokenizer()):
        assert passage.text in text


def test_a_passage_starts_and_ends_at_word_boundaries():
    # one token a character: without word boundaries a passage of 8 would end inside a word
    passages = chunk([Document("d", "alpha beta gamma delta")], 8, 0, word_tokenizer("characters"))
    assert " ".join(p.text for p in passages) == "alpha beta gamma delta"


def test_a_word_longer_than_a_passage_is_cut_and_nothing_is_lost():
    passages = chunk([Document("d", "x" * 20)], 8, 0, word_tokenizer("characters"))
    assert "".join(p.text for p in passages) == "x" * 20
    assert max(len(p.text) for p in passages) <= 8


@given(
    st.lists(st.booleans(), max_size=120),
    st.integers(8, 40),
    st.data(),
)
def test_spans_cover_every_token_within_the_limits(inner, size, data):
    overlap = data.draw(st.integers(0, size // 2))
    boundary = [True, *inner, True]
    total = len(boundary) - 1
    spans = _spans(boundary, size, overlap)
    assert spans[0][0] == 0
    assert spans[-1][1] == total
    assert all(0 < end - start <= size for start, end in spans)
    for (start, end), (following, later) in pairwise(spans):
        assert start < following <= end < later
        assert end - following <= overlap


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_document_is_rejected_by_name(text):
    with pytest.raises(DataError, match=r"document 'b'.*empty"):
        chunk([Document("a", "x"), Document("b", text)], 8, 0, word_tokenizer())


def test_an_empty_corpus_is_rejected():
    with pytest.raises(DataError, match="no documents"):
        chunk([], 8, 0, word_tokenizer())


def test_a_tokenizer_without_offsets_is_rejected():
    with pytest.raises(ConfigError, match="no fast tokenizer"):
        chunk([Document("a", "x")], 8, 0, object())
