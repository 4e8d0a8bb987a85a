"""Every kind of FAISS index on a few hundred vectors, against comparing with all of them."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from harness.errors import RetrievalError
from harness.retrieval.config import FAISS_SETTINGS, FaissConfig
from harness.retrieval.dense import EXACT_FILE, INDEX_FILE, index_passages, open_index
from harness.retrieval.faiss_kinds import (
    best_scores,
    build_index,
    one_thread,
    read_index,
    resolve,
    write_index,
)

from .corpus import TableEncoder, passage, question

DIMENSION, PASSAGES, QUESTIONS = 16, 400, 20
APPROXIMATE = tuple(kind for kind in FAISS_SETTINGS if kind != "flat")
# Searching every cell, or keeping every candidate, leaves compression as the only loss.
EVERYTHING = {
    "ivf": FaissConfig(nlist=4, nprobe=4),
    "hnsw": FaissConfig(m=16, ef_search=PASSAGES),
    "ivf_sq": FaissConfig(nlist=4, nprobe=4),
    "ivf_pq": FaissConfig(nlist=4, nprobe=4, pq_bytes=8),
}


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Twenty clusters of twenty unit vectors."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(20, DIMENSION)), PASSAGES // 20, axis=0)
    return unit(centres + 0.5 * rng.normal(size=(PASSAGES, DIMENSION)))


@pytest.fixture(scope="module")
def encoder(vectors) -> TableEncoder:
    """Gives passage i vector i, and question i a vector beside it."""
    beside = unit(vectors + 0.1 * np.random.default_rng(1).normal(size=vectors.shape))
    table = {f"text {i}": list(vector) for i, vector in enumerate(vectors)}
    return TableEncoder(table | {f"ask {i}": list(vector) for i, vector in enumerate(beside)})


CORPUS = [passage(i, f"text {i}") for i in range(PASSAGES)]
ASKED = [question(f"ask {i}") for i in range(0, PASSAGES, PASSAGES // QUESTIONS)]


def ids(retriever, top_k: int = 5) -> list[list[str]]:
    return [[s.passage.id for s in ranking] for ranking in retriever.retrieve(ASKED, top_k)]


def brute_force(encoder, top_k: int = 5) -> list[list[str]]:
    scores = (
        encoder.encode_queries([q.question for q in ASKED])
        @ encoder.encode_passages([p.text for p in CORPUS]).T
    )
    return [[f"p{i}" for i in row] for row in np.argsort(-scores, axis=1)[:, :top_k]]


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_an_uncompressed_index_that_searches_everything_is_exact(encoder, kind):
    retriever = index_passages(encoder, CORPUS, kind, EVERYTHING.get(kind, FaissConfig()))
    assert ids(retriever) == brute_force(encoder)


@pytest.mark.parametrize(("kind", "least"), [("ivf_sq", 0.95), ("ivf_pq", 0.6)])
def test_a_compressed_index_finds_most(encoder, kind, least):
    retriever = index_passages(encoder, CORPUS, kind, EVERYTHING[kind])
    truth = brute_force(encoder)
    shares = [len({*a} & {*b}) / 5 for a, b in zip(ids(retriever), truth, strict=True)]
    assert least <= np.mean(shares)
    found = retriever.retrieve(ASKED, 5)
    assert retriever.index_recall(ASKED, found, 5) == pytest.approx(np.mean(shares))


def test_recall_is_the_share_of_the_nearest_that_was_found(encoder):
    retriever = index_passages(encoder, CORPUS, "ivf", EVERYTHING["ivf"])
    found = retriever.retrieve(ASKED, 4)
    assert retriever.index_recall(ASKED, found, 4) == 1
    # one of four replaced by what is not near, and one question that found nothing
    far = retriever.retrieve(ASKED[:1], PASSAGES)[0][-1]
    spoilt = [[*found[0][:3], far], [], *found[2:]]
    n = len(ASKED)
    assert retriever.index_recall(ASKED, spoilt, 4) == pytest.approx((n - 2 + 0.75) / n)


def test_a_passage_as_near_as_the_last_of_the_nearest_counts():
    encoder = TableEncoder({"same": [0.0, 1.0], "other": [1.0, 0.0]})
    passages = [*(passage(i, "same") for i in range(3)), passage(3, "other")]
    retriever = index_passages(encoder, passages, "hnsw")
    everything = retriever.retrieve([question("same")], 4)[0]
    last_same = [s for s in everything if s.passage.id == "p2"]
    assert retriever.index_recall([question("same")], [last_same], 1) == 1


def test_an_exact_index_has_no_recall(encoder):
    retriever = index_passages(encoder, CORPUS)
    assert retriever.index_recall(ASKED, retriever.retrieve(ASKED, 5), 5) is None


def test_less_search_finds_less(encoder):
    def recall(nprobe: int) -> float | None:
        config = FaissConfig(nlist=40, nprobe=nprobe)
        retriever = index_passages(encoder, CORPUS, "ivf", config)
        return retriever.index_recall(ASKED, retriever.retrieve(ASKED, 10), 10)

    few, all_cells = recall(1), recall(40)
    assert few is not None
    assert few < 1
    assert all_cells == 1


def test_cells_with_too_few_passages_give_a_shorter_list(encoder):
    # 100 cells of 400 passages: the one that is searched holds fewer than 50
    retriever = index_passages(encoder, CORPUS, "ivf", FaissConfig(nlist=100, nprobe=1))
    for ranking in retriever.retrieve(ASKED, 50):
        assert 0 < len(ranking) < 50
        assert len({s.passage.id for s in ranking}) == len(ranking)


@pytest.mark.parametrize("kind", FAISS_SETTINGS)
def test_the_same_vectors_give_the_same_bytes(vectors, kind, tmp_path):
    settings = resolve(kind, EVERYTHING.get(kind, FaissConfig()), PASSAGES, DIMENSION)
    for name in ("first", "second"):
        write_index(build_index(kind, settings, vectors), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_threads_do_not_change_a_graph(vectors, tmp_path):
    import faiss

    settings = resolve("hnsw", FaissConfig(), PASSAGES, DIMENSION)
    before = faiss.omp_get_max_threads()
    try:
        for threads in (1, 4):
            faiss.omp_set_num_threads(threads)
            write_index(build_index("hnsw", settings, vectors), tmp_path / str(threads))
            assert faiss.omp_get_max_threads() == threads  # given back
    finally:
        faiss.omp_set_num_threads(before)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "4").read_bytes()


def test_threads_are_given_back_when_building_fails():
    import faiss

    before = faiss.omp_get_max_threads()
    with pytest.raises(ValueError, match="stop"), one_thread():
        assert faiss.omp_get_max_threads() == 1
        raise ValueError("stop")
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_a_reopened_index_ranks_as_the_saved_one(encoder, kind, tmp_path):
    config = EVERYTHING[kind]
    built = index_passages(encoder, CORPUS, kind, config)
    first = built.retrieve(ASKED, 5)
    recall = built.index_recall(ASKED, first, 5)
    built.save(tmp_path)
    again = open_index(encoder, CORPUS, tmp_path, kind, config)
    assert again.retrieve(ASKED, 5) == first
    assert again.index_recall(ASKED, first, 5) == recall == built.index_recall(ASKED, first, 5)


def test_search_settings_are_kept_with_the_index(vectors, tmp_path):
    settings = resolve("hnsw", FaissConfig(ef_search=7), PASSAGES, DIMENSION)
    write_index(build_index("hnsw", settings, vectors), tmp_path / "graph")
    assert read_index(tmp_path / "graph").hnsw.efSearch == 7


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        (
            "flat",
            FaissConfig(),
            r"made as \{'kind': 'ivf', 'nlist': 4, 'nprobe': 4\}.*asks for flat",
        ),
        ("ivf", FaissConfig(nlist=4, nprobe=2), r"asks for .*'nprobe': 2\}"),
        ("ivf_sq", FaissConfig(nlist=4, nprobe=4), "asks for .*'ivf_sq'"),
    ],
)
def test_an_index_of_another_kind_or_setting_is_refused(encoder, tmp_path, kind, config, message):
    index_passages(encoder, CORPUS, "ivf", EVERYTHING["ivf"]).save(tmp_path)
    with pytest.raises(RetrievalError, match=message):
        open_index(encoder, CORPUS, tmp_path, kind, config)


def test_an_exact_index_is_saved_as_before_there_were_others(encoder, tmp_path):
    index_passages(encoder, CORPUS).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", INDEX_FILE]
    assert '"index"' not in (tmp_path / "index.json").read_text()


@pytest.mark.parametrize("name", [INDEX_FILE, EXACT_FILE])
def test_a_flipped_byte_is_found(encoder, tmp_path, name):
    index_passages(encoder, CORPUS, "ivf", EVERYTHING["ivf"]).save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RetrievalError, match=rf"damaged: {name} .*sha256"):
        open_index(encoder, CORPUS, tmp_path, "ivf", EVERYTHING["ivf"])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no array", id="no array"),
        # a pickle in an array file would run code if it were read
        pytest.param("pickle", id="pickle"),
        pytest.param("short", id="another shape"),
    ],
)
def test_exact_vectors_that_are_no_plain_array_are_refused(encoder, tmp_path, content):
    from .test_dense import edit_sidecar

    index_passages(encoder, CORPUS, "ivf", EVERYTHING["ivf"]).save(tmp_path)
    path = tmp_path / EXACT_FILE
    if content == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif content == "short":
        np.save(path, np.zeros((3, DIMENSION), dtype=np.float32))
    else:
        path.write_bytes(content)
    from harness.sources import sha256_of_file

    files = {name: sha256_of_file(tmp_path / name) for name in (INDEX_FILE, EXACT_FILE)}
    edit_sidecar(tmp_path, files=files)
    with pytest.raises(RetrievalError, match=f"damaged: {EXACT_FILE}"):
        open_index(encoder, CORPUS, tmp_path, "ivf", EVERYTHING["ivf"])


@pytest.mark.parametrize(
    ("kind", "config", "passages", "message"),
    [
        (
            "ivf",
            FaissConfig(nlist=64),
            10,
            r"nlist=64 needs at least 64 passages to train on and the corpus has 10; lower it or",
        ),
        (
            "ivf_pq",
            FaissConfig(),
            255,
            r"index=ivf_pq needs at least 256 passages .* has 255; use retriever.index=ivf_sq",
        ),
        ("ivf", FaissConfig(nprobe=9), 100, r"nprobe=9 exceeds the 2 cells .* between 1 and 2"),
        ("ivf_pq", FaissConfig(pq_bytes=5), 400, r"pq_bytes=5 .* 16 dimensions.*1, 2, 4, 8, 16"),
    ],
)
def test_settings_that_do_not_fit_the_corpus_are_one_clear_line(kind, config, passages, message):
    with pytest.raises(RetrievalError, match=message) as caught:
        resolve(kind, config, passages, DIMENSION)
    assert "\n" not in str(caught.value)


def test_they_are_refused_before_anything_is_encoded():
    class Unasked(TableEncoder):
        def encode_passages(self, texts):
            raise AssertionError("encoded")

    with pytest.raises(RetrievalError, match="nlist=64"):
        index_passages(Unasked({"x": [0.0]}), CORPUS[:10], "ivf", FaissConfig(nlist=64))


def test_thin_training_is_said_in_one_line(vectors, caplog, capfd):
    with caplog.at_level(logging.WARNING):
        build_index("ivf_pq", {"nlist": 4, "nprobe": 4, "pq_bytes": 4}, vectors)
    (line,) = caplog.messages
    assert "400 passages are few to train 256 centroids (retriever.faiss.pq_bytes)" in line
    assert "from 9984 on" in line
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("passages", [1, 5, 39, 1_000, 10_000, 1_000_000])
@pytest.mark.parametrize("kind", ["ivf", "hnsw", "ivf_sq"])
def test_the_rules_fit_a_corpus_of_any_size(kind, passages):
    settings = resolve(kind, FaissConfig(), passages, 384)
    assert tuple(settings) == FAISS_SETTINGS[kind]
    if "nlist" in settings:
        # FAISS asks for 39 passages a cell
        assert settings["nlist"] == 1 or passages >= 39 * settings["nlist"]
        assert 1 <= settings["nprobe"] <= settings["nlist"]


def test_best_scores_are_exact_whatever_the_block(vectors, monkeypatch):
    expected = -np.sort(-(vectors[:3] @ vectors.T), axis=1)[:, :7]
    monkeypatch.setattr("harness.retrieval.faiss_kinds.BLOCK_FLOATS", 5 * DIMENSION)
    assert best_scores(vectors, vectors[:3], 7) == pytest.approx(expected, abs=1e-6)


def test_best_scores_read_vectors_from_a_file(vectors, tmp_path):
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert best_scores(mapped, vectors[:1], 1)[0, 0] == pytest.approx(1)


def test_a_disk_that_cannot_be_written_is_one_clear_line(encoder, tmp_path):
    retriever = index_passages(encoder, CORPUS, "hnsw")
    (tmp_path / "index" / INDEX_FILE).mkdir(parents=True)
    with pytest.raises(RetrievalError, match="cannot save the dense index to"):
        retriever.save(tmp_path / "index")
