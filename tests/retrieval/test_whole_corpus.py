from __future__ import annotations

import pytest

from harness.errors import ConfigError, RetrievalError
from harness.retrieval import build_retriever, open_retriever
from harness.retrieval.config import RetrieverConfig

from .corpus import passage, question

WHOLE = RetrieverConfig(kind="whole_corpus", chunk_overlap=0)
PASSAGES = [passage(0, "Peru."), passage(1, "Chile."), passage(2, "Bolivia.")]


def test_every_question_gets_all_passages_in_corpus_order():
    found = build_retriever(WHOLE, PASSAGES).retrieve([question("Chile?"), question("?")], 3)
    expected = [("p0", 1.0), ("p1", 1.0), ("p2", 1.0)]
    assert [[(s.passage.id, s.score) for s in ranking] for ranking in found] == [expected, expected]


def test_a_number_of_passages_is_refused_with_what_would_be_right():
    with pytest.raises(ConfigError, match=r"top_k is 2, but .*whole_corpus gives every passage"):
        RetrieverConfig(kind="whole_corpus", top_k=2)


def test_it_reopens_only_over_its_own_corpus(tmp_path):
    build_retriever(WHOLE, PASSAGES).save(tmp_path)
    assert len(open_retriever(WHOLE, PASSAGES, tmp_path).retrieve([question("?")], 3)[0]) == 3
    with pytest.raises(RetrievalError, match="another corpus"):
        open_retriever(WHOLE, PASSAGES[:2], tmp_path)
