"""The settings of the measures; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from harness.errors import ConfigError, suggestion
from harness.retrieval.config import EncoderConfig

ANSWER_PARTS = ("whole", "first_line", "final")
PROBE_NAMES = ("facts", "glosses", "text", "context")


@dataclass
class SimilarityEncoderConfig(EncoderConfig):
    """Which sentence encoder measures answers: an ``EncoderConfig`` under another name.

    Answers and gold answers are alike, so both get ``query_prefix``.
    """

    setting: ClassVar[str] = "measure.similarity_encoder"


@dataclass
class MeasureConfig:
    """What is measured of an arm's answers.

    Attributes:
        primary: the measure that validation maximises; null takes multiple_choice for questions
            with options and contains for others.
        answer_part: part of the generated text that is scored: whole, first_line, or final (what
            follows a quote, see adapter.raft.quote); the same for all arms.
        confidence: of the intervals in the record.
        latency_questions: test questions answered again one at a time, for latencies; 0 for none.
        latency_warmup: questions answered before those, not counted.
        reuse: take indexes, adapters, answers and probe scores from the store where the very same
            were made before; the row says what was reused and reports what it first cost.
        exclusive: metered phases of all cells on a device take turns, so that none is measured
            while another computes; a sweep of several workers takes longer then.
        embedding_similarity: also measure how near each answer's sentence embedding is to that of
            the nearest gold answer.
        similarity_encoder: the encoder of those embeddings, if they are measured.
    """

    primary: str | None = None
    answer_part: str = "whole"
    confidence: float = 0.95
    latency_questions: int = 20
    latency_warmup: int = 2
    reuse: bool = True
    exclusive: bool = False
    embedding_similarity: bool = False
    similarity_encoder: SimilarityEncoderConfig = field(default_factory=SimilarityEncoderConfig)

    def __post_init__(self) -> None:
        from harness.measures.definitions import ACCURACY, ON_REQUEST

        if self.answer_part not in ANSWER_PARTS:
            raise ConfigError(
                f"measure.answer_part is '{self.answer_part}'; it is one of "
                + ", ".join(ANSWER_PARTS)
                + suggestion(self.answer_part, list(ANSWER_PARTS))
            )
        if self.primary is not None and self.primary not in ACCURACY:
            raise ConfigError(
                f"measure.primary is '{self.primary}'; it is one of {', '.join(ACCURACY)}"
                + suggestion(self.primary, list(ACCURACY))
            )
        if self.primary in ON_REQUEST:
            raise ConfigError(
                f"measure.primary is '{self.primary}', which is measured once all answers are "
                "given and so can choose no top_k; name another (search.measure may be this one)"
            )
        if not 0.5 <= self.confidence < 1:
            raise ConfigError(
                f"measure.confidence is {self.confidence}: give a share such as 0.95, "
                "from 0.5 to below 1"
            )
        if self.latency_questions < 0 or self.latency_warmup < 0:
            raise ConfigError("measure.latency_questions and measure.latency_warmup are 0 or more")


@dataclass
class ForgettingConfig:
    """Which probes tell what fine-tuning cost the model, and how large they are.

    Attributes:
        probes: of "facts" (relations that are not trained, by generation and by options),
            "glosses" (WordNet gloss to word), "text" (held-out text loss) and "context" (use of a
            given passage); an empty list measures no forgetting.
        items: most items of a probe; 200 keeps the interval of an accuracy within 7 points.
        texts: most held-out texts.
        text_tokens: each text is cut at so many tokens.
    """

    probes: list[str] = field(default_factory=lambda: list(PROBE_NAMES))
    items: int = 200
    texts: int = 150
    text_tokens: int = 96

    def __post_init__(self) -> None:
        for probe in self.probes:
            if probe not in PROBE_NAMES:
                raise ConfigError(
                    f"forgetting.probes has '{probe}'; it lists some of {', '.join(PROBE_NAMES)}"
                    + suggestion(probe, list(PROBE_NAMES))
                )
        if self.items < 1 or self.texts < 1 or self.text_tokens < 2:
            raise ConfigError(
                "forgetting.items and forgetting.texts are at least 1, forgetting.text_tokens 2"
            )
