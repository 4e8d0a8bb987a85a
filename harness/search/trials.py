"""The trials of searches, kept in ``results/<experiment>/search.csv`` as each one ends.

The file is what a stopped search goes on from: a trial that stands there is told to the sampler
again instead of being run.
"""

from __future__ import annotations

import csv
import io
import json
import types
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.metering.reading import PhaseReading
from harness.record import replacing

FILE = "search.csv"
OK, FAILED = "ok", "failed"


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Attributes:
        search: the search it belongs to; ``number`` counts from 0 within it.
        state: "ok" or "failed".
        settings: name -> value of what was searched.
        digest: of all settings, the data and the objectives: equal means the same trial.
        value, low, high: of ``measure`` on the validation questions, with its interval.
        n_questions: how many of those the measure applies to.
        second_value: of ``second``; None without a second objective.
        seconds, energy_kwh: of the whole trial, reused artifacts at what they first took.
        spent: JSON of the reading of all phases that the trial itself metered.
        made: keys of the artifacts that it made.
        reused: key -> what making it took (JSON of a reading) of those that it found.
    """

    search: str
    number: int
    state: str
    arm: str
    seed: int
    settings: dict[str, str]
    digest: str
    measure: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_questions: int | None = None
    second: str | None = None
    second_value: float | None = None
    seconds: float | None = None
    energy_kwh: float | None = None
    spent: dict[str, Any] | None = None
    made: list[str] = field(default_factory=list)
    reused: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    invocation: str | None = None
    created_at: str = ""

    @property
    def ok(self) -> bool:
        """Whether it has a score."""
        return self.state == OK


def read_trials(folder: Path) -> list[Trial]:
    """Every trial of the searches in an experiment's folder, in the order in which they ended.

    Raises:
        RecordError: the file cannot be read, or a line is damaged; with its number.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error}); mend or remove it") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    found = []
    try:
        for cells in reader:
            found.append(_from_cells(cells))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise RecordError(
            f"{path}, line {reader.line_num}: damaged ({error}); mend or remove the line"
        ) from error
    return found


def of_search(folder: Path, search: str, trials: int) -> list[Trial]:
    """The first ``trials`` trials of a search, in the order in which they were proposed."""
    own = [one for one in read_trials(folder) if one.search == search and one.number < trials]
    return sorted(own, key=lambda one: one.number)


def put_trial(folder: Path, trial: Trial) -> None:
    """Add a trial in place of the one with its search and number; in one step, under a lock.

    Raises:
        RecordError: the file cannot be written, or is damaged.
    """
    with _locked(folder):
        others = [
            one
            for one in read_trials(folder)
            if (one.search, one.number) != (trial.search, trial.number)
        ]
        with replacing(folder / FILE) as file:
            writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_to_cells(one) for one in [*others, trial])


def distinct(trials: Sequence[Trial]) -> list[Trial]:
    """The trials without those that tried a setting again: they took no work of their own."""
    return list({one.digest: one for one in reversed(trials)}.values())[::-1]


def tune_reading(trials: Sequence[Trial]) -> PhaseReading | None:
    """What a search took in all, as a reading of "tune": each artifact once, at its first cost."""
    each = distinct(trials)
    made = {key for one in each for key in one.made}
    found = {key: costs for one in each for key, costs in one.reused.items() if key not in made}
    readings = [one.spent for one in each if one.spent] + list(found.values())
    result: PhaseReading | None = None
    for stored in readings:
        reading = PhaseReading.from_dict({**stored, "phase": "tune"})
        result = reading if result is None else result + reading
    return result


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{FILE}.lock")
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise RecordError(
            f"{folder / FILE} cannot be written ({error}): make the folder writable "
            "or choose another with results=FOLDER"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _to_cells(trial: Trial) -> dict[str, str]:
    cells = {}
    for name, value in asdict(trial).items():
        if value is None:
            cells[name] = ""
        elif isinstance(value, dict | list):
            cells[name] = json.dumps(value, sort_keys=True, allow_nan=False)
        else:
            cells[name] = value if isinstance(value, str) else repr(value)
    return cells


def _from_cells(cells: dict[str, str | None]) -> Trial:
    values: dict[str, Any] = {}
    for name, kind in _COLUMNS.items():
        cell = cells[name]
        if cell is None:
            raise ValueError(f"no cell for {name}")
        if kind in (dict, list):
            values[name] = json.loads(cell) if cell else None
            if values[name] is not None and not isinstance(values[name], kind):
                raise ValueError(f"{name} is {cell[:40]!r}")
        else:
            values[name] = kind(cell) if cell or kind is str else None
    for name in ("error", "second", "invocation"):
        values[name] = values[name] or None
    return Trial(**values)


def _plain(kind: Any) -> type:
    """The class that a field's values have: of ``dict[str, str] | None``, ``dict``."""
    if isinstance(kind, types.UnionType):
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    found: type = typing.get_origin(kind) or kind
    return found


_HINTS = typing.get_type_hints(Trial)
_COLUMNS = {one.name: _plain(_HINTS[one.name]) for one in fields(Trial)}
"""Column -> the class of its values."""
