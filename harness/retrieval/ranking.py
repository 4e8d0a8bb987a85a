"""The order in which every retriever returns passages: best score first, ties in corpus order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import RetrievalError
from harness.types import Passage, ScoredPassage

if TYPE_CHECKING:
    import numpy as np


def rank(
    scores: np.ndarray, positions: np.ndarray, passages: Sequence[Passage], top_k: int
) -> list[ScoredPassage]:
    """The ``top_k`` passages with the highest scores; equal scores in corpus order.

    Args:
        scores, positions: a score for each candidate, and its place in ``passages``.
    """
    import numpy as np

    order = np.lexsort((positions, -scores))[:top_k]
    return [ScoredPassage(passages[int(positions[i])], float(scores[i])) for i in order]


def check_top_k(top_k: int, passages: Sequence[Passage]) -> None:
    """Raise RetrievalError unless ``top_k`` lies between 1 and the number of passages."""
    if not 1 <= top_k <= len(passages):
        raise RetrievalError(
            f"top_k is {top_k} but the corpus has {len(passages)} passages; set retriever.top_k "
            f"between 1 and {len(passages)}"
        )
