"""The settings of training pairs made from a corpus; imports nothing heavy."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import asdict, dataclass, field

from harness.errors import ConfigError, suggestion
from harness.models.endpoint_config import EndpointConfig

NONE = "none"
KINDS = (NONE, "templates", "model", "endpoint")
HERE = "adapter.pairs"


@dataclass
class PairsEndpoint:
    """An OpenAI-compatible address that writes pairs; each setting as in ``EndpointConfig``."""

    base_url: str = ""
    id: str = ""
    api_key_env: str | None = None
    limit_field: str = "max_tokens"
    concurrency: int = 4
    timeout_seconds: float = 60.0
    retries: int = 4
    requests_per_minute: float | None = None
    price_per_million_in: float | None = None
    price_per_million_cached_in: float | None = None
    price_per_million_out: float | None = None

    def as_model(self, seed: int) -> EndpointConfig:
        """The settings as those of a model.

        Raises:
            ConfigError: one of them cannot be.
        """
        try:
            return EndpointConfig(**asdict(self), seed=seed)
        except ConfigError as error:
            raise ConfigError(called_as_here(str(error))) from error


@dataclass
class PairsConfig:
    """Training pairs written by a generator from the documents that are not distractors.

    They take the place of the task's own training pairs, for whatever arm sets them alike; what is
    retrieved stays as it is.

    Attributes:
        generator: "none" trains on what the task gives; "templates" are rules on sentences, without
            a model; "model" is this run's base model; "endpoint" a remote one.
        pairs_per_document: pairs asked for. A document of more than ``part_tokens`` is given in
            parts, among which they are shared out, one for each at least.
        paraphrases: other wordings asked for of each question.
        seed: of the pairs that the report shows; sent along to an endpoint. Decoding is greedy.
        max_new_tokens: longest text that a model writes for one part or one question.
        part_tokens: longest part, in tokens of this run's model; parts end where sentences do.
        instruction, request: the system and user message that ask for pairs; ``{text}`` and
            ``{pairs}`` stand for the part and how many. Null takes those of ``pairs/wording.py``.
        paraphrase_request: the user message that asks for other wordings, with ``{question}``,
            ``{answer}`` and ``{paraphrases}``.
        grounded: drop pairs whose answer does not stand in the document, word for word, or whose
            question has a name or number that does not.
        max_answer_words: longer answers are dropped.
        overlap_threshold: pairs whose question is so like a test or validation question (Jaccard
            index of their words) are removed.
        endpoint: of ``generator=endpoint``.
    """

    generator: str = NONE
    pairs_per_document: int = 4
    paraphrases: int = 2
    seed: int = 0
    max_new_tokens: int = 192
    part_tokens: int = 256
    instruction: str | None = None
    request: str | None = None
    paraphrase_request: str | None = None
    grounded: bool = True
    max_answer_words: int = 12
    overlap_threshold: float = 0.8
    endpoint: PairsEndpoint = field(default_factory=PairsEndpoint)

    def __post_init__(self) -> None:
        if self.generator not in KINDS:
            raise ConfigError(
                f"{HERE}.generator is '{self.generator}'; it is one of {', '.join(KINDS)}"
                + suggestion(self.generator, list(KINDS))
            )
        for name, number, least in (
            ("pairs_per_document", self.pairs_per_document, 1),
            ("paraphrases", self.paraphrases, 0),
            ("seed", self.seed, 0),
            ("max_new_tokens", self.max_new_tokens, 1),
            ("part_tokens", self.part_tokens, 16),
            ("max_answer_words", self.max_answer_words, 1),
        ):
            if number < least:
                raise ConfigError(f"{HERE}.{name} is {number}; it is at least {least}")
        if not 0 < self.overlap_threshold <= 1:
            raise ConfigError(
                f"{HERE}.overlap_threshold is {self.overlap_threshold}; it is above 0, at most 1"
            )
        for name, text, places in (
            ("request", self.request, ("{text}",)),
            ("paraphrase_request", self.paraphrase_request, ("{question}",)),
        ):
            missing = [place for place in places if text is not None and place not in text]
            if missing:
                raise ConfigError(f"{HERE}.{name} holds no {missing[0]}: nothing would be asked of")
        if self.generator == "endpoint":
            self.endpoint.as_model(self.seed)
        elif self.endpoint != PairsEndpoint():
            raise ConfigError(
                f"{HERE}.endpoint does nothing with {HERE}.generator={self.generator}; set "
                f"{HERE}.generator=endpoint, or leave it out"
            )

    @property
    def on(self) -> bool:
        """Whether pairs are made."""
        return self.generator != NONE


def called_as_here(told: str) -> str:
    """What an endpoint's message says, its settings called by where they stand here."""
    names = "|".join(field.name for field in dataclasses.fields(PairsEndpoint))
    told = re.sub(rf"\bmodel\.(?=(?:{names})\b)", f"{HERE}.endpoint.", told)
    return told.replace("model=endpoint", f"{HERE}.generator=endpoint")
