"""What retrieval adds: an encoder, an index in memory, and the search of each query."""

from __future__ import annotations

from dataclasses import dataclass

from harness.economics.plan.training import BYTES
from harness.errors import ConfigError, suggestion
from harness.retrieval.config import FaissConfig
from harness.retrieval.faiss_kinds import FACTORY, resolve

ID_BYTES = 8
"""Of a passage's number in an inverted list of FAISS."""
LINK_BYTES = 4
"""Of a neighbour's number in FAISS's HNSW; the lowest level has 2m of them, each higher one m, and
a passage is on 1/(m - 1) higher levels on average (Malkov & Yashunin, arXiv:1603.09320)."""


@dataclass(frozen=True)
class Encoder:
    """A sentence encoder: a BERT of ``parameters``, of which embeddings count no FLOP."""

    name: str
    parameters: int
    linear: int
    layers: int
    hidden: int
    dimensions: int
    source: str


ENCODERS = {
    "minilm": Encoder(
        "all-MiniLM-L6-v2", 22_713_216, 6 * (4 * 384 * 384 + 2 * 384 * 1536), 6, 384, 384,
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    ),
    "bge_base": Encoder(
        "bge-base-en-v1.5", 109_482_240, 12 * (4 * 768 * 768 + 2 * 768 * 3072), 12, 768, 768,
        "https://huggingface.co/BAAI/bge-base-en-v1.5",
    ),
    "bge_large": Encoder(
        "bge-large-en-v1.5", 335_141_888, 24 * (4 * 1024 * 1024 + 2 * 1024 * 4096), 24, 1024, 1024,
        "https://huggingface.co/BAAI/bge-large-en-v1.5",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Retrieval:
    """A corpus, its index, and what is put into prompts.

    Attributes:
        passages: in the corpus.
        passage_tokens: of one of them, for the encoder.
        query_tokens: of a question, for the encoder.
        index: kind of FAISS index, as ``retriever.index``.
    """

    passages: int
    passage_tokens: int = 128
    query_tokens: int = 24
    encoder: str = "minilm"
    encoder_dtype: str = "float32"
    index: str = "flat"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("--encoder", self.encoder, list(ENCODERS)),
            ("--index", self.index, list(FACTORY)),
            ("--encoder-dtype", self.encoder_dtype, list(BYTES)),
        ):
            if value not in choices:
                near = suggestion(value, choices)
                raise ConfigError(f"{name} is '{value}'; it is one of {', '.join(choices)}{near}")
        for name, number in (
            ("--passages", self.passages),
            ("--passage-tokens", self.passage_tokens),
            ("--query-tokens", self.query_tokens),
        ):
            if number < 1:
                raise ConfigError(f"{name} is {number}; it is at least 1")


def retrieval_bytes(retrieval: Retrieval) -> dict[str, float]:
    """Part -> bytes while queries are answered; the passages' text is not counted."""
    encoder = ENCODERS[retrieval.encoder]
    return {
        "encoder": encoder.parameters * BYTES[retrieval.encoder_dtype],
        "index": index_bytes(retrieval.index, retrieval.passages, encoder.dimensions),
    }


def index_bytes(kind: str, passages: int, dimensions: int) -> float:
    """Bytes of a FAISS index that has the settings which this project would choose.

    Raises:
        RetrievalError: there are too few passages for the kind.
    """
    settings = resolve(kind, FaissConfig(), passages, dimensions)
    whole = 4.0 * dimensions
    if kind == "flat":
        return passages * whole
    if kind == "hnsw":
        m = settings["m"]
        return passages * (whole + LINK_BYTES * (2 * m + m / (m - 1)))
    centroids = settings["nlist"] * whole
    code = {"ivf": whole, "ivf_sq": dimensions}.get(kind) or settings["pq_bytes"]
    codebook = 256 * whole if kind == "ivf_pq" else 0
    return passages * (code + ID_BYTES) + centroids + codebook


def encoding_flop(retrieval: Retrieval, tokens: int) -> float:
    """FLOP of encoding one text of ``tokens``: 2 a weight and token, and attention."""
    encoder = ENCODERS[retrieval.encoder]
    return 2.0 * encoder.linear * tokens + 4 * encoder.layers * encoder.hidden * tokens**2


def search_flop(kind: str, passages: int, dimensions: int) -> float:
    """FLOP of one search: 2 a dimension and vector that is compared with.

    flat: every vector. IVF: every centroid, and the share of the passages in the probed cells; with
    product quantisation a passage costs one addition for each byte of its code, and a probed cell
    its table. HNSW: about ef_search vectors with 2m neighbours each, an upper bound.
    """
    settings = resolve(kind, FaissConfig(), passages, dimensions)
    if kind == "flat":
        return 2.0 * dimensions * passages
    if kind == "hnsw":
        looked_at = min(passages, settings["ef_search"] * 2 * settings["m"])
        return 2.0 * dimensions * looked_at
    scanned = passages * settings["nprobe"] / settings["nlist"]
    coarse = 2.0 * dimensions * settings["nlist"]
    if kind == "ivf_pq":
        tables = settings["nprobe"] * 256 * 2 * dimensions
        return coarse + tables + scanned * settings["pq_bytes"]
    return coarse + 2.0 * dimensions * scanned
