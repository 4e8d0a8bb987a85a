"""BM25 retrieval through bm25s: passages that share rare words with the question."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import RetrievalError
from harness.prompts import passage_text
from harness.retrieval.config import BM25Config, RetrieverConfig
from harness.retrieval.ranking import check_top_k, rank
from harness.retrieval.sidecar import damaged, library_versions, open_sidecar, save_index
from harness.retrieval.vectors import Vectors
from harness.types import Passage, Question, ScoredPassage

LIBRARIES = ("bm25s",)
STOPWORDS = "english"

# bm25s sets its logger to DEBUG when it is imported, which would print a line for every index.
logging.getLogger("bm25s").addFilter(lambda record: record.levelno >= logging.WARNING)


class BM25Retriever:
    """Passages ranked by BM25 (Kamphuis et al. 2020, "Which BM25 do you mean?").

    Words are lower-cased runs of two or more word characters, English stop words left out, not
    stemmed: text of a language without spaces needs another retriever.
    """

    def __init__(self, index: Any, config: BM25Config, passages: Sequence[Passage]) -> None:
        self.name = f"bm25:{config.method}"
        self.passages = passages
        self._index = index
        self._config = config

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """Up to ``top_k`` passages for each question, best first; ties in corpus order.

        A passage that shares no weighted word with the question is not returned, so a list may be
        shorter than ``top_k``, or empty.

        Raises:
            RetrievalError: there are fewer than ``top_k`` passages.
        """
        import numpy as np

        check_top_k(top_k, self.passages)
        found = []
        for words in _words([question.question for question in questions]):
            scores = self._index.get_scores_from_ids(self._index.get_tokens_ids(words))
            matching = np.flatnonzero(scores > 0)
            found.append(rank(scores[matching], matching, self.passages, top_k))
        return found

    def save(self, folder: Path) -> None:
        """Write the index (plain arrays and JSON) and its sidecar to ``folder``."""

        def write(into: Path) -> None:
            self._index.save(into, allow_pickle=False, show_progress=False)

        save_index(folder, "bm25", self.passages, {"bm25": _settings(self._config)}, write)


def build(
    config: RetrieverConfig, passages: Sequence[Passage], device: str, vectors: Vectors | None
) -> BM25Retriever:
    """A retriever over ``passages``; ``device`` and ``vectors`` are not used.

    Raises:
        RetrievalError: no passage has a word that can be indexed.
    """
    from bm25s import BM25

    del device, vectors
    words = _words([passage_text(passage) for passage in passages])
    # Sorted, so that the saved index is the same bytes in every process.
    vocabulary = {word: i for i, word in enumerate(sorted({w for text in words for w in text}))}
    if not vocabulary:
        raise RetrievalError(
            f"none of the {len(passages)} passages has a word of two or more letters that is no "
            "English stop word, so BM25 has nothing to search; use retriever=dense"
        )
    index = BM25(k1=config.bm25.k1, b=config.bm25.b, method=config.bm25.method)
    ids = [[vocabulary[word] for word in text] for text in words]
    index.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    return BM25Retriever(index, config.bm25, passages)


def open_saved(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str
) -> BM25Retriever:
    """The retriever saved in ``folder``, provided that it fits ``config`` and ``passages``.

    Raises:
        RetrievalError: it has other settings or another corpus, or is damaged.
    """
    from bm25s import BM25

    del device
    sidecar = open_sidecar(folder, "bm25", passages)
    if sidecar.get("bm25") != _settings(config.bm25):
        raise RetrievalError(
            f"the index in {folder} was made with {sidecar.get('bm25')}, this run asks for "
            f"{_settings(config.bm25)}; delete it and build it again"
        )
    try:
        index = BM25.load(folder, allow_pickle=False, show_progress=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder, str(error).strip().splitlines()[0]) from error
    return BM25Retriever(index, config.bm25, passages)


def settings(config: RetrieverConfig) -> dict[str, Any]:
    """What, beside the passages, decides the index."""
    return {"bm25": _settings(config.bm25)}


def _settings(config: BM25Config) -> dict[str, Any]:
    return {**asdict(config), "stopwords": STOPWORDS, "libraries": library_versions(LIBRARIES)}


def _words(texts: list[str]) -> list[list[str]]:
    """The words of each text as BM25 sees them."""
    from bm25s import tokenize

    if not texts:
        return []
    words: list[list[str]] = tokenize(
        texts, stopwords=STOPWORDS, return_ids=False, show_progress=False
    )
    return words
