"""Hybrid retrieval: the rankings of the sentence encoder and of BM25, fused by rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.retrieval import bm25, dense
from harness.retrieval.bm25 import BM25Retriever
from harness.retrieval.config import HybridConfig, RetrieverConfig
from harness.retrieval.dense import DenseRetriever
from harness.retrieval.ranking import check_top_k, rank
from harness.retrieval.vectors import Vectors
from harness.types import Passage, Question, ScoredPassage

PARTS = ("dense", "bm25")
"""Sub-folders of a saved index."""


class HybridRetriever:
    """Passages ranked by reciprocal rank fusion (Cormack, Clarke, Büttcher 2009).

    A passage's score is the sum over both rankings of weight / (rrf_k + rank), ranks from 1; a
    ranking that does not hold it within ``depth`` adds nothing.
    """

    def __init__(self, encoded: DenseRetriever, words: BM25Retriever, config: HybridConfig) -> None:
        self.name = f"hybrid:{encoded.name}+{words.name}"
        self.passages = encoded.passages
        self._parts: tuple[tuple[DenseRetriever | BM25Retriever, float], ...] = (
            (encoded, 1.0),
            (words, config.bm25_weight),
        )
        self._config = config

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """Up to ``top_k`` passages for each question, best first; ties in corpus order.

        Raises:
            RetrievalError: there are fewer than ``top_k`` passages.
        """
        check_top_k(top_k, self.passages)
        depth = min(max(top_k, self._config.depth), len(self.passages))
        rankings = [part.retrieve(questions, depth) for part, _ in self._parts]
        weights = [weight for _, weight in self._parts]
        position = {passage.id: i for i, passage in enumerate(self.passages)}
        return [
            self._fused([ranking[i] for ranking in rankings], weights, position, top_k)
            for i in range(len(questions))
        ]

    def _fused(
        self,
        rankings: Sequence[Sequence[ScoredPassage]],
        weights: Sequence[float],
        position: dict[str, int],
        top_k: int,
    ) -> list[ScoredPassage]:
        import numpy as np

        scores: dict[int, float] = {}
        for ranking, weight in zip(rankings, weights, strict=True):
            for place, scored in enumerate(ranking, start=1):
                at = position[scored.passage.id]
                scores[at] = scores.get(at, 0.0) + weight / (self._config.rrf_k + place)
        found, values = np.array(list(scores)), np.array(list(scores.values()))
        return rank(values, found, self.passages, top_k)

    def save(self, folder: Path) -> None:
        """Write both indexes, each with its sidecar, to folders of their own in ``folder``."""
        for name, (part, _) in zip(PARTS, self._parts, strict=True):
            part.save(folder / name)


def build(
    config: RetrieverConfig, passages: Sequence[Passage], device: str, vectors: Vectors | None
) -> HybridRetriever:
    """A retriever over ``passages`` with the encoder, the index and the BM25 of ``config``.

    Raises:
        RetrievalError: the passages cannot be indexed by one of them.
    """
    words = bm25.build(config, passages, device, None)
    return HybridRetriever(dense.build(config, passages, device, vectors), words, config.hybrid)


def open_saved(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str
) -> HybridRetriever:
    """The retriever saved in ``folder``, provided that both indexes fit config and passages.

    Raises:
        RetrievalError: one of them does not fit, or is damaged.
    """
    encoded, words = (folder / name for name in PARTS)
    return HybridRetriever(
        dense.open_saved(config, passages, encoded, device),
        bm25.open_saved(config, passages, words, device),
        config.hybrid,
    )


def settings(config: RetrieverConfig) -> dict[str, Any]:
    """What, beside the passages, decides the index and what is found in it."""
    return {
        "dense": dense.settings(config),
        "bm25": bm25.settings(config),
        "hybrid": asdict(config.hybrid),
    }
