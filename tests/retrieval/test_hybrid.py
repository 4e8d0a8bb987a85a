"""Reciprocal rank fusion over rankings that can be added up by hand."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError, RetrievalError
from harness.retrieval import bm25, hybrid
from harness.retrieval.config import HybridConfig, RetrieverConfig
from harness.retrieval.dense import index_passages
from harness.retrieval.hybrid import HybridRetriever

from .corpus import TableEncoder, passage, question

TABLE = {
    "lima river": [0.0, 1.0],
    "oslo mayor": [1.0, 0.0],
    "lima mayor": [0.6, 0.8],
    "who is lima": [1.0, 0.1],
    "nothing shared": [0.0, 1.0],
}
PASSAGES = [passage(0, "lima river"), passage(1, "oslo mayor"), passage(2, "lima mayor")]


def fused(config: HybridConfig) -> HybridRetriever:
    words = bm25.build(RetrieverConfig(kind="bm25"), PASSAGES, "cpu", None)
    return HybridRetriever(index_passages(TableEncoder(TABLE), PASSAGES), words, config)


def found(retriever: HybridRetriever, text: str, top_k: int = 3) -> list[tuple[str, float]]:
    (ranking,) = retriever.retrieve([question(text)], top_k)
    return [(scored.passage.id, scored.score) for scored in ranking]


def test_a_score_is_the_sum_of_reciprocal_ranks():
    # The encoder ranks oslo mayor (1.0), lima mayor (0.68), lima river (0.1). BM25 finds "lima" in
    # passages 0 and 2 alone, with equal scores: in corpus order.
    expected = {"p0": 1 / 63 + 1 / 61, "p1": 1 / 61, "p2": 1 / 62 + 1 / 62}
    ranking = found(fused(HybridConfig()), "who is lima")
    # 1/63 + 1/61 = 0.032266 is a little more than 2/62 = 0.032258.
    assert [name for name, _ in ranking] == ["p0", "p2", "p1"]
    assert dict(ranking) == pytest.approx(expected)


def test_the_weight_of_bm25_counts():
    ranking = found(fused(HybridConfig(bm25_weight=0.01)), "who is lima")
    assert [name for name, _ in ranking] == ["p1", "p2", "p0"]
    assert dict(ranking)["p0"] == pytest.approx(1 / 63 + 0.01 / 61)


def test_a_ranking_counts_down_to_its_depth():
    # Of each ranking the first alone: oslo mayor of the encoder, lima river of BM25, which tie.
    ranking = found(fused(HybridConfig(depth=1)), "who is lima", top_k=1)
    assert ranking == [("p0", pytest.approx(1 / 61))]


def test_words_that_no_passage_has_leave_the_encoder_alone():
    names = [name for name, _ in found(fused(HybridConfig()), "nothing shared")]
    assert names == ["p0", "p2", "p1"]


def test_more_passages_than_there_are_is_refused():
    with pytest.raises(RetrievalError, match="top_k is 4 but the corpus has 3"):
        fused(HybridConfig()).retrieve([question("who is lima")], 4)


def test_each_part_of_a_saved_index_is_checked(tmp_path, monkeypatch: pytest.MonkeyPatch):
    encoder = TableEncoder(TABLE)
    monkeypatch.setattr("harness.retrieval.dense.load_encoder", lambda config, device: encoder)
    config = RetrieverConfig(kind="hybrid")
    made = hybrid.build(config, PASSAGES, "cpu", None)
    made.save(tmp_path)
    again = hybrid.open_saved(config, PASSAGES, tmp_path, "cpu")
    assert found(again, "who is lima") == found(made, "who is lima")
    other = [*PASSAGES[:2], passage(2, "who is lima")]
    with pytest.raises(RetrievalError, match="made from another corpus"):
        hybrid.open_saved(config, other, tmp_path, "cpu")
    index = next((tmp_path / "bm25").glob("*.npy"))
    index.write_bytes(index.read_bytes()[:-1])
    with pytest.raises(RetrievalError, match="is damaged"):
        hybrid.open_saved(config, PASSAGES, tmp_path, "cpu")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rrf_k": 0}, "retriever.hybrid.rrf_k is 0; it is at least 1"),
        ({"depth": 0}, "retriever.hybrid.depth is 0; it is at least 1"),
        ({"bm25_weight": 0.0}, "retriever.hybrid.bm25_weight is 0.0; it is above 0"),
    ],
)
def test_unfit_settings_are_one_line(settings, said):
    with pytest.raises(ConfigError, match=said):
        HybridConfig(**settings)


@pytest.mark.parametrize(
    "settings", [{"rrf_k": 10}, {"depth": 5}, {"bm25_weight": 2.0}], ids=lambda s: next(iter(s))
)
def test_each_setting_changes_the_key(settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.retrieval.dense.encoder_identity", lambda config: "e")
    plain = hybrid.settings(RetrieverConfig(kind="hybrid"))
    other = RetrieverConfig(kind="hybrid", hybrid=HybridConfig(**settings))
    assert hybrid.settings(other) != plain
