"""Tokens where no tokenizer is at hand."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from harness.models.estimate import EstimatedTokenizer, estimated_tokens
from harness.retrieval import chunk
from harness.types import Document


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fours", 2)])
def test_a_token_is_four_characters(text: str, tokens: int):
    assert estimated_tokens(text) == tokens
    assert len(EstimatedTokenizer()(text, add_special_tokens=False)["input_ids"]) == tokens


def test_tokens_begin_at_words_where_one_begins():
    text = "ab cdefgh ij"
    spans = EstimatedTokenizer()([text])["offset_mapping"][0]
    # Cells of four are "ab c", "defg", "h ij": the third begins at its space.
    assert [text[start:end] for start, end in spans] == ["ab c", "defgh", " ij"]


@given(st.text(alphabet="ab \n", max_size=80))
def test_tokens_cover_the_text_in_order_and_their_number_is_the_estimate(text: str):
    spans = EstimatedTokenizer()(text)["offset_mapping"]
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert len(spans) == estimated_tokens(text)


def test_passages_are_cut_at_words():
    text = " ".join(f"word{n}" for n in range(60))
    passages = chunk([Document("d", text)], 20, 4, EstimatedTokenizer())
    assert len(passages) > 3
    assert {word for passage in passages for word in passage.text.split()} == set(text.split())
    assert all(len(passage.text) <= 20 * 4 + 4 for passage in passages)
