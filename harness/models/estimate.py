"""Tokens where no tokenizer is at hand: one for every four characters, cut at words if possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHARACTERS_PER_TOKEN = 4


class EstimatedTokenizer:
    """Counts a token for every four characters, in the way that a fast tokenizer is called."""

    is_fast = True

    def __call__(self, texts: str | Sequence[str], **_: Any) -> dict[str, Any]:
        """``input_ids`` (their number is what counts) and ``offset_mapping``, as lists."""
        many = [texts] if isinstance(texts, str) else list(texts)
        spans = [_spans(text) for text in many]
        found: dict[str, list[Any]] = {
            "input_ids": [list(range(len(s))) for s in spans],
            "offset_mapping": spans,
        }
        return {name: rows[0] for name, rows in found.items()} if isinstance(texts, str) else found


def estimated_tokens(text: str) -> int:
    """Characters / 4, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _spans(text: str) -> list[tuple[int, int]]:
    """One span for every four characters; each begins at a word, if one begins in its four."""
    if not text:
        return []
    starts = [0]
    for cell in range(CHARACTERS_PER_TOKEN, len(text), CHARACTERS_PER_TOKEN):
        places = range(cell, min(cell + CHARACTERS_PER_TOKEN, len(text)))
        starts.append(next((at for at in places if text[at].isspace()), cell))
    return list(zip(starts, [*starts[1:], len(text)], strict=True))
