"""Dense retrieval: an exact FAISS index of passage vectors, searched by inner product."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RetrievalError
from harness.prompts import passage_text
from harness.retrieval.config import RetrieverConfig
from harness.retrieval.encoder import Encoder, encoder_identity, load_encoder
from harness.retrieval.ranking import check_top_k, rank
from harness.retrieval.sidecar import damaged, library_versions, open_sidecar, save_index
from harness.types import Passage, Question, ScoredPassage

if TYPE_CHECKING:
    import numpy as np

INDEX_FILE = "vectors.faiss"
# Another version of these may give other vectors from the same weights.
LIBRARIES = ("sentence-transformers", "transformers", "torch", "faiss-cpu")

# Inner products of unit vectors are right to about 1e-7 and differ in the last digit with the batch
# they were computed in. Rounded, equal passages tie, and one question alone ranks as in a batch.
SCORE_DECIMALS = 6


class DenseRetriever:
    """Passages ranked by the inner product of their vectors with the question's."""

    def __init__(self, index: Any, encoder: Encoder, passages: Sequence[Passage]) -> None:
        self.name = f"dense:{encoder.name}"
        self.passages = passages
        self._index = index
        self._encoder = encoder

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """The ``top_k`` nearest passages of each question, nearest first; ties in corpus order.

        Raises:
            RetrievalError: there are fewer than ``top_k`` passages.
        """
        check_top_k(top_k, self.passages)
        if not questions:
            return []
        vectors = self._encoder.encode_queries([question.question for question in questions])
        _check_vectors(vectors, len(questions), self._encoder, "question")
        scores, positions = self._search(vectors, top_k)
        found = []
        for row, near in enumerate(scores):
            candidates = near, positions[row]
            if len(near) > top_k and near[top_k] == near[top_k - 1]:
                # A tie across the cut: only the whole ranking tells which passage comes first.
                every = self._search(vectors[row : row + 1], len(self.passages))
                candidates = every[0][0], every[1][0]
            found.append(rank(*candidates, self.passages, top_k))
        return found

    def _search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rounded scores and positions, ``(questions, k + 1)`` where there are so many passages."""
        scores, positions = self._index.search(vectors, min(k + 1, len(self.passages)))
        return scores.round(SCORE_DECIMALS), positions

    def save(self, folder: Path) -> None:
        """Write the index and its sidecar to ``folder``."""
        import faiss

        settings = {
            "encoder": {"name": self._encoder.name, "identity": self._encoder.identity},
            "dimension": self._encoder.dimension,
            "libraries": library_versions(LIBRARIES),
        }
        content = faiss.serialize_index(self._index).tobytes()

        def write(into: Path) -> None:
            (into / INDEX_FILE).write_bytes(content)

        save_index(folder, "dense", self.passages, settings, write)


def index_passages(encoder: Encoder, passages: Sequence[Passage]) -> DenseRetriever:
    """A retriever over ``passages``, embedded with ``encoder`` as they stand in a prompt."""
    import faiss

    vectors = encoder.encode_passages([passage_text(passage) for passage in passages])
    _check_vectors(vectors, len(passages), encoder, "passage")
    index = faiss.IndexFlatIP(encoder.dimension)
    index.add(vectors)
    return DenseRetriever(index, encoder, passages)


def open_index(encoder: Encoder, passages: Sequence[Passage], folder: Path) -> DenseRetriever:
    """The retriever that was saved in ``folder``, provided that it fits encoder and passages.

    Raises:
        RetrievalError: it was made by another encoder or from another corpus, or is damaged.
    """
    import faiss
    import numpy as np

    sidecar = open_sidecar(folder, "dense", passages)
    try:
        maker, identity = sidecar["encoder"]["name"], sidecar["encoder"]["identity"]
        dimension = int(sidecar["dimension"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder, f"its sidecar does not describe the encoder ({error})") from error
    if dimension != encoder.dimension:
        raise RetrievalError(
            f"the index in {folder} holds vectors of {dimension} dimensions, made by '{maker}'; "
            f"encoder '{encoder.name}' gives {encoder.dimension}; delete it and build it again"
        )
    if identity != encoder.identity:
        raise RetrievalError(
            f"the index in {folder} was made by encoder '{maker}' ({str(identity)[:12]}…), this "
            f"run uses '{encoder.name}' ({encoder.identity[:12]}…): weights, prefixes, dtype or "
            "normalising differ; delete it and build it again"
        )
    try:
        content = np.frombuffer((folder / INDEX_FILE).read_bytes(), dtype=np.uint8)
        index = faiss.deserialize_index(content)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise damaged(folder, f"{INDEX_FILE} cannot be read ({reason})") from error
    if (
        index.d != dimension
        or index.ntotal != len(passages)
        or index.metric_type != faiss.METRIC_INNER_PRODUCT
    ):
        raise damaged(
            folder,
            f"{INDEX_FILE} holds {index.ntotal} vectors of {index.d} dimensions, not "
            f"{len(passages)} of {dimension} compared by inner product",
        )
    return DenseRetriever(index, encoder, passages)


def build(config: RetrieverConfig, passages: Sequence[Passage], device: str) -> DenseRetriever:
    """A retriever over ``passages`` with the encoder of ``config``."""
    return index_passages(load_encoder(config.encoder, device), passages)


def open_saved(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str
) -> DenseRetriever:
    """The retriever saved in ``folder``, provided that it fits ``config`` and ``passages``."""
    return open_index(load_encoder(config.encoder, device), passages, folder)


def settings(config: RetrieverConfig) -> dict[str, Any]:
    """What, beside the passages, decides the index."""
    return {
        "encoder": encoder_identity(config.encoder),
        "libraries": library_versions(LIBRARIES),
    }


def _check_vectors(vectors: np.ndarray, count: int, encoder: Encoder, what: str) -> None:
    import numpy as np

    if vectors.shape != (count, encoder.dimension):
        raise RetrievalError(
            f"encoder '{encoder.name}' gave vectors of shape {vectors.shape} for {count} {what}s; "
            f"expected ({count}, {encoder.dimension})"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise RetrievalError(
            f"encoder '{encoder.name}' gave a vector that is not finite for {what} number "
            f"{bad[0] + 1} of {count}; use retriever.encoder.dtype=float32"
        )
