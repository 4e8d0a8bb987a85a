"""Reranking: a cross-encoder reads question and passage together and orders what was found anew."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.errors import RetrievalError, SourceError
from harness.prompts import passage_text
from harness.retrieval.config import RerankConfig
from harness.retrieval.model_files import files_sha256, model_folder
from harness.retrieval.ranking import check_top_k, rank
from harness.retrieval.sidecar import library_versions
from harness.types import Passage, Question, ScoredPassage

logger = logging.getLogger(__name__)

LIBRARIES = ("sentence-transformers", "transformers", "torch")

# As of vectors: what a batch moves in the last digits must not order equal passages.
SCORE_DECIMALS = 5


class Ranking(Protocol):
    """What is reranked: any retriever."""

    name: str
    passages: Sequence[Passage]

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]: ...

    def save(self, folder: Path) -> None: ...


class RerankedRetriever:
    """Another retriever's candidates in the order of a cross-encoder's scores (its raw logits)."""

    def __init__(self, first: Ranking, model: Any, config: RerankConfig) -> None:
        self.name = f"{first.name}+{config.label}"
        self.passages = first.passages
        self._first = first
        self._model = model
        self._config = config

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """Up to ``top_k`` passages for each question, best first; ties in the first order.

        Raises:
            RetrievalError: there are fewer than ``top_k`` passages, or a score is not a number.
        """
        check_top_k(top_k, self.passages)
        candidates = min(max(top_k, self._config.candidates), len(self.passages))
        found = self._first.retrieve(questions, candidates)
        pairs = [
            (question.question, passage_text(scored.passage))
            for question, ranking in zip(questions, found, strict=True)
            for scored in ranking
        ]
        scores = self._scores(pairs)
        reranked, start = [], 0
        for ranking in found:
            own = scores[start : start + len(ranking)]
            start += len(ranking)
            reranked.append(_ordered(own, [scored.passage for scored in ranking], top_k))
        return reranked

    def _scores(self, pairs: list[tuple[str, str]]) -> Any:
        import numpy as np
        import torch

        if not pairs:
            return np.empty(0, dtype=np.float32)
        scores = self._model.predict(
            pairs,
            batch_size=self._config.batch_size,
            # The logit itself: a sigmoid would make one of all the best.
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        scores = np.asarray(scores, dtype=np.float32)
        if not np.isfinite(scores).all():
            raise RetrievalError(
                f"reranker '{self._config.label}' gave a score that is not a number; use "
                "retriever.rerank.dtype=float32"
            )
        return scores.round(SCORE_DECIMALS)

    def save(self, folder: Path) -> None:
        """Write the index of what is reranked: the cross-encoder has none."""
        self._first.save(folder)


def _ordered(scores: Any, passages: Sequence[Passage], top_k: int) -> list[ScoredPassage]:
    import numpy as np

    return rank(scores, np.arange(len(passages)), passages, top_k)


def reranked(first: Ranking, config: RerankConfig, device: str) -> RerankedRetriever:
    """``first`` with the cross-encoder of ``config`` behind it, on ``device``.

    Raises:
        SourceError: its files cannot be had, or are no cross-encoder.
        RetrievalError: they cannot be loaded, or give more than one score.
    """
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import CrossEncoder

    folder = reranker_folder(config)
    try:
        model: Any = CrossEncoder(
            str(folder),
            device=str(device),
            max_length=config.max_tokens,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": getattr(torch, config.dtype)},
        )
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RetrievalError(f"reranker '{config.label}' cannot be loaded: {reason}") from error
    labels = model.config.num_labels
    if labels != 1:
        raise RetrievalError(
            f"reranker '{config.label}' gives {labels} scores for a pair, not one: it is no "
            "cross-encoder for ranking; choose another retriever.rerank.id"
        )
    return RerankedRetriever(first, model.eval(), config)


def reranker_folder(config: RerankConfig) -> Path:
    """The folder of the cross-encoder's files, fetched if they are not cached.

    Raises:
        SourceError: they cannot be had, or are no transformers model in safetensors.
    """
    folder = model_folder(config, "reranker", "retriever.rerank")
    if not (folder / "config.json").is_file():
        raise SourceError(
            f"reranker '{config.label}': no config.json in {folder}, so it is no cross-encoder; "
            "check retriever.rerank.id (or member)"
        )
    return folder


def rerank_key(config: RerankConfig | None) -> dict[str, Any]:
    """What decides the order that a cross-encoder gives; empty without one. Loads nothing."""
    if config is None or not config.on:
        return {}
    return {
        "rerank": {
            "files": files_sha256(reranker_folder(config)),
            "candidates": config.candidates,
            "max_tokens": config.max_tokens,
            "dtype": config.dtype,
            "libraries": library_versions(LIBRARIES),
        }
    }
