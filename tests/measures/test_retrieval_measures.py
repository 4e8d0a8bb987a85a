import math

import pytest

from harness.errors import RetrievalError
from harness.measures.retrieval import ranked_documents, retrieval_scores
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage


def passage(document: str, chunk: int = 0, text: str = "", score: float = 1.0) -> ScoredPassage:
    return ScoredPassage(Passage(f"{document}#{chunk}", document, text or "nothing"), score)


def asked(
    retrieved: list[ScoredPassage], gold: tuple[str, ...] = (), used: tuple[str, ...] = (), **fields
) -> Prediction:
    question = Question(
        **{"id": "q", "question": "?", "answers": ("Paris",), "gold_documents": gold, **fields}
    )
    return Prediction(question, "prompt", Answer("x", 1, 1), tuple(retrieved), used)


def test_measures_by_hand():
    # Gold d1 and d9; documents in order d5, d1: recall 1/2, first gold at rank 2,
    # nDCG = (1 / log2(3)) / (1 / log2(2) + 1 / log2(3))
    result = retrieval_scores([asked([passage("d5"), passage("d1")], ("d1", "d9"))], k=2)
    discount = 1 / math.log2(3)
    assert result.questions[0]["recall_at_k"] == 0.5
    assert result.questions[0]["mrr"] == 0.5
    assert result.questions[0]["ndcg"] == pytest.approx(discount / (1 + discount))


def test_only_the_first_k_passages_count():
    retrieved = [passage("d5"), passage("d5", 1), passage("d1")]
    values = retrieval_scores([asked(retrieved, ("d1",))], k=2).questions[0]
    assert (values["recall_at_k"], values["mrr"], values["ndcg"]) == (0, 0, 0)


def test_the_first_passage_of_a_document_gives_its_rank_among_documents():
    retrieved = [passage("d5"), passage("d5", 1), passage("d1"), passage("d1", 1)]
    assert ranked_documents(retrieved, 4) == ["d5", "d1"]
    assert retrieval_scores([asked(retrieved, ("d1",))], k=4).questions[0]["mrr"] == 0.5


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a")])
def test_equal_scores_keep_the_retrievers_order(order):
    retrieved = [passage(document, score=0.0) for document in order]
    mrr = retrieval_scores([asked(retrieved, ("a",))], k=3).questions[0]["mrr"]
    assert mrr == 1 / (order.index("a") + 1)


def test_a_question_for_which_nothing_was_retrieved_counts_zero():
    result = retrieval_scores([asked([], ("d1",)), asked([passage("d1")], ("d1",))], k=1)
    assert result.means["recall_at_k"].mean == 0.5
    assert result.n == 2


def test_questions_without_gold_documents_are_left_out_of_the_mean():
    result = retrieval_scores([asked([passage("d1")], ("d1",)), asked([passage("d1")])], k=1)
    assert result.n == 1
    assert result.means["recall_at_k"].n == 1
    assert "recall_at_k" not in result.questions[1]


def test_no_gold_documents_at_all_gives_no_figure():
    result = retrieval_scores([asked([passage("d1")])], k=1)
    assert result.n == 0
    assert set(result.means) == {"answer_in_context"}


def test_answer_in_context_looks_at_used_passages_only():
    found = [passage("d1", 0, "nothing here"), passage("d1", 1, "The capital is PARIS.")]
    assert retrieval_scores([asked(found, used=("d1#0", "d1#1"))], 2).questions[0] == {
        "answer_in_context": 1.0
    }
    assert retrieval_scores([asked(found, used=("d1#0",))], 2).questions[0] == {
        "answer_in_context": 0.0
    }


def test_answer_in_context_sees_the_title_as_the_prompt_shows_it():
    titled = ScoredPassage(Passage("d1#0", "d1", "A city.", title="Paris"), 1.0)
    assert retrieval_scores([asked([titled], used=("d1#0",))], 1).questions[0] == {
        "answer_in_context": 1.0
    }


def test_an_unanswerable_question_has_no_answer_in_context():
    assert retrieval_scores([asked([], answers=(), unanswerable=True)], 1).questions == [{}]


def test_equal_question_ids_do_not_mix():
    result = retrieval_scores([asked([passage("d1")], ("d1",)), asked([passage("d2")], ("d1",))], 1)
    assert [values["mrr"] for values in result.questions] == [1, 0]


def test_k_below_one_is_refused():
    with pytest.raises(RetrievalError, match="k is 0"):
        retrieval_scores([], 0)
