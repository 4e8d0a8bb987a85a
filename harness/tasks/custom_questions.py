"""Your own questions: one row of a CSV or JSONL file each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, suggestion
from harness.tasks.text_files import Row, check_columns, read_rows
from harness.types import Question

COLUMNS = (
    "id",
    "question",
    "answer",
    "answers",
    "choices",
    "popularity",
    "gold_passage",
    "split",
    "unanswerable",
    "cluster",
    "relation",
)
SPLITS = ("train", "validation", "test")
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


@dataclass(frozen=True)
class AskedQuestion:
    """A question, its split ("test" if the file names none), and where it stands."""

    question: Question
    split: str
    where: str


def read_questions(path: Path) -> tuple[list[AskedQuestion], bool, list[str]]:
    """(questions, whether they name their split, notes) of a .csv or .jsonl file.

    Raises:
        DataError: no file, no answer column, or a row at fault, named by file and line.
    """
    if not path.is_file():
        raise DataError(f"task.questions={path} does not exist; give a .csv or .jsonl file")
    rows = read_rows(path)
    extra = check_columns(rows, COLUMNS, path)
    columns = {column for row in rows for column in row.values}
    if "question" not in columns:
        raise DataError(f"{path} has no 'question' column; it has: {', '.join(sorted(columns))}")
    if not columns & {"answer", "answers"}:
        raise DataError(
            f"{path} has no 'answer' or 'answers' column; it has: {', '.join(sorted(columns))}"
        )
    has_split = "split" in columns
    asked: list[AskedQuestion] = []
    seen: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        question = question_of(row, f"q{number}")
        if question.id in seen:
            raise DataError(
                f"{row.where}: id '{question.id}' was used before, in {seen[question.id]}"
            )
        seen[question.id] = row.where
        asked.append(AskedQuestion(question, _split(row) if has_split else "test", row.where))
    notes = [f"columns of {path.name} left unread: {', '.join(extra)}"] if extra else []
    return asked, has_split, notes


def question_of(row: Row, default_id: str) -> Question:
    """The question that ``row`` holds under ``COLUMNS``.

    Raises:
        DataError: a value does not fit.
    """
    text = _text(row, "question")
    if not text:
        raise DataError(f"{row.where}: 'question' is empty")
    answers = tuple(dict.fromkeys([*_listed(row, "answer", False), *_listed(row, "answers")]))
    unanswerable = _truth(row)
    if unanswerable and answers:
        raise DataError(f"{row.where}: 'unanswerable' is true, but a gold answer is given")
    if not answers and not unanswerable:
        raise DataError(
            f"{row.where}: no gold answer; fill 'answer', or set 'unanswerable' to true"
        )
    choices = tuple(_listed(row, "choices"))
    if choices:
        answers = _answers_among(choices, answers, row)
    question_id = _text(row, "id") or default_id
    return Question(
        id=question_id,
        question=text,
        answers=answers,
        choices=choices,
        popularity=_number(row, "popularity"),
        gold_documents=tuple(dict.fromkeys(_listed(row, "gold_passage"))),
        cluster=_text(row, "cluster") or question_id,
        relation=_text(row, "relation"),
        unanswerable=unanswerable,
    )


def _answers_among(choices: Sequence[str], answers: tuple[str, ...], row: Row) -> tuple[str, ...]:
    """The answers with the one that is a choice first."""
    if len(choices) < 2 or len(set(choices)) != len(choices):
        raise DataError(f"{row.where}: 'choices' needs two or more different options")
    if not answers:
        raise DataError(f"{row.where}: an unanswerable question cannot have choices")
    gold = [answer for answer in answers if answer in choices]
    if len(gold) != 1:
        many = "more than one gold answer is" if gold else "no gold answer is"
        raise DataError(
            f"{row.where}: {many} among the choices ({' | '.join(choices)})"
            + ("" if gold else suggestion(answers[0], list(choices)))
        )
    return (gold[0], *(answer for answer in answers if answer != gold[0]))


def _split(row: Row) -> str:
    split = _text(row, "split")
    if split not in SPLITS:
        raise DataError(
            f"{row.where}: split is '{split}', but must be one of {', '.join(SPLITS)}"
            + suggestion(split, list(SPLITS))
        )
    return split


def _text(row: Row, column: str) -> str:
    """The value as text; numbers become text, null and a missing column become ""."""
    return _as_text(row.values.get(column), row, column)


def _as_text(value: Any, row: Row, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{row.where}: '{column}' must be text, found {type(value).__name__}")


def _listed(row: Row, column: str, separated: bool = True) -> list[str]:
    """A list's texts, or a text cut at "|"; empty parts are left out."""
    value = row.values.get(column)
    parts = value if isinstance(value, list) else [value]
    texts = [_as_text(part, row, column) for part in parts]
    if separated and not isinstance(value, list):
        texts = [part.strip() for text in texts for part in text.split("|")]
    return [text for text in texts if text]


def _truth(row: Row) -> bool:
    value = row.values.get("unanswerable")
    if isinstance(value, bool):
        return value
    text = _as_text(value, row, "unanswerable").lower()
    if text not in TRUTH:
        raise DataError(f"{row.where}: 'unanswerable' is '{text}', but must be true or false")
    return TRUTH[text]


def _number(row: Row, column: str) -> float | None:
    text = _text(row, column)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{row.where}: '{column}' is '{text}', which is not a number")
    return number
