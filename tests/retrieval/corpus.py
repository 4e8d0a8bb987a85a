"""A toy corpus and an encoder whose vectors are written by hand."""

from __future__ import annotations

import numpy as np

from harness.types import Passage, Question


def passage(position: int, text: str, document: str = "", title: str = "") -> Passage:
    return Passage(f"p{position}", document or f"d{position}", text, title)


def question(text: str, *answers: str, gold: tuple[str, ...] = ()) -> Question:
    return Question(f"q:{text}", text, answers or ("x",), gold_documents=gold)


class TableEncoder:
    """Looks each text's vector up in a table."""

    def __init__(
        self, table: dict[str, list[float]], name: str = "table", identity: str = "a" * 64
    ) -> None:
        self.name, self.identity = name, identity
        self.table = table
        self.dimension = len(next(iter(table.values())))

    def encode_passages(self, texts):
        return np.array([self.table[text] for text in texts], dtype=np.float32)

    encode_queries = encode_passages
