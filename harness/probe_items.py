"""The probes file: one JSON line for each item of each forgetting probe that a run asked.

Two arms answered the same items, so their forgetting can be compared item by item.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from harness.errors import RecordError
from harness.record import replacing
from harness.row import checked_run_id


@dataclass(frozen=True)
class ProbeLine:
    """One item of a probe.

    Attributes:
        measure: name of the probe measure, e.g. "facts_options".
        item_id: names the item, the same for every arm.
        cluster: the entity it asks about; "" where items share none.
        before, after: its score with the base weights and with the arm's.
    """

    measure: str
    item_id: str
    cluster: str
    before: float
    after: float


def write_probe_items(folder: Path, run_id: str, lines: Sequence[ProbeLine]) -> Path:
    """Write ``<folder>/<run_id>.jsonl``, in one step or not at all, and return its path.

    Raises:
        RecordError: the run id is no file name, a score is NaN or infinite, or the folder cannot
            be written.
    """
    path = folder / f"{checked_run_id(run_id)}.jsonl"
    try:
        texts = [json.dumps(asdict(line), ensure_ascii=False, allow_nan=False) for line in lines]
    except ValueError as error:
        raise RecordError(f"{path}: a probe item has a score that is no number: {error}") from error
    with replacing(path) as file:
        file.writelines(text + "\n" for text in texts)
    return path


def read_probe_items(path: Path) -> list[ProbeLine]:
    """The lines of a probes file.

    Raises:
        RecordError: no such file, or a line that is no JSON object of the five fields with finite
            scores; with the line number.
    """
    lines = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                lines.append(_line(raw, f"{path}, line {number}"))
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    return lines


def _line(raw: bytes, where: str) -> ProbeLine:
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise RecordError(f"{where}: no JSON ({error})") from error
    names = [one.name for one in fields(ProbeLine)]
    if not isinstance(found, dict) or set(found) != set(names):
        raise RecordError(f"{where}: a probe item holds {', '.join(names)}")
    for name in ("before", "after"):
        score = found[name]
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise RecordError(f"{where}: '{name}' is {score!r}, no number")
        if not math.isfinite(score):
            raise RecordError(f"{where}: '{name}' is {score}, no finite number")
    return ProbeLine(**found)
