"""No retrieval: every question is given the whole corpus, in its own order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.retrieval.config import RetrieverConfig
from harness.retrieval.ranking import check_top_k
from harness.retrieval.sidecar import open_sidecar, save_index
from harness.retrieval.vectors import Vectors
from harness.types import Passage, Question, ScoredPassage


class WholeCorpus:
    """All passages in corpus order, each with score 1: where they fit, what does finding add?"""

    name = "whole_corpus"

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """The first ``top_k`` passages of the corpus, for each question the same.

        Raises:
            RetrievalError: there are fewer than ``top_k`` passages.
        """
        check_top_k(top_k, self.passages)
        given = [ScoredPassage(passage, 1.0) for passage in self.passages[:top_k]]
        return [list(given) for _ in questions]

    def save(self, folder: Path) -> None:
        """Write a sidecar only: there is nothing to index."""
        save_index(folder, self.name, self.passages, {}, lambda into: None)


def build(
    config: RetrieverConfig, passages: Sequence[Passage], device: str, vectors: Vectors | None
) -> WholeCorpus:
    """A retriever over ``passages``; it has no settings."""
    del config, device, vectors
    return WholeCorpus(passages)


def open_saved(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str
) -> WholeCorpus:
    """The retriever saved in ``folder``, provided that it was made from ``passages``."""
    del config, device
    open_sidecar(folder, WholeCorpus.name, passages)
    return WholeCorpus(passages)


def settings(config: RetrieverConfig) -> dict[str, Any]:
    """What, beside the passages, decides the index: nothing."""
    del config
    return {}
