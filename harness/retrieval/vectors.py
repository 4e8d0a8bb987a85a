"""The passages' vectors, an artifact of their own: indexes of several kinds are built from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RetrievalError
from harness.prompts import passage_text
from harness.retrieval.config import RetrieverConfig
from harness.retrieval.encoder import Encoder, encoder_identity, load_encoder
from harness.retrieval.faiss_kinds import resolve
from harness.retrieval.sidecar import FORMAT, corpus_sha256, library_versions
from harness.types import Passage

if TYPE_CHECKING:
    import numpy as np

FILE = "vectors.npy"

# Another version of these may give other vectors from the same weights.
LIBRARIES = ("sentence-transformers", "transformers", "torch", "faiss-cpu")


@dataclass(frozen=True)
class Vectors:
    """Passages as an encoder sees them.

    Attributes:
        rows: float32, ``(passages, dimension)``, in memory or mapped from a file.
        encoder: the encoder, where it was loaded to make them.
    """

    rows: np.ndarray
    encoder: Encoder | None = None


def vectors_key(config: RetrieverConfig, passages: Sequence[Passage]) -> dict[str, Any]:
    """All that decides the vectors, as JSON-ready values; nothing is loaded."""
    return {
        "format": FORMAT,
        "corpus_sha256": corpus_sha256(passages),
        "passages": len(passages),
        "encoder": encoder_identity(config.encoder),
        "libraries": library_versions(LIBRARIES),
    }


def embed(config: RetrieverConfig, passages: Sequence[Passage], device: str) -> Vectors:
    """The passages' vectors, as they stand in a prompt, by the encoder of ``config``.

    Raises:
        RetrievalError: there are no passages, the index that is to hold the vectors does not fit
            so many passages or this encoder, or the encoder cannot be loaded.
    """
    if not passages:
        raise RetrievalError("there are no passages to index; the corpus is empty")
    encoder = load_encoder(config.encoder, device)
    resolve(config.index, config.faiss, len(passages), encoder.dimension)  # before long work
    rows = encoder.encode_passages([passage_text(passage) for passage in passages])
    check_vectors(rows, len(passages), encoder, "passage")
    return Vectors(rows, encoder)


def save_vectors(vectors: Vectors, folder: Path) -> None:
    """Write the vectors to ``folder``."""
    import numpy as np

    np.save(folder / FILE, vectors.rows, allow_pickle=False)


def open_vectors(folder: Path) -> Vectors:
    """What ``save_vectors`` wrote to ``folder``, mapped from its file."""
    import numpy as np

    return Vectors(np.load(folder / FILE, mmap_mode="r", allow_pickle=False))


def check_vectors(vectors: np.ndarray, count: int, encoder: Encoder, what: str) -> None:
    """Raise RetrievalError unless these are ``count`` finite vectors of the encoder's dimension."""
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
