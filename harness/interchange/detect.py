"""Which tool wrote a file: told by what is in it, never by its name."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, RecordError
from harness.foreign import text_of, utf8_lines, whole_text

KINDS = {
    "peft": "PEFT method_comparison JSON ('run_info' and 'train_info')",
    "lm-eval": "lm-eval results JSON ('results', and 'configs' or 'versions')",
    "optimum": "optimum-benchmark JSON (phases with 'latency', 'memory' or 'energy')",
    "codecarbon": "CodeCarbon CSV (columns 'duration' and 'emissions')",
}
"""Kind, as ``--kind`` takes it, to what it is told by."""

MEASUREMENTS = ("memory", "latency", "throughput", "energy", "efficiency")
SUFFIXES = (".json", ".csv")
"""Files of a folder that are looked at; samples of lm-eval are found from their results."""


@dataclass(frozen=True)
class ForeignFile:
    """A file, read once.

    Attributes:
        kind: a key of ``KINDS``.
        content: its JSON object; empty for a CSV file.
        lines: the lines of a CSV file; empty for JSON.
    """

    path: Path
    kind: str
    content: dict[str, Any]
    lines: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.path.name


class NotResults(DataError):  # noqa: N818 - says what the file is, not what went wrong
    """A file belongs to another tool's results but holds none itself, such as its configuration."""


def files_in(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file to look at, and whether it was named itself; folders are walked in order of name.

    Raises:
        DataError: a path does not exist.
    """
    for path in paths:
        if path.is_dir():
            for folder, inner, names in os.walk(path):
                inner[:] = sorted(name for name in inner if not name.startswith("."))
                for name in sorted(names):
                    if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                        yield Path(folder) / name, False
        elif path.exists():
            yield path, True
        else:
            raise DataError(f"{path} does not exist")


def read_foreign(path: Path, kind: str | None = None) -> ForeignFile:
    """The file's content and kind; with ``kind`` given it must be of that kind.

    Raises:
        DataError: it cannot be read, is empty, is damaged, or is of no known or of another kind.
    """
    lines = _lines(path)
    start = next((line.lstrip()[:1] for line in lines if line.strip()), "")
    if not start:
        raise DataError(f"{path} is empty")
    if start in "{[":
        content = _json(path, "".join(lines))
        lines, found = [], _kind_of_object(path, content)
    else:
        content, found = {}, _kind_of_table(path, lines)
    if found is None or (kind is not None and kind != found):
        wanted = [KINDS[kind]] if kind else list(KINDS.values())
        is_kind = f"is {KINDS[found]}, not" if found else "is none of the files that are known:"
        raise DataError(f"{path} {is_kind} {'; '.join(wanted)}")
    return ForeignFile(path, found, content, lines)


def header_of(lines: Sequence[str]) -> list[str]:
    """The names of a CSV file's columns: the cells of its first line that is not empty."""
    first = next((line for line in lines if line.strip()), "")
    try:
        return [cell.strip() for cell in next(csv.reader([first]), [])]
    except csv.Error:
        return []


def _lines(path: Path) -> list[str]:
    try:
        return [text_of(line)[0] for line in utf8_lines(path)]
    except RecordError as error:
        raise DataError(str(error)) from error


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        content = whole_text(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: broken JSON ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: {type(content).__name__} where a JSON object should be")
    return content


def _kind_of_table(path: Path, lines: Sequence[str]) -> str | None:
    header = header_of(lines)
    if {"run_id", "status"} <= set(header):
        raise DataError(f"{path} is a table of this harness: it need not be imported")
    return "codecarbon" if {"duration", "emissions"} <= set(header) else None


def _kind_of_object(path: Path, content: dict[str, Any]) -> str | None:
    if isinstance(content.get("run_info"), dict) and isinstance(content.get("train_info"), dict):
        return "peft"
    if isinstance(content.get("results"), dict) and {"configs", "versions"} & set(content):
        return "lm-eval"
    if isinstance(content.get("backend"), dict) and isinstance(content.get("scenario"), dict):
        raise NotResults(f"{path} is an optimum-benchmark configuration: name its report")
    report = content.get("report") if isinstance(content.get("config"), dict) else content
    if isinstance(report, dict) and any(_is_phase(phase) for phase in report.values()):
        return "optimum"
    return None


def _is_phase(phase: Any) -> bool:
    """Whether an entry is a phase of an optimum-benchmark report: figures beside their units."""
    return isinstance(phase, dict) and any(
        isinstance(phase.get(name), dict) and "unit" in phase[name] for name in MEASUREMENTS
    )
