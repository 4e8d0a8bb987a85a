"""Your own documents and questions: ``task=custom task.corpus=docs/ task.questions=my.csv``.

Without a ``split`` column every question is a test question, and training uses the raw documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigError, DataError, suggestion
from harness.tasks.config import CustomConfig
from harness.tasks.custom_corpus import read_corpus
from harness.tasks.custom_questions import AskedQuestion, read_questions
from harness.tasks.draw import sample_in_order
from harness.tasks.overlap import near_notes, wording
from harness.tasks.popularity import tercile_buckets
from harness.types import Document, Question, Task, TrainingPair

RAW_TEXT = "no train questions: training uses the raw documents"
"""The note of a task without training questions."""


def load_custom(config: CustomConfig) -> Task:
    """The task of the files that ``config`` names.

    Raises:
        ConfigError: task.corpus or task.questions is not set.
        DataError: a file is missing, empty or at fault; the message names file and line.
    """
    for setting, value in (("corpus", config.corpus), ("questions", config.questions)):
        if not value:
            raise ConfigError(
                f"task=custom needs task.{setting}: "
                "task.corpus=my_docs/ (or a file) and task.questions=my.csv (or .jsonl)"
            )
    questions_path = Path(config.questions).expanduser()
    asked, has_split, notes = read_questions(questions_path)
    documents, corpus_notes = read_corpus(Path(config.corpus).expanduser(), skip=questions_path)
    notes = corpus_notes + notes
    check_gold_documents(asked, documents)
    asked = with_buckets(asked)
    test = [item.question for item in asked if item.split == "test"]
    validation = [item.question for item in asked if item.split == "validation"]
    if not test:
        raise DataError(f"{questions_path} has no row with split=test, so nothing can be measured")
    pairs = training_pairs(asked)
    if not has_split:
        notes.append("no split column: all questions are test questions")
    elif not validation:
        notes.append("no validation questions: settings chosen on them take their defaults")
    if config.training == "text" and pairs:
        notes.append(f"task.training=text: {len(pairs)} train rows left unused")
        pairs = ()
    elif config.training == "pairs" and not pairs:
        notes.append(RAW_TEXT)
    notes += near_notes([pair.question for pair in pairs], [q.question for q in test + validation])
    return Task(
        name=config.name,
        train=pairs,
        validation=tuple(
            sample_in_order(validation, config.validation_questions, config.split_seed)
        ),
        test=tuple(sample_in_order(test, config.test_questions, config.split_seed)),
        corpus=tuple(documents),
        notes=tuple(notes),
        parity="not checked: own questions and documents" if pairs else "same documents",
    )


def check_gold_documents(asked: Sequence[AskedQuestion], documents: Sequence[Document]) -> None:
    """Raise DataError for a gold_passage that is no document of the corpus."""
    ids = [document.id for document in documents]
    known = set(ids)
    for item in asked:
        for gold in item.question.gold_documents:
            if gold not in known:
                raise DataError(
                    f"{item.where}: gold_passage '{gold}' is not in the corpus"
                    f"{suggestion(gold, ids) or '; its first id is ' + repr(ids[0])}"
                )


def training_pairs(asked: Sequence[AskedQuestion]) -> tuple[TrainingPair, ...]:
    """The rows with split=train.

    Raises:
        DataError: one has no answer, or the wording of a test or validation question.
    """
    held_out = {
        wording(item.question.question): item.where for item in asked if item.split != "train"
    }
    pairs = []
    for item in asked:
        if item.split != "train":
            continue
        question = item.question
        if question.unanswerable:
            raise DataError(f"{item.where}: a train question needs an answer to train on")
        same = held_out.get(wording(question.question))
        if same:
            raise DataError(
                f"{item.where}: this train question is worded like a held-out one in {same}; "
                "ask it in other words"
            )
        document = question.gold_documents[0] if question.gold_documents else ""
        pairs.append(TrainingPair(question.question, question.answers[0], document, question.id))
    return tuple(pairs)


def with_buckets(asked: Sequence[AskedQuestion]) -> list[AskedQuestion]:
    """The questions with their popularity tercile, among all that are not for training."""
    held_out: list[Question] = [item.question for item in asked if item.split != "train"]
    buckets = iter(tercile_buckets([question.popularity for question in held_out]))
    return [
        item
        if item.split == "train"
        else replace(item, question=replace(item.question, bucket=next(buckets)))
        for item in asked
    ]
