"""Files that others wrote or edited: text of any encoding, and what was wrong, line by line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson

from harness.errors import RecordError

SHOWN = 5
"""Problems of one kind that are named each; the rest are counted."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Problems:
    """What was left out or read otherwise than it stands, in lines for people.

    A damaged column of 10,000 rows is one fault: of each kind ``SHOWN`` lines are kept, and the
    number of the others.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}
        self._more: dict[str, int] = {}

    def add(self, kind: str, problem: str) -> None:
        """Keep a problem; ``kind`` names what is counted together, as "FILE: column 'f1'"."""
        lines = self._kinds.setdefault(kind, [])
        if len(lines) < SHOWN:
            lines.append(" ".join(problem.split()))
        else:
            self._more[kind] = self._more.get(kind, 0) + 1

    def lines(self) -> tuple[str, ...]:
        """The problems, those of one kind together, in the order in which kinds were met."""
        found = []
        for kind, lines in self._kinds.items():
            more = self._more.get(kind, 0)
            found += [*lines, f"{kind}: and {more} more like these"] if more else lines
        return tuple(found)


def utf8_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, without a byte order mark; a file with that of UTF-16 as UTF-8.

    Lines may still hold bytes that are no UTF-8: ``text_of`` reads those.

    Raises:
        RecordError: the file cannot be read.
    """
    try:
        with path.open("rb", buffering=1 << 20) as file:
            yield from _lines(file)
    except UnicodeError as error:
        raise RecordError(f"{path} begins as UTF-16 but is not: {error}") from error
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from error


def text_of(raw: bytes) -> tuple[str, bool]:
    """The text of one line, and whether it is UTF-8; what is not is read as Windows-1252."""
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), False


def json_lines(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and JSON object of each line; those that hold none go to ``problems``.

    Raises:
        RecordError: the file cannot be read.
    """
    for number, raw in enumerate(utf8_lines(path), start=1):
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError:
            if not raw.strip():
                continue
            try:
                line = _odd_json(raw, path, number, problems)
            except (ValueError, RecursionError) as error:
                problems.add(
                    f"{path}: no JSON",
                    f"{path}, line {number}: no JSON ({error}); the line is left out",
                )
                continue
        if isinstance(line, dict):
            yield number, line
        else:
            problems.add(
                f"{path}: no JSON object",
                f"{path}, line {number}: {type(line).__name__} where a JSON object should be; "
                "the line is left out",
            )


def whole_text(value: Any) -> Any:
    """The JSON value with halves of surrogate pairs replaced: no file or page can hold those."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [whole_text(one) for one in value]
    if isinstance(value, dict):
        return {whole_text(name): whole_text(one) for name, one in value.items()}
    return value


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    first = file.readline()
    if first.startswith(_UTF_16):
        # A line end is two bytes there, and one of them may be half of another character.
        text = (first + file.read()).decode("utf-16")
        yield from text.encode("utf-8", "replace").splitlines(keepends=True)
        return
    if first:
        yield first.removeprefix(codecs.BOM_UTF8)
    yield from file


def _odd_json(raw: bytes, path: Path, number: int, problems: Problems) -> Any:
    """What a line holds that orjson refuses: NaN, half surrogate pairs, other encodings."""
    text, utf8 = text_of(raw)
    line = whole_text(json.loads(text, parse_int=_bounded))
    if not utf8:
        problems.add(
            f"{path}: not UTF-8", f"{path}, line {number}: not UTF-8; read as Windows-1252"
        )
    return line


def _bounded(digits: str) -> float:
    """A whole number; one too long for 64 bits as a float, which may be infinite."""
    return int(digits) if len(digits) < 19 else float(digits)
