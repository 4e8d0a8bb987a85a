"""Text of HTML and PDF files, for own documents. Needs the extra "documents"."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError

NO_TEXT_OF_THE_PAGE = (
    "script", "style", "noscript", "template", "svg", "nav", "footer", "aside", "form",
)  # fmt: skip
"""Elements that are left out: code, and what every page of a site repeats."""

BLOCKS = (
    "address", "article", "blockquote", "caption", "dd", "div", "dl", "dt", "figcaption", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section",
    "table", "title", "tr", "ul",
)  # fmt: skip
"""Elements that begin and end a line."""

# pypdf warns of every oddity that it gets over.
logging.getLogger("pypdf").setLevel(logging.ERROR)


class Read(NamedTuple):
    """What a file says; ``note`` is a caveat for the record, or empty."""

    title: str
    text: str
    note: str = ""


def read_html(path: Path) -> Read:
    """Title and text of a page: its <title>, else its first heading, else the file's name.

    It is read in the encoding that it declares, else as UTF-8.

    Raises:
        DataError: it cannot be read or decoded, holds no text, or Beautiful Soup is missing.
    """
    soup = _soup(path)
    title = soup.title.get_text() if soup.title else ""
    heading = soup.find(["h1", "h2"])
    if not title.strip() and heading is not None:
        title = heading.get_text()
    for element in soup.find_all([*NO_TEXT_OF_THE_PAGE, "title"]):
        element.decompose()
    for element in soup.find_all("br"):
        element.replace_with("\n")
    for element in soup.find_all(BLOCKS):
        element.insert_before("\n")
        element.insert_after("\n")
    for element in soup.find_all(["td", "th"]):
        element.insert_after(" ")
    text = _tidy(soup.get_text())
    if not text:
        raise DataError(
            f"{path} holds no text (is it made by a script?): save the page as text, or take it "
            "out of the corpus"
        )
    return Read(" ".join(title.split()) or path.stem, text)


def _soup(path: Path) -> Any:
    try:
        from bs4 import BeautifulSoup
    except ImportError as error:
        raise _missing(path, "beautifulsoup4") from error
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    soup = BeautifulSoup(raw, "html.parser")
    used = (soup.original_encoding or "utf-8").lower()
    declared = (soup.declared_html_encoding or "").lower()
    # What a page calls Latin-1 browsers read as windows-1252, which holds it.
    same = used == declared or (declared, used) in (("iso-8859-1", "windows-1252"),)
    if soup.contains_replacement_characters or not (used.startswith(("utf", "ascii")) or same):
        said = f"not in the encoding that it declares, {declared}" if declared else "not UTF-8"
        raise DataError(f"{path} is {said}; save it as UTF-8")
    return soup


def read_pdf(path: Path) -> Read:
    """Title and text of a PDF: the title of its metadata, else the file's name.

    Raises:
        DataError: it is damaged, locked or holds no text, or pypdf is missing.
    """
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise _missing(path, "pypdf") from error
    try:
        reader = PdfReader(path)
        locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if locked else [_tidy(page.extract_text()) for page in reader.pages]
        title = "" if locked else str((reader.metadata and reader.metadata.title) or "")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged file fails in any of pypdf's ways
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path} is no PDF, or a damaged one ({said}); export it again, or take it out of the "
            "corpus"
        ) from error
    if locked:
        raise DataError(f"{path} is locked by a password; save it without one")
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise DataError(
            f"{path} holds no text in its {len(pages)} pages (scanned?): put it through text "
            "recognition, or take it out of the corpus"
        )
    silent = sum(not page for page in pages)
    note = f"{path.name}: {silent} of {len(pages)} pages hold no text" if silent else ""
    return Read(" ".join(title.split()) or path.stem, text, note)


def _tidy(text: str) -> str:
    """The text with single spaces and no empty lines, without what UTF-8 cannot hold."""
    text = text.encode("utf-8", "ignore").decode().replace("\x00", "")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _missing(path: Path, package: str) -> DataError:
    return DataError(
        f"reading {path} needs {package}, which is not installed: "
        'pip install -c constraints.txt -e ".[documents]"'
    )
