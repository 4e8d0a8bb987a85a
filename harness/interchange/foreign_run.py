"""One run of another tool, as read from its file, and the row of ours that it becomes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.columns import COLUMNS
from harness.errors import DataError
from harness.foreign import whole_text
from harness.interchange.leftover import Path as LeafPath
from harness.interchange.leftover import finite
from harness.predictions import Line
from harness.record import replacing
from harness.row import Row, checked_run_id, new_row

UNKNOWN_MODEL = "unknown"


@dataclass(frozen=True)
class OtherMeasure:
    """A figure that no column of ours is for, as it is kept in ``other_measures``.

    Attributes:
        higher_is_better: None where the file does not say.
        n: what it is a mean over; None where that is not known.
    """

    value: float
    higher_is_better: bool | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class ForeignRun:
    """One run of another tool.

    Attributes:
        tool: and version, as they stand in ``source``.
        file: name of its file, without the folders of the machine it lay on.
        name: what messages and the run id call it.
        identity: hash of what makes this run itself: the same run imported twice has the same.
        columns: column of ours to value; "arm", "task" and "model" where the file knows them.
        versions: measure or column to the foreign definition, for ``metric_versions``.
        rest: what found no place.
        placed: place of every leaf that did.
        error: why it failed; "" if it did not.
        lines: its predictions, as ``harness.predictions`` stores them.
    """

    tool: str
    file: str
    name: str
    identity: str
    columns: dict[str, Any]
    measures: dict[str, OtherMeasure] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)
    placed: dict[LeafPath, str] = field(default_factory=dict)
    error: str = ""
    lines: Sequence[Line] = ()

    @property
    def run_id(self) -> str:
        """Safe as a file name, and the same whenever this run is imported."""
        words = f"{self.tool.split()[0]}-{self.name}"
        slug = re.sub(r"[^A-Za-z0-9_]+", "-", words)[:100].strip("-")
        return checked_run_id(f"{slug}-{self.identity[:12]}")


@dataclass(frozen=True)
class Reading:
    """What one foreign file gave: its runs, and what could not be read of it, a line each."""

    runs: Sequence[ForeignRun]
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class Naming:
    """Names that a foreign file may lack: those given on the command line win."""

    experiment: str
    arm: str | None = None
    task: str | None = None


def row_of(run: ForeignRun, naming: Naming) -> Row:
    """The row of ours for a foreign run.

    Raises:
        DataError: neither the file nor the command line names its arm or its task.
    """
    columns, rest = dict(run.columns), dict(run.rest)
    for name, given in (("arm", naming.arm), ("task", naming.task)):
        stated = columns.pop(name, None)
        columns[name] = given or stated
        if given and stated and given != stated:
            rest[f"{name} in the file"] = stated
        if not columns[name]:
            raise DataError(f"{run.file}: it does not name its {name}: give --{name} NAME")
    columns["model"] = columns.get("model") or UNKNOWN_MODEL
    columns = {name: _safe(value) for name, value in columns.items()}
    return new_row(
        **columns,
        run_id=run.run_id,
        experiment=naming.experiment,
        source=f"{run.tool}, {run.file}",
        status="failed" if run.error else "ok",
        error=" ".join(run.error.split()) or None,
        metric_versions=run.versions or None,
        other_measures={
            name: finite(vars(measure)) for name, measure in sorted(run.measures.items())
        }
        or None,
        other_fields=rest or None,
    )


def foreign_name(measure: str, tool: str) -> str:
    """The name under which a foreign measure is kept: an identifier that no column of ours has."""
    name = re.sub(r"\W+", "_", measure.strip()).strip("_") or "unnamed"
    return f"{tool}_{name}" if name in COLUMNS else name


def write_lines(folder: Path, run_id: str, lines: Sequence[Line]) -> None:
    """Write a foreign run's predictions to ``folder``, in one step or not at all.

    Raises:
        RecordError: the folder cannot be written, or the disk is full.
    """
    with replacing(folder / f"{checked_run_id(run_id)}.jsonl") as file:
        for line in lines:
            try:
                text = json.dumps(line, ensure_ascii=False, allow_nan=False)
            except ValueError:  # few lines hold NaN, so only those are gone through
                text = json.dumps(finite(line), ensure_ascii=False, allow_nan=False)
            file.write(text + "\n")


def _safe(value: Any) -> Any:
    """Text on one line that any file can hold."""
    return " ".join(whole_text(value).split()) if isinstance(value, str) else value
