"""Cuts documents into passages of a few tokens, at word boundaries, in their own characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import ConfigError, DataError
from harness.types import Document, Passage


def chunk(
    documents: Sequence[Document], chunk_tokens: int, overlap: int, tokenizer: Any
) -> list[Passage]:
    """The passages of all documents, in order; each has at most ``chunk_tokens`` tokens.

    A document that fits stays whole. A longer one is spread evenly over as few passages as hold
    it, so its last passage is no sliver. Every character is in some passage, apart from white
    space at the edges, and neighbours share up to ``overlap`` tokens. Tokens are counted in the
    document: cut out, a passage's first word may take a token or two more.

    Args:
        tokenizer: a transformers fast tokenizer. Give every retriever the same one (the language
            model's), so that retrievers are compared on the same passages.

    Raises:
        DataError: no documents, or an empty one.
    """
    if not documents:
        raise DataError("the corpus has no documents, so there is nothing to retrieve from")
    for document in documents:
        if not document.text.strip():
            raise DataError(f"document '{document.id}' of the corpus is empty; remove it")
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            f"{type(tokenizer).__name__} is no fast tokenizer and gives no character offsets, "
            "which cutting passages needs; choose a model that has a tokenizer.json"
        )
    encoded = tokenizer(
        [document.text for document in documents],
        add_special_tokens=False,
        return_attention_mask=False,
        return_offsets_mapping=True,
        verbose=False,  # a document longer than the model's context is no fault here
    )
    return [
        Passage(f"{document.id}#{n}", document.id, text, document.title)
        for document, offsets in zip(documents, encoded["offset_mapping"], strict=True)
        for n, text in enumerate(_texts(document.text, offsets, chunk_tokens, overlap))
    ]


def _texts(
    text: str, offsets: Sequence[tuple[int, int]], chunk_tokens: int, overlap: int
) -> list[str]:
    """The texts of one document's passages; ``offsets`` are its tokens' character spans."""
    starts = [start for start, _ in offsets]
    # A character before the first token belongs to the first passage, one after a passage's last
    # token to that passage: so nothing that a tokenizer skips is lost.
    edges = [0, *starts[1:], len(text)]
    spans = _spans(_word_starts(text, starts), chunk_tokens, overlap)
    texts = (text[edges[start] : edges[end]].strip() for start, end in spans)
    return [passage for passage in texts if passage]


def _word_starts(text: str, starts: Sequence[int]) -> list[bool]:
    """For each token, and for the end of the text, whether a passage may begin there."""
    flags = [at == 0 or text[at].isspace() or text[at - 1].isspace() for at in starts]
    return [*flags, True]


def _spans(boundary: Sequence[bool], size: int, overlap: int) -> list[tuple[int, int]]:
    """Token spans ``[start, end)`` of at most ``size`` tokens that cover all tokens in order.

    ``boundary[i]`` says whether a word starts at token ``i``; the last entry is the text's end.
    A word longer than a span is cut.
    """
    total = len(boundary) - 1
    spans: list[tuple[int, int]] = []
    start = end = 0
    while total - start > size:
        left = total - start
        pieces = -(-(left - overlap) // (size - overlap))
        share = -(-(left + (pieces - 1) * overlap) // pieces)
        # Past the last end, or the span would repeat part of the one before.
        end = next((i for i in range(start + share, end, -1) if boundary[i]), start + share)
        spans.append((start, end))
        # The next span begins at a word, at most ``overlap`` tokens back, and always further on.
        start = next((i for i in range(max(end - overlap, start + 1), end) if boundary[i]), end)
    spans.append((start, total))
    return spans
