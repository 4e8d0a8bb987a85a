"""How good the retrieved documents are, and whether the answer reached the prompt.

Retrieval is judged on documents, since gold is known for documents: of several passages of one
document the first counts, at its rank among documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import RetrievalError
from harness.measures.accuracy import contains, mean_scores
from harness.prompts import passage_text
from harness.stats import Interval
from harness.types import Prediction, ScoredPassage

RANKED = ("recall_at_k", "mrr", "ndcg")


@dataclass(frozen=True)
class RetrievalScores:
    """Means over questions with their intervals, and each question's own values.

    Attributes:
        means: measure -> interval; no entry where no question can be judged.
        questions: for each prediction, in order, the measures that apply to it.
        n: questions with gold documents, over which recall, MRR and nDCG are taken.
    """

    means: dict[str, Interval]
    questions: list[dict[str, float]]
    n: int


def retrieval_scores(
    predictions: Sequence[Prediction], k: int, confidence: float = 0.95
) -> RetrievalScores:
    """Recall@k, MRR and nDCG@k of the first k passages, and answer_in_context.

    Call it for arms with a retriever only: a question for which nothing was retrieved counts 0.
    Recall, MRR and nDCG are over questions with gold documents; answer_in_context is over
    answerable questions and looks at the passages that were put into the prompt.

    Raises:
        RetrievalError: k is below 1.
    """
    if k < 1:
        raise RetrievalError(
            f"retrieval is judged on the first k passages: k is {k}, give 1 or more"
        )
    ranked = _ranked_scores(predictions, k)
    questions = []
    for position, prediction in enumerate(predictions):
        values = dict(ranked.get(position, {}))
        if prediction.question.answers and not prediction.question.unanswerable:
            values["answer_in_context"] = _answer_in_context(prediction)
        questions.append(values)
    means = mean_scores((*RANKED, "answer_in_context"), predictions, questions, confidence)
    return RetrievalScores(means, questions, n=len(ranked))


def ranked_documents(retrieved: Sequence[ScoredPassage], k: int) -> list[str]:
    """Ids of the documents of the first k passages, each once, at its first appearance."""
    return list(dict.fromkeys(scored.passage.document_id for scored in retrieved[:k]))


def _ranked_scores(predictions: Sequence[Prediction], k: int) -> dict[int, dict[str, float]]:
    import ir_measures

    judged = {i: p for i, p in enumerate(predictions) if p.question.gold_documents}
    if not judged:
        return {}
    # trec_eval would break ties of scores by document id: minus the rank keeps our own order.
    run = [
        ir_measures.ScoredDoc(str(i), document, -float(rank))
        for i, prediction in judged.items()
        for rank, document in enumerate(ranked_documents(prediction.retrieved, k))
    ]
    qrels = [
        ir_measures.Qrel(str(i), document, 1)
        for i, prediction in judged.items()
        for document in dict.fromkeys(prediction.question.gold_documents)
    ]
    # RR without a cut-off: the run is cut at k already, and this provider has no RR@k (asked for
    # one, it answers 0 for every question).
    names = {
        str(ir_measures.R @ k): "recall_at_k",
        str(ir_measures.RR): "mrr",
        str(ir_measures.nDCG @ k): "ndcg",
    }
    measures = [ir_measures.R @ k, ir_measures.RR, ir_measures.nDCG @ k]
    scores: dict[int, dict[str, float]] = {i: dict.fromkeys(RANKED, 0.0) for i in judged}
    for metric in ir_measures.pytrec_eval.iter_calc(measures, qrels, run):
        scores[int(metric.query_id)][names[str(metric.measure)]] = float(metric.value)
    return scores


def _answer_in_context(prediction: Prediction) -> float:
    used = set(prediction.used_passage_ids)
    return float(
        any(
            contains(passage_text(scored.passage), prediction.question.answers)
            for scored in prediction.retrieved
            if scored.passage.id in used
        )
    )
