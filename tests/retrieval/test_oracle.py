from __future__ import annotations

import pytest

from harness.errors import RetrievalError
from harness.retrieval import build_retriever, open_retriever
from harness.retrieval.config import RetrieverConfig
from harness.retrieval.oracle import holds_answer

from .corpus import passage, question

ORACLE = RetrieverConfig(kind="oracle")
PASSAGES = [
    passage(0, "Peru lies in the Andes.", "peru"),
    passage(1, "Its highest point is Nevado\n Huascarán.", "peru"),
    passage(2, "Chile lies there too.", "chile"),
]
HIGHEST = question("Highest point of Peru?", "Nevado Huascarán", gold=("peru",))


def ids(question_, top_k: int) -> list[str]:
    [ranking] = build_retriever(ORACLE, PASSAGES).retrieve([question_], top_k)
    assert all(scored.score == 1.0 for scored in ranking)
    return [scored.passage.id for scored in ranking]


def test_the_gold_documents_passage_with_the_answer_comes_first():
    assert ids(HIGHEST, 3) == ["p1", "p0"]
    assert ids(HIGHEST, 1) == ["p1"]


def test_an_alias_counts_as_the_answer():
    assert ids(question("Highest?", "Huascaran", "huascarán", gold=("peru",)), 1) == ["p1"]


def test_without_the_answer_in_the_text_passages_keep_their_order():
    assert ids(question("Highest?", "K2", gold=("chile", "peru")), 3) == ["p2", "p0", "p1"]


@pytest.mark.parametrize(
    ("text", "answer", "holds"),
    [
        ("Romania joined.", "Oman", False),
        ("oman joined.", "Oman", True),
        ("about $1.5 (a lot)", "$1.5 (a lot)", True),
        ("anything", " ", False),
    ],
)
def test_answers_are_found_as_whole_words(text, answer, holds):
    assert holds_answer(passage(0, text), [answer]) is holds


def test_a_question_without_gold_gets_no_passage():
    retriever = build_retriever(ORACLE, PASSAGES)
    assert retriever.retrieve([question("Anything?")], 1) == [[]]
    with_gold, without = retriever.retrieve([HIGHEST, question("Anything?")], 1)
    assert len(with_gold) == 1
    assert without == []


def test_a_set_of_questions_without_any_gold_is_refused():
    with pytest.raises(RetrievalError, match="none of the 2 questions names a gold document"):
        build_retriever(ORACLE, PASSAGES).retrieve([question("a?"), question("b?")], 1)


def test_a_gold_document_that_the_corpus_lacks_is_named():
    asked = question("Anything?", gold=("bolivia",))
    with pytest.raises(RetrievalError, match="'q:Anything\\?' names gold document 'bolivia'"):
        build_retriever(ORACLE, PASSAGES).retrieve([asked], 1)


def test_top_k_above_the_corpus_names_both_numbers():
    with pytest.raises(RetrievalError, match="top_k is 4 but the corpus has 3 passages"):
        build_retriever(ORACLE, PASSAGES).retrieve([HIGHEST], 4)


def test_it_reopens_only_over_its_own_corpus(tmp_path):
    build_retriever(ORACLE, PASSAGES).save(tmp_path)
    again = open_retriever(ORACLE, PASSAGES, tmp_path)
    assert [scored.passage.id for scored in again.retrieve([HIGHEST], 1)[0]] == ["p1"]
    with pytest.raises(RetrievalError, match="another corpus"):
        open_retriever(ORACLE, PASSAGES[:2], tmp_path)
