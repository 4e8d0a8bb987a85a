"""What each arm scored: the files of its runs read once and stacked, one row a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.compare.arms import Arm, Row, run_file
from harness.errors import RecordError
from harness.scores import ProbeScores, RunScores, read_probe_scores, read_scores

TIMED = "latency_seconds"
"""Taken of a sample of questions, one by one: no two runs need have timed the same."""

Matrix = NDArray[np.float64]
Numbers = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class Scored:
    """What one arm scored on the questions that all its runs answered.

    Attributes:
        measures: name to scores, (questions, replicates); NaN where a question has none.
        seeds: of the replicates.
        columns: fields of the predictions, from the arm's first run.
        marks: what a reader must know of these scores.
    """

    ids: list[str]
    clusters: list[str]
    measures: dict[str, Matrix]
    seeds: tuple[int | None, ...]
    columns: dict[str, list[object]] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


class Scorebook:
    """The scores of each arm, read from its files when first asked for and kept.

    Attributes:
        columns: fields of the predictions that are kept beside the scores.
        problems: files and lines that could not be used.
    """

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self.columns = tuple(columns)
        self.problems: list[str] = []
        self._answers: dict[str, Scored | None] = {}
        self._harm: dict[str, dict[str, Scored]] = {}
        self._folders: dict[tuple[str | None, str], set[str]] = {}

    def answers(self, arm: Arm) -> Scored | None:
        """The arm's scores of the test questions; None without predictions.

        A frozen arm whose runs all answered alike has one replicate.
        """
        if arm.label not in self._answers:
            runs = self._read(arm, "predictions", lambda path: read_scores(path, self.columns))
            self._answers[arm.label] = self._stacked(arm, runs) if runs else None
        return self._answers[arm.label]

    def harm(self, arm: Arm) -> dict[str, Scored]:
        """Forgetting measure to the harm done to each item; empty without probe files."""
        if arm.label not in self._harm:
            runs = self._read(arm, "probes", read_probe_scores)
            names = dict.fromkeys(name for _, probes in runs for name in probes)
            self._harm[arm.label] = {
                name: self._stacked(
                    arm, [(row, _as_run(name, found[name])) for row, found in runs if name in found]
                )
                for name in names
            }
        return self._harm[arm.label]

    def _read(self, arm: Arm, kind: str, read: Callable[[Path], T]) -> list[tuple[Row, T]]:
        found, missing = [], []
        for row in arm.runs:
            name = f"{row['run_id']}.jsonl"
            path = run_file(row, kind) if name in self._files(row.get("folder"), kind) else None
            if path is None:
                missing.append(str(row["run_id"]))
                continue
            try:
                found.append((row, read(path)))
            except RecordError as error:
                self.problems.append(str(error))
        # An experiment need not probe; one that did for some seeds lacks files for the others.
        if missing and (found or kind == "predictions"):
            listed = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            self.problems.append(
                f"{arm.label}: no {kind} of {len(missing)} of its {len(arm.runs)} runs ({listed}); "
                + ("the others count" if found else "what its rows report is compared, unpaired")
            )
        return found

    def _files(self, folder: str | None, kind: str) -> set[str]:
        """The names of what a folder of results holds; asked once, not for each of its runs."""
        if (folder, kind) not in self._folders:
            path = Path(folder or ".") / kind
            names = {one.name for one in path.iterdir()} if path.is_dir() else set()
            self._folders[folder, kind] = names
        return self._folders[folder, kind]

    def _stacked(self, arm: Arm, runs: Sequence[tuple[Row, RunScores]]) -> Scored:
        for _, scores in runs:
            self.problems += scores.problems
        first = runs[0][1]
        ids, places = _common([scores for _, scores in runs])
        measures = _matrices([scores for _, scores in runs], places)
        seeds = tuple(row.get("seed") for row, _ in runs)
        marks = []
        left_out = max(len(scores.question_ids) for _, scores in runs) - len(ids)
        if left_out:
            questions = f"{left_out} question{'s' if left_out > 1 else ''}"
            marks.append(f"{questions} not answered by every run of {arm.label} left out")
        if arm.summary.frozen and len(runs) > 1:
            if _repeat(measures):
                measures = {name: matrix[:, :1].copy() for name, matrix in measures.items()}
                seeds = seeds[:1]
            else:
                marks.append(
                    f"{arm.label}: its weights are frozen, yet its runs answered differently: "
                    "each counts"
                )
        return Scored(
            ids=ids,
            clusters=picked(first.clusters, places[0]),
            measures=measures,
            seeds=seeds,
            columns={name: picked(values, places[0]) for name, values in first.columns.items()},
            marks=tuple(marks),
        )


def positions(where: list[str], of: list[str]) -> Numbers:
    """Where each id of ``of`` stands in ``where``; -1 for those that do not."""
    import pandas as pd

    return np.asarray(pd.Index(where, dtype=object).get_indexer(pd.Index(of, dtype=object)))


def taken(values: Matrix, rows: Numbers) -> Matrix:
    """The values at ``rows``, not copied where those are all of them."""
    return values if _all_in_order(rows, len(values)) else values[rows]


def picked(values: list[T], rows: Numbers) -> list[T]:
    """The same of a list."""
    return values if _all_in_order(rows, len(values)) else [values[row] for row in rows]


def _all_in_order(rows: Numbers, length: int) -> bool:
    return len(rows) == length and bool(np.array_equal(rows, np.arange(length)))


def _common(runs: Sequence[RunScores]) -> tuple[list[str], list[Numbers]]:
    """The ids that all runs have, in the first's order, and where each run has them."""
    ids = runs[0].question_ids
    places = [
        np.arange(len(ids)) if run.question_ids == ids else positions(run.question_ids, ids)
        for run in runs
    ]
    everywhere = np.all([rows >= 0 for rows in places], axis=0)
    return picked(ids, np.flatnonzero(everywhere)), [rows[everywhere] for rows in places]


def _matrices(runs: Sequence[RunScores], places: Sequence[Numbers]) -> dict[str, Matrix]:
    """Each measure that any question has, one column a run."""
    found = {}
    for name in dict.fromkeys(name for scores in runs for name in scores.measures):
        nothing = np.full(len(places[0]), np.nan)
        matrix = np.column_stack(
            [
                taken(scores.measures[name], rows) if name in scores.measures else nothing
                for scores, rows in zip(runs, places, strict=True)
            ]
        )
        if name != TIMED and not np.isnan(matrix).all():
            found[name] = matrix
    return found


def _repeat(measures: dict[str, Matrix]) -> bool:
    return all(
        np.array_equal(matrix, np.broadcast_to(matrix[:, :1], matrix.shape), equal_nan=True)
        for matrix in measures.values()
    )


def _as_run(name: str, probe: ProbeScores) -> RunScores:
    return RunScores(probe.ids, probe.clusters, {name: probe.harm}, {}, probe.problems)
