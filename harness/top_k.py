"""How many passages a prompt gets: as the config says, or as validation questions decide."""

from __future__ import annotations

from collections.abc import Sequence

from harness.answering import answer
from harness.config import Config
from harness.errors import RetrievalError
from harness.ledger import Ledger
from harness.measures.accuracy import score
from harness.measures.config import MeasureConfig
from harness.models.protocol import Model
from harness.retrieval import Retriever, choose_top_k
from harness.shots import NO_SHOTS, Shots
from harness.types import Prediction, Task

PHASES = ("tune", "tune", "tune")
"""What retrieving, reading prompts and generating are metered as here."""


def decide_top_k(
    config: Config,
    task: Task,
    model: Model,
    retriever: Retriever | None,
    ledger: Ledger,
    shots: Shots = NO_SHOTS,
) -> tuple[int | None, str | None]:
    """top_k and how it was chosen: by the config, or by the primary measure on validation.

    An adapter trains without few-shot examples, and so does what it chooses for its prompts.

    Raises:
        RetrievalError: every candidate exceeds the corpus.
    """
    settings = config.retriever
    if settings is None or retriever is None:
        return None, None
    count = len(retriever.passages)
    if settings.gives_all:
        return count, "config"
    if settings.top_k is not None:
        return settings.top_k, "config"
    candidates = [k for k in settings.top_k_candidates if k <= count]
    if task.validation and not candidates:
        raise RetrievalError(
            f"every one of retriever.top_k_candidates exceeds the corpus of {count} passages; "
            "set retriever.top_k"
        )
    scores = {}
    for k in candidates if task.validation else []:
        predictions = answer(
            model, config.prompt, task.validation, retriever, k, ledger, PHASES, shots
        )
        scores[k] = _primary(config.measure, predictions)
    return choose_top_k(scores, min(settings.top_k_default, count))


def _primary(measure: MeasureConfig, predictions: Sequence[Prediction]) -> float:
    """Mean of the primary measure, over the questions that it applies to."""
    values = []
    for prediction in predictions:
        scores = score(prediction, measure.answer_part)
        name = measure.primary or ("multiple_choice" if prediction.question.choices else "contains")
        if name in scores:
            values.append(scores[name])
    return sum(values) / len(values) if values else 0.0
