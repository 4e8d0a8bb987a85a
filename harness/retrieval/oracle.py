"""Oracle retrieval: the gold document's passages, which tells reading from retrieving."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import RetrievalError
from harness.retrieval.config import RetrieverConfig
from harness.retrieval.ranking import check_top_k
from harness.retrieval.sidecar import open_sidecar, save_index
from harness.retrieval.vectors import Vectors
from harness.types import Passage, Question, ScoredPassage


class OracleRetriever:
    """The passages of a question's gold documents: those that hold a gold answer come first."""

    name = "oracle"

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages
        self._by_document: dict[str, list[Passage]] = {}
        for passage in passages:
            self._by_document.setdefault(passage.document_id, []).append(passage)

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """Up to ``top_k`` gold passages for each question, each with score 1.

        A question without gold documents gets none.

        Raises:
            RetrievalError: none of several questions has a gold document, a gold document is not
                in the corpus, or there are fewer than ``top_k`` passages.
        """
        check_top_k(top_k, self.passages)
        # One question alone may lack gold; a whole set without any is a task that cannot be asked.
        if len(questions) > 1 and not any(question.gold_documents for question in questions):
            raise RetrievalError(
                f"none of the {len(questions)} questions names a gold document, which "
                "retriever=oracle needs; add gold passages to the questions or choose another "
                "retriever"
            )
        return [
            [ScoredPassage(passage, 1.0) for passage in self._gold(question)[:top_k]]
            for question in questions
        ]

    def _gold(self, question: Question) -> list[Passage]:
        """The passages of the question's gold documents, those with a gold answer first."""
        passages: list[Passage] = []
        for document_id in question.gold_documents:
            if document_id not in self._by_document:
                raise RetrievalError(
                    f"question '{question.id}' names gold document '{document_id}', which the "
                    "corpus does not have; correct the id or add the document"
                )
            passages += self._by_document[document_id]
        return sorted(passages, key=lambda passage: not holds_answer(passage, question.answers))

    def save(self, folder: Path) -> None:
        """Write a sidecar only: there is nothing to index."""
        save_index(folder, "oracle", self.passages, {}, lambda into: None)


def holds_answer(passage: Passage, answers: Sequence[str]) -> bool:
    """Whether the passage's text has one of the answers as whole words, whatever the case."""
    text = " ".join(passage.text.casefold().split())
    return any(
        re.search(rf"(?<!\w){re.escape(' '.join(answer.casefold().split()))}(?!\w)", text)
        for answer in answers
        if answer.strip()
    )


def build(
    config: RetrieverConfig, passages: Sequence[Passage], device: str, vectors: Vectors | None
) -> OracleRetriever:
    """A retriever over ``passages``; it has no settings."""
    del config, device, vectors
    return OracleRetriever(passages)


def open_saved(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str
) -> OracleRetriever:
    """The retriever saved in ``folder``, provided that it was made from ``passages``."""
    del config, device
    open_sidecar(folder, "oracle", passages)
    return OracleRetriever(passages)


def settings(config: RetrieverConfig) -> dict[str, Any]:
    """What, beside the passages, decides the index: nothing."""
    del config
    return {}
