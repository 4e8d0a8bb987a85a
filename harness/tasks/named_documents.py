"""Gold documents of a data set's questions, where a column names them in a corpus of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.errors import DataError
from harness.types import Document, Question


def with_named_documents(
    parts: Sequence[Sequence[Question]], corpus: Sequence[Document], column: str
) -> tuple[list[list[Question]], list[str]]:
    """(the parts of the questions, their gold documents by id, notes).

    A question comes with what ``column`` says: ids of the corpus, or titles, each of which means
    every document that has it.

    Raises:
        DataError: no question names a document of the corpus.
    """
    meant: dict[str, list[str]] = {}
    for document in corpus:
        meant.setdefault(document.title, []).append(document.id)
    meant |= {document.id: [document.id] for document in corpus}
    linked = [[_linked(question, meant) for question in part] for part in parts]
    whole = [question for part in linked for question in part]
    without = sum(not question.gold_documents for question in whole)
    if without == len(whole):
        named = [name for part in parts for question in part for name in question.gold_documents]
        raise DataError(
            f"task.columns.document={column}: no question names a document of task.corpus by id or "
            f"title; the first names '{named[0] if named else ''}', and the corpus begins with "
            f"'{corpus[0].id}', '{corpus[0].title}'"
        )
    told = f"{without} of {len(whole)} questions name no document of the corpus in '{column}'"
    return linked, [told] if without else []


def _linked(question: Question, meant: dict[str, list[str]]) -> Question:
    found = [one for name in question.gold_documents for one in meant.get(name, [])]
    return replace(question, gold_documents=tuple(dict.fromkeys(found)))
