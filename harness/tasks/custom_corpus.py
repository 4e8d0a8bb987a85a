"""Your own documents: a folder or a file of plain text, Markdown, HTML, PDF, JSONL or CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import DataError
from harness.tasks.marked_up import Read, read_html, read_pdf
from harness.tasks.text_files import Row, check_columns, read_rows, read_text
from harness.types import Document

COLUMNS = ("id", "title", "text")
MARKED_UP: dict[str, Callable[[Path], Read]] = {
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
}
SUFFIXES = (".txt", ".md", *MARKED_UP, ".jsonl", ".csv")


def read_corpus(path: Path, skip: Path | None = None) -> tuple[list[Document], list[str]]:
    """(documents, notes) of the file or folder at ``path``; ``skip`` names the question file.

    A text file, a page or a PDF is one document whose id is its path inside the folder, e.g.
    "leave/rules.md".
    A row without an id gets the file's path and the line, e.g. "docs.csv:3". Folders are read with
    their subfolders in sorted order; hidden files and files of other kinds are left out, the
    latter with a note.

    Raises:
        DataError: nothing there, an empty document, an id that is used twice, a bad row.
    """
    if not path.exists():
        raise DataError(f"task.corpus={path} does not exist; give a folder or a file of documents")
    folder = path if path.is_dir() else path.parent
    files = _files(path, skip) if path.is_dir() else [path]
    notes: list[str] = []
    documents: list[Document] = []
    other = [file for file in files if file.suffix.lower() not in SUFFIXES]
    if path.is_file() and other:
        raise DataError(f"task.corpus={path} is none of {', '.join(SUFFIXES)}")
    if other:
        names = ", ".join(file.relative_to(folder).as_posix() for file in other[:5])
        more = f" and {len(other) - 5} more" if len(other) > 5 else ""
        notes.append(f"corpus files of other kinds left out: {names}{more}")
    seen: dict[str, str] = {}
    for file in files:
        if file in other:
            continue
        for where, document in _documents(file, file.relative_to(folder).as_posix(), notes):
            if document.id in seen:
                raise DataError(
                    f"{where}: document id '{document.id}' was used before, in {seen[document.id]}"
                )
            seen[document.id] = where
            documents.append(document)
    if not documents:
        raise DataError(f"task.corpus={path} holds no {', '.join(SUFFIXES)} document")
    return documents, notes


def _files(folder: Path, skip: Path | None) -> list[Path]:
    """The visible files of ``folder`` and its subfolders, sorted; not the question file."""
    found = []
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and not (skip and file.resolve() == skip.resolve()):
            found.append(file)
    return found


def _documents(file: Path, name: str, notes: list[str]) -> list[tuple[str, Document]]:
    """(where, document) for each document of one file."""
    if file.suffix.lower() in (".txt", ".md"):
        text = read_text(file).strip()
        if not text:
            raise DataError(f"{file} is empty: fill it or take it out of the corpus")
        return [(str(file), Document(name, text, _title(file, text)))]
    if file.suffix.lower() in MARKED_UP:
        read = MARKED_UP[file.suffix.lower()](file)
        if read.note:
            notes.append(read.note)
        return [(str(file), Document(name, read.text, read.title))]
    rows = read_rows(file)
    extra = check_columns(rows, COLUMNS, file)
    if extra:
        notes.append(f"columns of {name} left unread: {', '.join(extra)}")
    return [(row.where, _row_document(row, f"{name}:{row.line}")) for row in rows]


def _title(file: Path, text: str) -> str:
    """A Markdown file's first heading; else the file's name without its suffix."""
    first = text.split("\n", 1)[0]
    if file.suffix.lower() == ".md" and first.startswith("#"):
        return first.lstrip("#").strip() or file.stem
    return file.stem


def _row_document(row: Row, default_id: str) -> Document:
    values: dict[str, str] = {}
    for column in COLUMNS:
        value = row.values.get(column)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise DataError(f"{row.where}: '{column}' must be text, found {type(value).__name__}")
        values[column] = (value or "").strip()
    if not values["text"]:
        raise DataError(f"{row.where}: 'text' is missing or empty")
    return Document(values["id"] or default_id, values["text"], values["title"])
