"""Reranking with a table of scores, and with a tiny random cross-encoder made here."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from harness.errors import ConfigError, RetrievalError, SourceError
from harness.retrieval import bm25
from harness.retrieval.config import RerankConfig, RetrieverConfig
from harness.retrieval.rerank import RerankedRetriever, rerank_key, reranked

from .corpus import passage, question

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "lima", "river", "mayor", "town"]
PASSAGES = [
    passage(0, "lima river"),
    passage(1, "lima mayor"),
    passage(2, "lima town"),
    passage(3, "river town"),
]


class TableModel:
    """Scores pairs from a table, as a CrossEncoder would."""

    def __init__(self, table: dict[str, float]) -> None:
        self.table = table
        self.asked: list[tuple[str, str]] = []

    def predict(self, pairs, **kwargs):
        self.asked += pairs
        return np.array([self.table[text] for _, text in pairs])


def first() -> bm25.BM25Retriever:
    return bm25.build(RetrieverConfig(kind="bm25"), PASSAGES, "cpu", None)


def with_table(candidates: int, **table: float) -> tuple[RerankedRetriever, TableModel]:
    model = TableModel({name.replace("_", " "): score for name, score in table.items()})
    config = RerankConfig(source="local", id="somewhere/small", candidates=candidates)
    return RerankedRetriever(first(), model, config), model


def found(retriever, text: str, top_k: int) -> list[str]:
    (ranking,) = retriever.retrieve([question(text)], top_k)
    return [scored.passage.id for scored in ranking]


def test_candidates_come_in_the_order_of_the_new_scores():
    retriever, model = with_table(3, lima_river=-1.0, lima_mayor=0.5, lima_town=2.0)
    assert found(retriever, "lima", 2) == ["p2", "p1"]
    assert len(model.asked) == 3
    assert retriever.name == "bm25:lucene+small"


def test_only_so_many_candidates_are_scored():
    retriever, model = with_table(2, lima_river=-1.0, lima_mayor=0.5)
    assert found(retriever, "lima", 1) == ["p1"]
    assert [text for _, text in model.asked] == ["lima river", "lima mayor"]


def test_equal_scores_keep_the_first_order():
    retriever, _ = with_table(3, lima_river=1.0, lima_mayor=1.0 + 1e-7, lima_town=1.0)
    assert found(retriever, "lima", 3) == ["p0", "p1", "p2"]


def test_each_question_gets_its_own_passages():
    retriever, _ = with_table(4, lima_river=1.0, lima_mayor=3.0, lima_town=2.0, river_town=4.0)
    lists = retriever.retrieve([question("mayor"), question("nothing"), question("town")], 2)
    assert [[s.passage.id for s in one] for one in lists] == [["p1"], [], ["p3", "p2"]]


def test_a_score_that_is_no_number_is_refused():
    retriever, _ = with_table(3, lima_river=np.nan, lima_mayor=0.5, lima_town=2.0)
    with pytest.raises(RetrievalError, match="gave a score that is not a number"):
        found(retriever, "lima", 1)


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a random BERT of width 8 that gives one score."""
    return make(tmp_path_factory.mktemp("cross") / "encoder", labels=1)


def make(folder, labels: int):
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    vocabulary = {word: i for i, word in enumerate(VOCABULARY)}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    return folder


def test_a_real_cross_encoder_gives_its_own_logits(cross_encoder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    config = RerankConfig(source="local", id=str(cross_encoder))
    retriever = reranked(first(), config, "cpu")
    (ranking,) = retriever.retrieve([question("lima town")], 4)
    model = AutoModelForSequenceClassification.from_pretrained(cross_encoder).eval()
    tokenizer = AutoTokenizer.from_pretrained(cross_encoder)
    for scored in ranking:
        with torch.no_grad():
            inputs = tokenizer("lima town", scored.passage.text, return_tensors="pt")
            assert scored.score == pytest.approx(model(**inputs).logits.item(), abs=2e-5)
    scores = [scored.score for scored in ranking]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4


def test_the_key_follows_the_files_and_what_is_scored(cross_encoder, tmp_path):
    assert rerank_key(None) == rerank_key(RerankConfig()) == {}
    same = RerankConfig(source="local", id=str(cross_encoder))
    keys = [
        rerank_key(same),
        rerank_key(RerankConfig(source="local", id=str(cross_encoder), candidates=5)),
        rerank_key(RerankConfig(source="local", id=str(cross_encoder), max_tokens=16)),
        rerank_key(RerankConfig(source="local", id=str(cross_encoder), dtype="bfloat16")),
        rerank_key(RerankConfig(source="local", id=str(make(tmp_path / "other", labels=2)))),
    ]
    assert all(one != other for i, one in enumerate(keys) for other in keys[:i])
    copy = tmp_path / "copy"
    shutil.copytree(cross_encoder, copy)
    assert rerank_key(RerankConfig(source="local", id=str(copy), batch_size=7)) == keys[0]


def test_what_does_not_load_is_one_line(cross_encoder, tmp_path):
    def load(folder):
        return reranked(first(), RerankConfig(source="local", id=str(folder)), "cpu")

    with pytest.raises(SourceError, match=r"no config\.json in .*absent"):
        load(tmp_path / "absent")
    with pytest.raises(RetrievalError, match="gives 3 scores for a pair, not one"):
        load(make(tmp_path / "three", labels=3))
    damaged = tmp_path / "damaged"
    shutil.copytree(cross_encoder, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(RetrievalError, match="reranker 'damaged' cannot be loaded: ") as caught:
        load(damaged)
    assert "\n" not in str(caught.value)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SourceError, match="a pickle, which may run code and is not read"):
        load(pickled)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "hub"}, "retriever.rerank.source=hub needs retriever.rerank.id, the hub id"),
        ({"id": "a/b"}, "retriever.rerank.id is 'a/b' but retriever.rerank.source is 'none'"),
        ({"source": "wheel"}, "retriever.rerank.source=wheel needs package, version, sha256"),
        ({"source": "hup", "id": "a"}, "it is one of none, wheel, hub, local; did you mean 'hub'"),
        ({"candidates": 0}, "retriever.rerank.candidates is 0; it is at least 1"),
    ],
)
def test_unfit_settings_are_one_line(settings, said):
    with pytest.raises(ConfigError) as caught:
        RerankConfig(**settings)
    assert said in str(caught.value)


def test_the_gold_passages_are_not_reranked():
    with pytest.raises(ConfigError, match="has nothing to order"):
        RetrieverConfig(kind="oracle", rerank=RerankConfig(source="hub", id="a/b"))
