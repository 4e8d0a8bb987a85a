"""Any data set that the ``datasets`` library loads: ``task=squad``, ``task=dataset task.path=…``.

Training pairs come from the data set's own train split. They are other questions than the test's,
and none is worded like a held-out one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataError, suggestion
from harness.tasks.custom import RAW_TEXT, with_buckets
from harness.tasks.custom_corpus import read_corpus
from harness.tasks.custom_questions import AskedQuestion, question_of
from harness.tasks.dataset_config import DatasetConfig
from harness.tasks.dataset_rows import FILE_RELATION, read_split
from harness.tasks.draw import sample_in_order
from harness.tasks.named_documents import with_named_documents
from harness.tasks.overlap import near_notes, wording
from harness.tasks.text_files import Row
from harness.types import Document, Question, Task, TrainingPair


@dataclass(frozen=True)
class Split:
    """The questions of a split, and the documents that their contexts make.

    ``repeated`` counts rows that were left out, since they say the same as one before.
    """

    asked: list[AskedQuestion]
    documents: dict[str, Document]
    repeated: int = 0


def load_dataset_task(config: DatasetConfig) -> Task:
    """The task of the data set that ``config`` names.

    Raises:
        ConfigError: no ``task.path``, or a file where several splits are wanted.
        DataError: a column or split that is not there, or a row that does not fit.
        SourceError: the hub cannot be reached.
    """
    if not config.path:
        raise ConfigError("task=dataset needs task.path: a hub id, or a local file or folder")
    splits = config.splits
    if Path(config.path).expanduser().is_file() and (splits.train or splits.validation):
        raise ConfigError(
            f"task.path={config.path} is one file, which holds the test questions alone: give its "
            "folder and name the files in task.splits, or set task.splits.train and "
            "task.splits.validation to ''"
        )
    test = _split(config, "test", splits.test)
    own_train = config.training == "pairs" and splits.train
    train = _split(config, "train", splits.train) if own_train else Split([], {})
    validation = Split([], {})
    if splits.validation:
        validation = _split(config, "validation", splits.validation)
    return build_task(config, train, validation, test)


def build_task(config: DatasetConfig, train: Split, validation: Split, test: Split) -> Task:
    """The task over the splits as read: drawn, and with training kept apart from what is asked."""
    notes: list[str] = []
    held_out = [item.question for item in validation.asked]
    tested = [item.question for item in test.asked]
    trainable, dropped = _unlike([item.question for item in train.asked], tested + held_out)
    if not validation.asked and trainable:
        held_out = sample_in_order(trainable, config.validation_questions, config.split_seed)
        chosen = {question.id for question in held_out}
        rest = [question for question in trainable if question.id not in chosen]
        trainable, more = _unlike(rest, held_out)
        dropped += more
        notes.append("validation questions drawn from the train split")
    elif not validation.asked:
        most = min(config.validation_questions, len(tested) // 2)
        held_out = sample_in_order(tested, most, config.split_seed)
        chosen = {question.id for question in held_out}
        tested = [question for question in tested if question.id not in chosen]
        notes.append("validation questions drawn from the test split")
    tested = sample_in_order(tested, config.test_questions, config.split_seed)
    held_out = sample_in_order(held_out, config.validation_questions, config.split_seed)
    answered = [question for question in trainable if not question.unanswerable]
    taught = sample_in_order(answered, config.train_questions, config.split_seed)
    for part, split in (("train", train), ("validation", validation), ("test", test)):
        if split.repeated:
            notes.append(f"{split.repeated} {part} rows left out: the same as one before")
    if dropped:
        notes.append(f"{dropped} train questions left out: worded like a held-out one")
    if len(answered) < len(trainable):
        notes.append(f"{len(trainable) - len(answered)} unanswerable train questions left out")
    notes += near_notes([q.question for q in taught], [q.question for q in tested + held_out])
    if config.training == "pairs" and not taught:
        notes.append(RAW_TEXT)
    if not config.revision and not Path(config.path).expanduser().exists():
        notes.append(f"{config.path}: no task.revision, so the hub's newest was taken")
    if config.corpus:
        corpus, told = read_corpus(Path(config.corpus).expanduser())
        notes += told
        if config.columns.document:
            parts = [tested, held_out, taught]
            (tested, held_out, taught), told = with_named_documents(
                parts, corpus, config.columns.document
            )
            notes += told
    else:
        documents = test.documents | validation.documents | train.documents
        corpus = _contexts(config, documents, [*tested, *held_out, *taught])
    return Task(
        name=config.name,
        train=tuple(_pair(question) for question in taught),
        validation=tuple(held_out),
        test=tuple(tested),
        corpus=tuple(corpus),
        notes=tuple(notes),
        parity="train split: other questions than the test's" if taught else "same documents",
    )


def _split(config: DatasetConfig, part: str, name: str) -> Split:
    """The questions of the split ``name``, with their popularity buckets."""
    asked: list[AskedQuestion] = []
    documents: dict[str, Document] = {}
    relations: set[str] = set()
    seen: dict[str, AskedQuestion] = {}
    repeated = 0
    for number, row in enumerate(read_split(config, name), start=1):
        values = row.values
        relation = values[FILE_RELATION] or _text(row, "relation")
        relations.add(relation)
        if config.relations and relation not in config.relations:
            continue
        document = _document(row)
        if document:
            documents.setdefault(document.id, document)
        question = _question(config, row, relation, document, f"{part}-{number}")
        item = AskedQuestion(question, part, row.where)
        before = seen.setdefault(question.id, item)
        if before is item:
            asked.append(item)
        elif before.question == question:
            repeated += 1
        else:
            raise DataError(
                f"{row.where}: id '{question.id}' was used before, in {before.where}; set "
                "task.columns.id='' to number the rows"
            )
    for relation in config.relations:
        if part == "test" and relation not in relations:
            known = sorted(relations)
            raise DataError(
                f"task.relations: the split '{name}' has no relation '{relation}'"
                f"{suggestion(relation, known)}; it has: {', '.join(known)}"
            )
    if not asked:
        raise DataError(f"task.splits.{part}={name} of {config.path} has no questions")
    return Split(with_buckets(asked), documents, repeated)


def _question(
    config: DatasetConfig, row: Row, relation: str, document: Document | None, default_id: str
) -> Question:
    """The row's question, through the columns that own questions have."""
    values = {name: _parsed(config, row, name) for name in ("answers", "aliases", "choices")}
    answers = [*_listed(values["answers"]), *_listed(values["aliases"])]
    choices = _listed(values["choices"])
    if config.columns.answer_is != "text":
        labels = _listed(row.values.get("choice_labels")) or list(range(len(choices)))
        answers = [_chosen(choices, labels, answer, row) for answer in answers]
    answers = [answer for answer in answers if answer not in (None, "")]
    if not answers and not config.unanswerable:
        raise DataError(
            f"{row.where}: '{config.columns.answers}' holds no answer; map another column, or set "
            "task.unanswerable=true if such a question has none"
        )
    known = {"question", "id", "popularity", "cluster"}
    own = {name: value for name, value in row.values.items() if name in known}
    own |= {"answers": answers, "choices": choices, "relation": relation}
    named = [str(name) for name in _listed(row.values.get("document")) if name is not None]
    own |= {"gold_passage": [document.id] if document else named}
    return question_of(replace(row, values=own | {"unanswerable": not answers}), default_id)


def _parsed(config: DatasetConfig, row: Row, name: str) -> Any:
    """The row's value, read as JSON if ``columns.json`` says that it is."""
    value = row.values.get(name)
    column = getattr(config.columns, name)
    if column not in config.columns.json or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise DataError(
            f"{row.where}: '{column}' is not JSON ({error}); take it out of task.columns.json"
        ) from error


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _chosen(choices: list[Any], labels: list[Any], answer: Any, row: Row) -> Any:
    """The choice with the label (or at the index) ``answer``."""
    named = {str(label): choice for label, choice in zip(labels, choices, strict=False)}
    if str(answer) not in named:
        raise DataError(f"{row.where}: the answer '{answer}' is none of {', '.join(named)}")
    return named[str(answer)]


def _text(row: Row, name: str) -> str:
    value = row.values.get(name)
    if isinstance(value, list | dict):
        raise DataError(f"{row.where}: '{name}' must be text, found {type(value).__name__}")
    return "" if value is None else str(value).strip()


def _document(row: Row) -> Document | None:
    """The context as a document, with an id made from its text: equal contexts are one."""
    text = _text(row, "context")
    if not text:
        return None
    title = _text(row, "title")
    digest = hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()
    return Document(f"context-{digest[:16]}", text, title)


def _unlike(
    questions: Sequence[Question], held_out: Sequence[Question]
) -> tuple[list[Question], int]:
    """(the questions that are not worded like a held-out one, how many are)."""
    taken = {wording(question.question) for question in held_out}
    kept = [question for question in questions if wording(question.question) not in taken]
    return kept, len(questions) - len(kept)


def _contexts(
    config: DatasetConfig, documents: dict[str, Document], used: Sequence[Question]
) -> list[Document]:
    """Contexts of the questions used, then those of others, which are distractors."""
    golds = {gold for question in used for gold in question.gold_documents}
    own = [document for document in documents.values() if document.id in golds]
    others = [document for document in documents.values() if document.id not in golds]
    others = sample_in_order(others, config.other_contexts, config.split_seed)
    return own + [replace(document, distractor=True) for document in others]


def _pair(question: Question) -> TrainingPair:
    document = question.gold_documents[0] if question.gold_documents else ""
    return TrainingPair(question.question, question.answers[0], document, question.id)
