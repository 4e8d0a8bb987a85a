"""Results read back: tables of runs as one data frame, and a run's predictions as another."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from harness.columns import COLUMNS
from harness.errors import RecordError
from harness.foreign import Problems
from harness.row import checked_run_id
from harness.scores import prediction_lines
from harness.tables import MISSING, read_table

logger = logging.getLogger(__name__)

TABLE = "runs.csv"
PREDICTIONS, PROBES = "predictions", "probes"

SAME_RUN = ("run_id", "created_at", "config_hash", "experiment", "arm", "seed")
"""Rows of two tables that agree in these are one run, copied."""


@dataclass(frozen=True)
class Results:
    """Runs, and what was wrong with the files they were read from.

    Attributes:
        frame: one row a run, failed ones too: the columns of ``harness.columns`` with their types,
            ``folder`` (where predictions/ and probes/ lie), ``table`` (the file) and ``line``.
        problems: one line each: what was left out or emptied, and where.
        missing: table -> columns of the schema that it lacks: what they would say is unknown.
    """

    frame: pd.DataFrame
    problems: tuple[str, ...]
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_results(paths: Sequence[Path]) -> Results:
    """The runs of all tables that ``paths`` name or hold.

    A path is a table or a folder: that of one experiment, or one that holds several, at most two
    folders deep. A table that cannot be read is a problem, unless it is the only one.

    Raises:
        RecordError: no run can be read from any of them.
    """
    problems = Problems()
    frames = []
    missing = {}
    fatal = []
    for table in _tables(paths, problems):
        try:
            frame = read_table(table, problems)
        except RecordError as error:
            fatal.append(str(error))
            problems.add(str(table), str(error))
            continue
        if frame.empty:
            fatal.append(f"{table}: no run in it can be read")
            problems.add(str(table), fatal[-1])
            continue
        missing[str(table)] = frame.attrs.pop(MISSING)
        frame["folder"], frame["table"] = str(table.parent), str(table)
        frames.append(frame.astype({"folder": object, "table": object}))
    if not frames:
        why = list(dict.fromkeys((*(" ".join(one.split()) for one in fatal), *problems.lines())))
        raise RecordError("; ".join(why[:3]) or "no results are named: give a table or a folder")
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    return Results(_without_copies(frame, problems), problems.lines(), missing)


def load_results(*paths: str | Path) -> pd.DataFrame:
    """The runs of tables or folders, one row each, for a notebook; as in ``Results.frame``.

    What was left out is logged, and kept in ``.attrs["problems"]``.

    Raises:
        RecordError: no run can be read.
    """
    results = read_results([Path(path) for path in paths])
    for problem in results.problems:
        logger.warning("%s", problem)
    results.frame.attrs["problems"] = list(results.problems)
    return results.frame


def load_predictions(run: Mapping[str, Any] | pd.Series) -> pd.DataFrame:
    """The answers of one run, a row of ``load_results``: one line a question.

    Its columns are the fields of a prediction with each metric as a column of its own. What was
    left out is logged, and kept in ``.attrs["problems"]``.

    Raises:
        RecordError: the run has no predictions that can be read.
    """
    path = run_file(run, PREDICTIONS)
    problems = Problems()
    lines = []
    for _, line in prediction_lines(path, problems):
        metrics = line.pop("metrics")
        # A metric that is called like a field must not hide it.
        lines.append(line | {f"metrics.{n}" if n in line else n: v for n, v in metrics.items()})
    found = problems.lines()
    if not lines:
        raise RecordError(found[0] if found else f"{path} is empty: it holds no predictions")
    for problem in found:
        logger.warning("%s", problem)
    frame = pd.DataFrame(lines)
    frame.attrs["problems"] = list(found)
    return frame


def run_file(run: Mapping[str, Any] | pd.Series, kind: str) -> Path:
    """Where the predictions or probes (``kind``) of a run lie; the file need not be there.

    Raises:
        RecordError: the run id is no file name, and could lead out of the folder.
    """
    return Path(run["folder"]) / kind / f"{checked_run_id(str(run['run_id']))}.jsonl"


def _tables(paths: Sequence[Path], problems: Problems) -> list[Path]:
    """Every table once, in the order given."""
    tables: dict[Path, Path] = {}
    for path in paths:
        try:
            found = _tables_in(path) if path.is_dir() else [path]
        except OSError as error:
            problems.add(str(path), f"{path} cannot be read: {error.strerror or error}")
            continue
        if not found:
            problems.add(
                str(path), f"{path} holds no {TABLE}, nor does a folder in it: run an experiment"
            )
        for table in found:
            if table.resolve() in tables:
                problems.add(str(table), f"{table} is named twice; it is read once")
            else:
                tables[table.resolve()] = table
    return list(tables.values())


def _tables_in(folder: Path) -> list[Path]:
    if (folder / TABLE).exists():
        return [folder / TABLE]
    return sorted(
        table
        for pattern in (f"*/{TABLE}", f"*/*/{TABLE}")
        for table in folder.glob(pattern)
        if not any(part.startswith(".") for part in table.relative_to(folder).parts)
    )


def _without_copies(frame: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """One row for each run: of copies, the last that has predictions, else the last.

    Within a table a run id stands once by now. In two tables it may name two runs.
    """
    repeated = frame[frame.duplicated("run_id", keep=False)]
    tables = repeated["table"].to_dict()
    kept: dict[tuple[Any, ...], Any] = {}
    runs: dict[str, list[Any]] = {}
    drop = []
    for index, key in zip(repeated.index, _same_run(repeated), strict=True):
        if key not in kept:
            kept[key] = index
            runs.setdefault(key[0], []).append(key)
            continue
        keep, copy = index, kept[key]
        if _answered(frame, copy) and not _answered(frame, index):
            keep, copy = copy, keep
        kept[key] = keep
        drop.append(copy)
        problems.add(
            f"copied runs in {tables[copy]}",
            f"run '{key[0]}' stands in {tables[copy]} and in {tables[keep]}: one run, which "
            f"counts once, as in {tables[keep]}",
        )
    for run_id, keys in runs.items():
        if len(keys) > 1:
            where = ", ".join(str(tables[kept[key]]) for key in keys)
            problems.add(
                "run ids that name two runs",
                f"run id '{run_id}' names different runs in {where}; all are kept",
            )
    return frame.drop(index=drop).reset_index(drop=True)


def _same_run(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What is equal where rows of two tables are one run; run id first.

    Where a row does not say when and with which settings it ran, every figure has to agree.
    """
    plain = [name for name, column in COLUMNS.items() if column.type != "json"]
    whole = pd.util.hash_pandas_object(frame[plain], index=False).tolist()
    named = list(zip(*(frame[name].tolist() for name in SAME_RUN), strict=True))
    return [
        (*name, "") if name[1] and name[2] else (*name, figures)
        for name, figures in zip(named, whole, strict=True)
    ]


def _answered(frame: pd.DataFrame, index: Any) -> bool:
    row = {name: frame.at[index, name] for name in ("folder", "run_id")}
    return run_file(row, PREDICTIONS).exists()
