"""The nouns of the harness: documents, passages, questions, training pairs, predictions.

Everything else passes these around. This module imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Document:
    """One source text of a corpus, before chunking.

    ``distractor`` marks text that holds no fact that training uses: it is indexed, never
    trained on.
    """

    id: str
    text: str
    title: str = ""
    distractor: bool = False


@dataclass(frozen=True)
class Passage:
    """A chunk of one document: the unit that is indexed, retrieved and put into a prompt."""

    id: str
    document_id: str
    text: str
    title: str = ""


@dataclass(frozen=True)
class ScoredPassage:
    """A retrieved passage with its retriever's score (higher is nearer)."""

    passage: Passage
    score: float


@dataclass(frozen=True)
class Question:
    """A question with its gold answers.

    Attributes:
        answers: gold answer first, then its aliases; empty only if ``unanswerable``.
        choices: the options of a multiple-choice question, gold among them; else empty.
        popularity: how well known the entity is, in the task's own unit (e.g. inhabitants).
        bucket: the task's name for the popularity bin ("low", "middle", "high"), or "".
        gold_documents: ids of the documents that state the answer; may be empty.
        cluster: the entity asked about: questions that share it are resampled together.
        relation: what is asked of the entity, e.g. "highest point".
    """

    id: str
    question: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()
    popularity: float | None = None
    bucket: str = ""
    gold_documents: tuple[str, ...] = ()
    cluster: str = ""
    relation: str = ""
    unanswerable: bool = False


@dataclass(frozen=True)
class TrainingPair:
    """A question and its answer as fine-tuning sees them: never in the test's wording."""

    question: str
    answer: str
    document_id: str = ""
    question_id: str = ""


@dataclass(frozen=True)
class Task:
    """What every arm of a comparison shares.

    ``train`` may be empty: then an adapter trains on the raw text of the documents that are
    not distractors. ``notes`` are one-line caveats that end up in the record.
    """

    name: str
    train: tuple[TrainingPair, ...]
    validation: tuple[Question, ...]
    test: tuple[Question, ...]
    corpus: tuple[Document, ...]
    notes: tuple[str, ...] = ()
    parity: str = "same facts"

    def test_sha256(self) -> str:
        """Hash of the test questions."""
        return questions_sha256(self.test)

    def validation_sha256(self) -> str:
        """Hash of the validation questions."""
        return questions_sha256(self.validation)

    def corpus_sha256(self) -> str:
        """Hash of every document, in order."""
        return sha256_of([asdict(document) for document in self.corpus])


@dataclass(frozen=True)
class Answer:
    """What a model said to one prompt.

    Attributes:
        text: the generated text, stripped, special tokens removed; for a multiple-choice
            question the chosen option.
        option_scores: log-likelihood (nats) of each choice, in the order of the choices.
        tokens_in, tokens_out: prompt tokens without padding, and generated tokens; None where an
            endpoint does not count them.
    """

    text: str
    tokens_in: int | None
    tokens_out: int | None
    option_scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """One question answered by one arm: everything that a paired comparison needs."""

    question: Question
    prompt: str
    answer: Answer
    retrieved: tuple[ScoredPassage, ...] = ()
    used_passage_ids: tuple[str, ...] = ()
    latency_seconds: float | None = None

    def prompt_sha256(self) -> str:
        """Hash of the exact prompt text that the model was given."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()


def questions_sha256(questions: Sequence[Question]) -> str:
    """Hash of ids, wording, gold and the rest of the questions, in order."""
    return sha256_of([asdict(question) for question in questions])


def sha256_of(value: object) -> str:
    """Hex sha256 of a JSON-serialisable value; dictionary order does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
