"""Retrieval: cut the corpus into passages, index them, find those that answer a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from harness.errors import RetrievalError
from harness.retrieval import bm25, dense, hybrid, oracle, whole_corpus
from harness.retrieval.chunk import chunk
from harness.retrieval.config import BM25Config, EncoderConfig, RetrieverConfig
from harness.retrieval.context import choose_top_k, fit_context
from harness.retrieval.sidecar import FORMAT, corpus_sha256
from harness.retrieval.vectors import Vectors
from harness.types import Passage, Question, ScoredPassage

__all__ = [
    "RETRIEVERS",
    "BM25Config",
    "EncoderConfig",
    "Retriever",
    "RetrieverConfig",
    "build_retriever",
    "choose_top_k",
    "chunk",
    "fit_context",
    "index_key",
    "open_retriever",
]


class Retriever(Protocol):
    """Finds passages for questions. ``name`` goes into the record."""

    name: str
    passages: Sequence[Passage]

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """Up to ``top_k`` passages for each question, best first; ties in corpus order."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that ``open_retriever`` needs to ``folder``."""
        ...


class Kind(NamedTuple):
    """How one kind of retriever is built, opened again, and told apart from others of its kind."""

    build: Callable[[RetrieverConfig, Sequence[Passage], str, Vectors | None], Retriever]
    open_saved: Callable[[RetrieverConfig, Sequence[Passage], Path, str], Retriever]
    settings: Callable[[RetrieverConfig], dict[str, Any]]


RETRIEVERS: dict[str, Kind] = {
    "dense": Kind(dense.build, dense.open_saved, dense.settings),
    "bm25": Kind(bm25.build, bm25.open_saved, bm25.settings),
    "hybrid": Kind(hybrid.build, hybrid.open_saved, hybrid.settings),
    "oracle": Kind(oracle.build, oracle.open_saved, oracle.settings),
    "whole_corpus": Kind(whole_corpus.build, whole_corpus.open_saved, whole_corpus.settings),
}


def build_retriever(
    config: RetrieverConfig,
    passages: Sequence[Passage],
    device: str = "cpu",
    vectors: Vectors | None = None,
) -> Retriever:
    """A retriever of ``config.kind`` over ``passages``.

    Args:
        vectors: the passages' vectors, where they are known; else an encoder is loaded for them.

    Raises:
        RetrievalError: there are no passages, or they cannot be indexed.
    """
    if not passages:
        raise RetrievalError("there are no passages to index; the corpus is empty")
    return RETRIEVERS[config.kind].build(config, passages, device, vectors)


def open_retriever(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str = "cpu"
) -> Retriever:
    """The retriever that ``save`` wrote to ``folder``, provided that it fits config and passages.

    Raises:
        RetrievalError: it is of another kind, encoder, setting or corpus, or is damaged.
    """
    return RETRIEVERS[config.kind].open_saved(config, passages, folder, device)


def index_key(config: RetrieverConfig, passages: Sequence[Passage]) -> dict[str, Any]:
    """All that decides the index, as JSON-ready values: two different indexes never share a key.

    The dense retriever's encoder is fetched if it is not cached; nothing is loaded.
    """
    return {
        "format": FORMAT,
        "retriever": config.kind,
        "corpus_sha256": corpus_sha256(passages),
        "passages": len(passages),
        **RETRIEVERS[config.kind].settings(config),
    }
