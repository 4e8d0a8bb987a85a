"""Dense retrieval: a FAISS index of passage vectors, exact or not, searched by inner product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RetrievalError
from harness.prompts import passage_text
from harness.retrieval.config import FaissConfig, RetrieverConfig
from harness.retrieval.encoder import Encoder, encoder_identity, load_encoder
from harness.retrieval.faiss_kinds import (
    RULES,
    best_scores,
    build_index,
    read_index,
    resolve,
    write_index,
)
from harness.retrieval.ranking import check_top_k, rank
from harness.retrieval.sidecar import damaged, library_versions, open_sidecar, save_index
from harness.retrieval.vectors import LIBRARIES, Vectors, check_vectors
from harness.types import Passage, Question, ScoredPassage

if TYPE_CHECKING:
    import numpy as np

INDEX_FILE = "vectors.faiss"
EXACT_FILE = "vectors.npy"
"""The vectors as they were encoded, beside an approximate index: its recall is measured by them."""

# Inner products of unit vectors are right to about 1e-7 and differ in the last digit with the batch
# they were computed in. Rounded, equal passages tie, and one question alone ranks as in a batch.
SCORE_DECIMALS = 6

OPEN = FaissConfig()
"""No setting made: all follow from the number of passages."""


@dataclass(frozen=True)
class IndexKind:
    """A kind of FAISS index and all its settings."""

    name: str
    settings: dict[str, int]

    @property
    def exact(self) -> bool:
        """Whether it finds what comparing with every passage finds."""
        return self.name == "flat"

    def described(self) -> dict[str, Any]:
        """What a sidecar says of it: nothing of an exact index, as when there was no other kind."""
        return {} if self.exact else {"index": {"kind": self.name, **self.settings}}


class DenseRetriever:
    """Passages ranked by the inner product of their vectors with the question's.

    An approximate index may miss near passages, and a compressed one ranks by approximate scores.

    Args:
        exact: the passages' vectors, in memory or mapped from a file, which an approximate index's
            recall is measured by; None for an exact index.
    """

    def __init__(
        self,
        index: Any,
        kind: IndexKind,
        encoder: Encoder,
        passages: Sequence[Passage],
        exact: np.ndarray | None = None,
    ) -> None:
        self.name = f"dense:{encoder.name}"
        self.passages = passages
        self._index = index
        self._kind = kind
        self._encoder = encoder
        self._exact = exact

    def retrieve(self, questions: Sequence[Question], top_k: int) -> list[list[ScoredPassage]]:
        """The ``top_k`` nearest passages of each question, nearest first; ties in corpus order.

        An approximate index that searches few cells may find fewer.

        Raises:
            RetrievalError: there are fewer than ``top_k`` passages.
        """
        check_top_k(top_k, self.passages)
        if not questions:
            return []
        vectors = self._encoded(questions)
        scores, positions = self._search(vectors, top_k)
        found = []
        for row, (near, at) in enumerate(zip(scores, positions, strict=True)):
            candidates = near[at >= 0], at[at >= 0]  # -1: an approximate index found no more
            if self._kind.exact and len(near) > top_k and near[top_k] == near[top_k - 1]:
                # A tie across the cut: only the whole ranking tells which passage comes first.
                every = self._search(vectors[row : row + 1], len(self.passages))
                candidates = every[0][0], every[1][0]
            found.append(rank(*candidates, self.passages, top_k))
        return found

    def index_recall(
        self, questions: Sequence[Question], found: Sequence[Sequence[ScoredPassage]], top_k: int
    ) -> float | None:
        """Mean share of each question's ``top_k`` nearest passages that ``found`` holds.

        None for an exact index. A passage as near as the last of the nearest counts as one of them.
        """
        import numpy as np

        if self._exact is None or not questions:
            return None
        position = {passage.id: i for i, passage in enumerate(self.passages)}
        vectors = self._encoded(questions)
        least = best_scores(self._exact, vectors, top_k)[:, -1] - 10**-SCORE_DECIMALS
        shares = []
        for vector, ranking, bar in zip(vectors, found, least, strict=True):
            at = sorted(position[scored.passage.id] for scored in ranking[:top_k])
            shares.append(np.count_nonzero(self._exact[at] @ vector >= bar) / top_k)
        return float(np.mean(shares))

    def _encoded(self, questions: Sequence[Question]) -> np.ndarray:
        vectors = self._encoder.encode_queries([question.question for question in questions])
        check_vectors(vectors, len(questions), self._encoder, "question")
        return vectors

    def _search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rounded scores and positions, ``(questions, k + 1)`` where there are so many passages."""
        import numpy as np

        scores, positions = self._index.search(vectors, min(k + 1, len(self.passages)))
        scores[positions < 0] = -np.inf  # what was not found has a score that rounding overflows
        return scores.round(SCORE_DECIMALS), positions

    def save(self, folder: Path) -> None:
        """Write the index and its sidecar to ``folder``; an approximate one's exact vectors too."""
        import numpy as np

        settings = {
            "encoder": {"name": self._encoder.name, "identity": self._encoder.identity},
            "dimension": self._encoder.dimension,
            "libraries": library_versions(LIBRARIES),
            **self._kind.described(),
        }

        def write(into: Path) -> None:
            write_index(self._index, into / INDEX_FILE)
            if self._exact is not None:
                np.save(into / EXACT_FILE, self._exact, allow_pickle=False)

        save_index(folder, "dense", self.passages, settings, write)
        if self._exact is not None:
            # From here on they are read where they are needed, and take up no memory.
            self._exact = np.load(folder / EXACT_FILE, mmap_mode="r", allow_pickle=False)


def index_passages(
    encoder: Encoder,
    passages: Sequence[Passage],
    kind: str = "flat",
    faiss: FaissConfig = OPEN,
    vectors: np.ndarray | None = None,
) -> DenseRetriever:
    """A retriever over ``passages``, embedded with ``encoder`` as they stand in a prompt.

    Args:
        vectors: what the encoder gives for the passages, if that is known already.

    Raises:
        RetrievalError: the index's settings do not fit so many passages or this encoder.
    """
    chosen = _index_kind(kind, faiss, passages, encoder)  # refused before the long encoding
    if vectors is None:
        vectors = encoder.encode_passages([passage_text(passage) for passage in passages])
    check_vectors(vectors, len(passages), encoder, "passage")
    index = build_index(chosen.name, chosen.settings, vectors)
    return DenseRetriever(index, chosen, encoder, passages, None if chosen.exact else vectors)


def open_index(
    encoder: Encoder,
    passages: Sequence[Passage],
    folder: Path,
    kind: str = "flat",
    faiss: FaissConfig = OPEN,
) -> DenseRetriever:
    """The retriever that was saved in ``folder``, provided that it fits encoder and passages.

    Raises:
        RetrievalError: it was made by another encoder, from another corpus or with other settings
            of the index, or is damaged.
    """
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
    chosen = _index_kind(kind, faiss, passages, encoder)
    if sidecar.get("index") != chosen.described().get("index"):
        raise RetrievalError(
            f"the index in {folder} was made as {sidecar.get('index', 'flat')}, this run asks for "
            f"{chosen.described().get('index', 'flat')}; delete it and build it again"
        )
    try:
        index = read_index(folder / INDEX_FILE)
    except OSError as error:
        raise damaged(folder, f"{INDEX_FILE} cannot be read ({error})") from error
    _check_index(index, chosen, passages, dimension, folder)
    exact = None if chosen.exact else _exact_vectors(folder, len(passages), dimension)
    return DenseRetriever(index, chosen, encoder, passages, exact)


def _index_kind(
    kind: str, faiss: FaissConfig, passages: Sequence[Passage], encoder: Encoder
) -> IndexKind:
    return IndexKind(kind, resolve(kind, faiss, len(passages), encoder.dimension))


def _check_index(
    index: Any, chosen: IndexKind, passages: Sequence[Passage], dimension: int, folder: Path
) -> None:
    import faiss

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


def _exact_vectors(folder: Path, count: int, dimension: int) -> np.ndarray:
    """The passages' vectors, mapped from their file."""
    import numpy as np

    try:
        vectors: np.ndarray = np.load(folder / EXACT_FILE, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise damaged(folder, f"{EXACT_FILE} cannot be read ({error})") from error
    if vectors.shape != (count, dimension):
        raise damaged(folder, f"{EXACT_FILE} holds vectors of shape {vectors.shape}")
    return vectors


def build(
    config: RetrieverConfig, passages: Sequence[Passage], device: str, vectors: Vectors | None
) -> DenseRetriever:
    """A retriever over ``passages`` with the encoder and the index of ``config``."""
    encoder = vectors.encoder if vectors else None
    encoder = encoder or load_encoder(config.encoder, device)
    rows = vectors.rows if vectors else None
    return index_passages(encoder, passages, config.index, config.faiss, rows)


def open_saved(
    config: RetrieverConfig, passages: Sequence[Passage], folder: Path, device: str
) -> DenseRetriever:
    """The retriever saved in ``folder``, provided that it fits ``config`` and ``passages``."""
    encoder = load_encoder(config.encoder, device)
    return open_index(encoder, passages, folder, config.index, config.faiss)


def settings(config: RetrieverConfig) -> dict[str, Any]:
    """What, beside the passages, decides the index and what is found in it."""
    decided = {
        "encoder": encoder_identity(config.encoder),
        "libraries": library_versions(LIBRARIES),
    }
    if config.index == "flat":  # an exact index has the key that it had when it was the only kind
        return decided
    # Settings of searching too: answers are kept under the index's key.
    return {**decided, "index": config.index, "faiss": asdict(config.faiss), "rules": RULES}
