"""A run with an approximate index says how much of exact search it gave its own questions."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from harness.config import Config
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.metering.config import CostConfig
from harness.models.config import ModelConfig
from harness.prompts import PromptConfig
from harness.record import read_rows
from harness.retrieval.config import FaissConfig, RetrieverConfig
from harness.run import run
from harness.tasks.config import FictionalConfig


class HashEncoder:
    """Gives every text a vector of its own."""

    name, identity, dimension = "hash", "a" * 64, 16

    def encode_passages(self, texts):
        vectors = [
            np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dimension)
            for text in texts
        ]
        return np.array(vectors, dtype=np.float32)

    encode_queries = encode_passages


@pytest.fixture(autouse=True)
def encoder(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("dense", "vectors"):
        name = f"harness.retrieval.{module}"
        monkeypatch.setattr(f"{name}.load_encoder", lambda *_: HashEncoder())
        monkeypatch.setattr(f"{name}.encoder_identity", lambda _: "a" * 64)


@pytest.fixture
def config(tiny_model_folder: Path, tmp_path: Path) -> Config:
    return Config(
        experiment="test",
        arm="rag",
        results=str(tmp_path / "results"),
        task=FictionalConfig(
            entities=6,
            distractor_entities=12,
            phrasings=1,
            test_questions=6,
            validation_questions=0,
        ),
        model=ModelConfig(
            name="tiny",
            source="local",
            id=str(tiny_model_folder),
            dtype="float32",
            attention="eager",
            train_dtype="float32",
            train_attention="eager",
        ),
        prompt=PromptConfig(max_new_tokens=2),
        measure=MeasureConfig(latency_questions=1, latency_warmup=0),
        forgetting=ForgettingConfig(probes=[]),
        cost=CostConfig(energy="none", country="FRA"),
    )


def retriever(index: str = "flat", **faiss: int) -> RetrieverConfig:
    return RetrieverConfig(index=index, faiss=FaissConfig(**faiss), top_k=3)


def test_searching_every_cell_finds_all_and_one_cell_less(config: Config):
    config.retriever = retriever("ivf", nlist=6, nprobe=6)
    everything = run(config)
    config.retriever = retriever("ivf", nlist=6, nprobe=1)
    one_cell = run(config)
    assert everything["status"] == one_cell["status"] == "ok"
    assert everything["index_kind"] == one_cell["index_kind"] == "ivf"
    assert everything["index_recall_at_k"] == 1
    assert 0 <= one_cell["index_recall_at_k"] < 1


@pytest.mark.parametrize(
    ("slot", "kind"), [(retriever(), "flat"), (RetrieverConfig(kind="bm25", top_k=3), None)]
)
def test_an_exact_index_and_other_retrievers_have_none(config: Config, slot, kind):
    config.retriever = slot
    run(config)
    (row,) = read_rows(config.folder() / "runs.csv")
    assert row["status"] == "ok"
    assert row["index_kind"] == kind
    assert row["index_recall_at_k"] is None


def test_reused_answers_need_no_encoder(config: Config, monkeypatch: pytest.MonkeyPatch):
    config.retriever = retriever("hnsw", ef_search=1)
    first = run(config)
    monkeypatch.setattr("harness.retrieval.dense.load_encoder", lambda *_: pytest.fail("loaded"))
    config.seed = 1
    second = run(config)
    assert {"index", "answers", "index_recall"} <= {*second["reused"]}
    assert second["index_recall_at_k"] == first["index_recall_at_k"]


def test_too_few_passages_are_a_failed_row_with_the_remedy(config: Config):
    config.retriever = retriever("ivf_pq")
    row = run(config)
    assert row["status"] == "failed"
    assert "needs at least 256 passages to train on" in row["error"]
    assert "retriever.index=flat" in row["error"]
