"""How near an answer's sentence embedding is to that of gold: a measure by a model of its own.

It is computed once all answers are given, in no phase: what measures an arm is not its cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import RetrievalError
from harness.measures.accuracy import Scores, scored_text
from harness.measures.config import MeasureConfig, SimilarityEncoderConfig
from harness.measures.definitions import ACCURACY
from harness.types import Prediction, Question

if TYPE_CHECKING:
    import numpy as np

NAME = "embedding_similarity"


class TextEncoder(Protocol):
    """What turns texts into vectors, ``(texts, dimension)``."""

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray: ...


def fetch_encoder(config: MeasureConfig) -> None:
    """Have the encoder's files here, if answers are to be measured by them.

    Raises:
        SourceError: they cannot be had, or are no sentence-transformers model.
    """
    if config.embedding_similarity:
        from harness.retrieval.encoder import encoder_folder

        encoder_folder(config.similarity_encoder)


def measure_similarity(
    config: MeasureConfig, device: str, predictions: Sequence[Prediction], scores: Sequence[Scores]
) -> None:
    """Add each question's similarity to its ``scores``, if it is asked for and applies.

    Raises:
        RetrievalError: the encoder cannot be loaded, or gives no finite numbers.
    """
    if not config.embedding_similarity or not any(applies(one.question) for one in predictions):
        return
    from harness.retrieval.encoder import load_encoder

    encoder = load_encoder(config.similarity_encoder, device)
    found = similarities(predictions, config.answer_part, encoder)
    for own, value in zip(scores, found, strict=True):
        if value is not None:
            own[NAME] = value


def applies(question: Question) -> bool:
    """Whether an answer to the question has a similarity, whatever it says."""
    return bool(question.answers) and not question.unanswerable and not question.choices


def similarities(
    predictions: Sequence[Prediction], answer_part: str, encoder: TextEncoder
) -> list[float | None]:
    """Cosine of each answer with its nearest gold answer, −1 to 1; None where it does not apply.

    An empty answer has 0: what an encoder makes of no text is no answer's meaning.
    """
    asked = [one for one in predictions if applies(one.question)]
    golds = dict.fromkeys(gold for one in asked for gold in one.question.answers)
    texts = dict.fromkeys(scored_text(one, answer_part) for one in asked)
    # Gold apart from answers: so it has the same vectors in every arm, whatever the arm says.
    unit = _unit_vectors(encoder, golds)
    unit |= _unit_vectors(encoder, (text for text in texts if text and text not in golds))

    def value(one: Prediction) -> float | None:
        if not applies(one.question):
            return None
        text = scored_text(one, answer_part)
        if not text:
            return 0.0
        nearest = max(float(unit[text] @ unit[gold]) for gold in one.question.answers)
        return min(1.0, max(-1.0, nearest))

    return [value(one) for one in predictions]


def similarity_values(config: MeasureConfig, versions: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of how similarity was measured; nothing if it was not.

    The encoder is part of the measure's version, so figures of two encoders are never compared.

    Args:
        versions: of all measures, as the row has them without this.
    """
    if not config.embedding_similarity:
        return {}
    encoder = config.similarity_encoder
    version = f"{ACCURACY[NAME].version} by {encoder.label} {_identity(encoder)[:12]}"
    return {
        "similarity_encoder": encoder.label,
        "metric_versions": {**versions, NAME: version},
    }


def _identity(encoder: SimilarityEncoderConfig) -> str:
    from harness.retrieval.encoder import encoder_identity

    return encoder_identity(encoder)


def _unit_vectors(encoder: TextEncoder, texts: Iterable[str]) -> dict[str, np.ndarray]:
    """Text -> its vector, in float64 and of length 1, or 0 where it has none."""
    import numpy as np

    asked = list(texts)
    if not asked:
        return {}
    vectors = encoder.encode_queries(asked).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise RetrievalError(
            f"the encoder of {NAME} gives no finite numbers for {asked[int(bad[0])][:60]!r}; use "
            f"{SimilarityEncoderConfig.setting}.dtype=float32"
        )
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return dict(zip(asked, vectors, strict=True))
