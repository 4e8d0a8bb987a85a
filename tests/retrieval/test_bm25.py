"""BM25 against scores worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from harness.errors import RetrievalError
from harness.retrieval import build_retriever, open_retriever
from harness.retrieval.config import BM25Config, RetrieverConfig
from harness.retrieval.sidecar import SIDECAR

from .corpus import passage, question

# Two passages of 2 and 5 words ("the", "of" and "is" are stop words): mean length 3.5.
PASSAGES = [passage(0, "Blue whale"), passage(1, "the song of whale is: Whale, deep SEA")]


def config(**changes) -> RetrieverConfig:
    return RetrieverConfig(kind="bm25", bm25=BM25Config(**changes))


def scores(retriever, text: str, top_k: int = 2) -> dict[str, float]:
    [ranking] = retriever.retrieve([question(text)], top_k)
    return {scored.passage.id: scored.score for scored in ranking}


def lucene(n: int, df: int, tf: int, length: float, k1: float = 1.5, b: float = 0.75) -> float:
    """Lucene (accurate) of Kamphuis et al. 2020, table 1."""
    idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
    return idf * tf / (tf + k1 * (1 - b + b * length))


def test_scores_follow_the_lucene_formula():
    # passage 1 has the words song, whale, whale, deep, sea: 5 words; mean (2 + 5) / 2 = 3.5
    found = scores(build_retriever(config(), PASSAGES), "a whale?")
    assert found == pytest.approx(
        {
            "p0": lucene(n=2, df=2, tf=1, length=2 / 3.5),
            "p1": lucene(n=2, df=2, tf=2, length=5 / 3.5),
        },
        rel=1e-6,
    )
    # the same by numbers: ln 1.2 × 1 / (1 + 1.5 × (0.25 + 0.75 × 0.5714)) = 0.0904
    assert found["p0"] == pytest.approx(0.0904, abs=1e-4)


def test_k1_b_and_method_reach_the_formula():
    # ATIRE: idf ln(2 / 1), tf (k1 + 1) / (tf + k1), as b = 0 ignores length
    found = scores(build_retriever(config(k1=1.0, b=0.0, method="atire"), PASSAGES), "blue")
    assert found == pytest.approx({"p0": math.log(2)}, rel=1e-6)


def test_a_passage_without_a_shared_word_is_not_returned():
    assert list(scores(build_retriever(config(), PASSAGES), "deep blue", top_k=2)) == ["p0", "p1"]
    assert list(scores(build_retriever(config(), PASSAGES), "deep")) == ["p1"]
    assert scores(build_retriever(config(), PASSAGES), "the of unheard") == {}
    assert scores(build_retriever(config(), PASSAGES), "") == {}


def test_ties_come_in_corpus_order():
    passages = [passage(i, "same words") for i in range(50)]
    found = scores(build_retriever(config(), passages), "words", top_k=5)
    assert list(found) == ["p0", "p1", "p2", "p3", "p4"]


def test_the_title_is_searched():
    passages = [passage(0, "text"), passage(1, "text", title="Uruguay")]
    assert list(scores(build_retriever(config(), passages), "uruguay")) == ["p1"]


def test_top_k_above_the_corpus_names_both_numbers():
    with pytest.raises(RetrievalError, match="top_k is 3 but the corpus has 2 passages"):
        scores(build_retriever(config(), PASSAGES), "whale", top_k=3)


def test_a_corpus_without_words_is_refused():
    with pytest.raises(RetrievalError, match="none of the 2 passages has a word"):
        build_retriever(config(), [passage(0, "the of"), passage(1, "?!")])


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire"])
def test_a_reopened_index_scores_as_the_saved_one(tmp_path, method):
    passages = [*PASSAGES, passage(2, "unrelated text"), passage(3, "more of it")]
    built = build_retriever(config(method=method), passages)
    built.save(tmp_path)
    again = open_retriever(config(method=method), passages, tmp_path)
    for text in ("blue whale", "deep sea song", "nothing known"):
        assert scores(again, text) == scores(built, text)
    assert again.name == f"bm25:{method}"


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        build_retriever(config(), PASSAGES).save(tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) > 3
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_other_settings_are_refused(tmp_path):
    build_retriever(config(), PASSAGES).save(tmp_path)
    with pytest.raises(RetrievalError, match=r"'k1': 1\.5.*asks for.*'k1': 0\.9"):
        open_retriever(config(k1=0.9), PASSAGES, tmp_path)


def test_another_corpus_is_refused(tmp_path):
    build_retriever(config(), PASSAGES).save(tmp_path)
    with pytest.raises(RetrievalError, match="another corpus"):
        open_retriever(config(), PASSAGES[:1], tmp_path)


def test_a_damaged_file_is_refused(tmp_path):
    build_retriever(config(), PASSAGES).save(tmp_path)
    (tmp_path / "vocab.index.json").write_text("{}")
    with pytest.raises(RetrievalError, match=r"damaged: vocab\.index\.json"):
        open_retriever(config(), PASSAGES, tmp_path)


def test_a_pickle_in_the_index_is_never_loaded(tmp_path):
    import hashlib

    build_retriever(config(), PASSAGES).save(tmp_path)
    # an object array is a pickle inside .npy; its checksum is made right, as an attacker would
    path = tmp_path / "data.csc.index.npy"
    np.save(path, np.array([{"any": "object"}], dtype=object), allow_pickle=True)
    sidecar = json.loads((tmp_path / SIDECAR).read_text())
    sidecar["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / SIDECAR).write_text(json.dumps(sidecar))
    with pytest.raises(RetrievalError, match="damaged: Object arrays cannot be loaded"):
        open_retriever(config(), PASSAGES, tmp_path)
