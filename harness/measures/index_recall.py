"""How much of exact search an approximate index gave the run's own questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.types import sha256_of

if TYPE_CHECKING:
    from harness.method import Answers, Method

KIND, FILE = "index_recall", "index_recall.json"


def measure_index_recall(method: Method, answers: Answers) -> float | None:
    """Mean share of the ``top_k`` nearest passages among those retrieved for the test questions.

    None without a dense retriever, for an exact index and behind a reranker. Like scoring it is in
    no phase: it tells of the arm's figures and is no part of serving it. The result is kept, so
    that a run whose answers are reused needs no encoder.
    """
    config, index, top_k = method.config.retriever, method.index_artifact, answers.top_k
    if config is None or index is None or top_k is None:
        return None
    if config.kind != "dense" or config.index == "flat" or config.rerank.on:
        return None  # behind a fusion or a reranker it is not the index that decides
    questions = [prediction.question for prediction in answers.predictions]
    found = [prediction.retrieved for prediction in answers.predictions]

    def make(folder: Path) -> None:
        from harness.retrieval.dense import DenseRetriever

        retriever = method.retriever
        assert isinstance(retriever, DenseRetriever)  # as its config said
        recall = retriever.index_recall(questions, found, top_k)
        (folder / FILE).write_text(json.dumps(recall), encoding="utf-8")

    key = {
        "index": index.key,
        "top_k": top_k,
        "questions": [question.question for question in questions],
        "found": sha256_of([[scored.passage.id for scored in ranking] for ranking in found]),
    }
    kept = method.ledger.obtain(KIND, key, make).folder / FILE
    recall: float = json.loads(kept.read_text(encoding="utf-8"))
    return recall
