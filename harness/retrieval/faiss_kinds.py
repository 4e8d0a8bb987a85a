"""The kinds of FAISS index: exact, or approximate and faster, or compressed and smaller.

Settings left open follow from the number of passages by the rules of ``resolve``; the figures that
they were chosen by are in docs/retrieval.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RetrievalError
from harness.retrieval.config import FAISS_SETTINGS, FaissConfig

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

RULES = 2
"""Part of an approximate index's key: raise it when a rule or constant below changes."""

FACTORY = {
    "flat": "Flat",
    "ivf": "IVF{nlist},Flat",
    "hnsw": "HNSW{m},Flat",
    "ivf_sq": "IVF{nlist},SQ8",
    "ivf_pq": "IVF{nlist},PQ{pq_bytes}np",
}
"""Kind -> how ``faiss.index_factory`` spells it ("np": no polysemous codes, slow to train)."""

SEED = 1234
# FAISS warns below so many training points for a centroid.
POINTS_PER_CENTROID = 39
# A quarter of FAISS's sample for the cells takes a third of the time; recall was the same.
MOST_POINTS_PER_CELL = 64
# FAISS takes 25: twice the time, and recall@5 was 0.920 instead of 0.917.
PQ_STEPS = 10
CODES_PER_BYTE = 256
# Blocks of this many floats at most are read for an exact search: 64 MiB.
BLOCK_FLOATS = 1 << 24


def resolve(kind: str, config: FaissConfig, passages: int, dimension: int) -> dict[str, int]:
    """Every setting of an index of ``kind``; what ``config`` leaves open is set by these rules.

    - nlist: 2 √passages, but no more than leaves 39 passages a cell.
    - nprobe: a sixteenth of the cells, at least 8 of them where there are so many.
    - m: 16. ef_construction: 100. ef_search: 64, and 512 from 500,000 passages on.
    - pq_bytes: a byte for two dimensions, or the next fewer that divide the dimension.

    Raises:
        RetrievalError: a setting does not fit the corpus or the encoder, or there are too few
            passages to train the index on.
    """
    nlist = config.nlist or max(
        1, min(round(2 * math.sqrt(passages)), passages // POINTS_PER_CENTROID)
    )
    everything = {
        "nlist": nlist,
        "nprobe": config.nprobe or min(nlist, max(8, nlist // 16)),
        "m": config.m or 16,
        "ef_construction": config.ef_construction or 100,
        "ef_search": config.ef_search or (64 if passages < 500_000 else 512),
        "pq_bytes": config.pq_bytes
        or max((n for n in divisors(dimension) if 2 * n <= dimension), default=1),
    }
    settings = {name: everything[name] for name in FAISS_SETTINGS[kind]}
    _check(kind, settings, passages, dimension)
    return settings


def _check(kind: str, settings: dict[str, int], passages: int, dimension: int) -> None:
    """Raise RetrievalError unless an index with these settings can be trained and searched."""
    nlist, nprobe = settings.get("nlist", 1), settings.get("nprobe", 1)
    if nlist > passages:
        raise _too_few(f"retriever.faiss.nlist={nlist}", nlist, passages, "lower it or")
    if nprobe > nlist:
        raise RetrievalError(
            f"retriever.faiss.nprobe={nprobe} exceeds the {nlist} cells (nlist) that "
            f"{passages} passages are sorted into; set it between 1 and {nlist}"
        )
    if "pq_bytes" not in settings:
        return
    pq_bytes = settings["pq_bytes"]
    if dimension % pq_bytes:
        fitting = ", ".join(map(str, divisors(dimension)))
        raise RetrievalError(
            f"retriever.faiss.pq_bytes={pq_bytes} does not divide the encoder's {dimension} "
            f"dimensions; it is one of {fitting}"
        )
    if passages < CODES_PER_BYTE:
        remedy = "use retriever.index=ivf_sq, which compresses to a quarter, or"
        raise _too_few(f"retriever.index={kind}", CODES_PER_BYTE, passages, remedy)


def _too_few(what: str, needed: int, passages: int, remedy: str) -> RetrievalError:
    return RetrievalError(
        f"{what} needs at least {needed} passages to train on and the corpus has {passages}; "
        f"{remedy} use retriever.index=flat"
    )


def divisors(number: int) -> list[int]:
    """The whole numbers that divide ``number``, smallest first."""
    return [n for n in range(1, number + 1) if number % n == 0]


def build_index(kind: str, settings: dict[str, int], vectors: np.ndarray) -> Any:
    """A trained FAISS index of the vectors, by inner product.

    The same vectors, settings and number of threads give the same index.
    """
    import faiss

    count, dimension = vectors.shape
    index: Any = faiss.index_factory(
        dimension, FACTORY[kind].format(**settings), faiss.METRIC_INNER_PRODUCT
    )
    if kind == "hnsw":
        index.hnsw.efConstruction = settings["ef_construction"]
        index.hnsw.efSearch = settings["ef_search"]
        # Threads would link passages in whatever order they come to them.
        with one_thread():
            index.add(vectors)
        return index
    if "nlist" in settings:
        index.nprobe = settings["nprobe"]
        _set_up_training(index.cp, settings["nlist"], count, "retriever.faiss.nlist")
        index.cp.max_points_per_centroid = MOST_POINTS_PER_CELL
    if "pq_bytes" in settings:
        _set_up_training(index.pq.cp, CODES_PER_BYTE, count, "retriever.faiss.pq_bytes")
        index.pq.cp.niter = PQ_STEPS
    index.train(vectors)
    index.add(vectors)
    return index


def _set_up_training(clustering: Any, centroids: int, count: int, what: str) -> None:
    """Fix the seed of a k-means, and say in our own words where its training points are few."""
    clustering.seed = SEED
    clustering.min_points_per_centroid = 1  # FAISS's own warning goes straight to the terminal
    if count < POINTS_PER_CENTROID * centroids:
        logger.warning(
            "%d passages are few to train %d centroids (%s) on; from %d on the index finds more: "
            "see index_recall_at_k",
            count,
            centroids,
            what,
            POINTS_PER_CENTROID * centroids,
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """FAISS works in one thread while the context lasts."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def write_index(index: Any, path: Path) -> None:
    """Write the index in FAISS's own format, block by block.

    Raises:
        OSError: it cannot be written.
    """
    import faiss

    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        raise OSError(one_line(error)) from error


def read_index(path: Path) -> Any:
    """The index in a file whose sha256 has been checked: FAISS trusts what it reads.

    Raises:
        OSError: it cannot be read.
    """
    import faiss

    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        raise OSError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """What FAISS says is wrong, without the place in its source."""
    return str(error).strip().splitlines()[0]


def best_scores(vectors: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` highest inner products of each query with all vectors, highest first: exact.

    ``vectors`` may be mapped from a file: a block at a time is in memory.
    """
    import numpy as np

    block = max(1, BLOCK_FLOATS // max(vectors.shape[1], len(queries)))
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for start in range(0, len(vectors), block):
        scores = queries @ np.asarray(vectors[start : start + block]).T
        joined = np.concatenate([best, scores], axis=1)
        best = -np.partition(-joined, k - 1, axis=1)[:, :k]
    return -np.sort(-best, axis=1)
