"""The scores behind one claim: its arms on the same questions, put together over its tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from harness.compare.align import unharmed
from harness.compare.arms import Arm
from harness.compare.scorebook import Matrix, Scorebook, Scored, positions
from harness.measures.definitions import FORGETTING

Mask = NDArray[np.bool_]

NAMED = 3
"""Missing arms that are named at most."""


@dataclass(frozen=True)
class Sheet:
    """Scores of several arms, one row a question, the same in all.

    Attributes:
        scores: arm -> (questions, seeds); one column where its weights are frozen.
        seeds: arm -> the seeds of its columns.
        frozen: the arms whose weights are the base model's.
        clusters: number of each question's entity.
        columns: fields of the predictions.
        bounded: whether a score lies between 0 and 1.
    """

    scores: dict[str, Matrix]
    seeds: dict[str, tuple[int | None, ...]]
    frozen: frozenset[str]
    clusters: NDArray[np.int64]
    columns: dict[str, list[object]] = field(default_factory=dict)
    bounded: bool = True

    @property
    def n(self) -> int:
        return len(self.clusters)

    def only(self, kept: Mask) -> Sheet:
        """The rows where ``kept`` is true."""
        rows = np.flatnonzero(kept)
        return replace(
            self,
            scores={arm: matrix[rows] for arm, matrix in self.scores.items()},
            clusters=self.clusters[rows],
            columns={name: [v[row] for row in rows] for name, v in self.columns.items()},
        )

    def mean(self, arm: str) -> float:
        """The arm's mean over questions and seeds."""
        return float(self.scores[arm].mean())


Find = Callable[[str, str], Arm | str]
"""Task and arm to the runs of it; or why there are none."""


def read_sheet(
    find: Find,
    book: Scorebook,
    arms: Sequence[str],
    tasks: Sequence[str],
    measures: Sequence[str],
    columns: Sequence[str] = (),
) -> Sheet | str:
    """The scores of ``arms`` on all questions of ``tasks``; or why they cannot be had.

    Of several measures the items are put together too: a question (or probe item) stands once for
    each measure that it has.
    """
    parts = []
    for task in tasks:
        found = {arm: find(task, arm) for arm in arms}
        missing = [one for one in found.values() if isinstance(one, str)]
        if missing:
            told = list(dict.fromkeys(missing))
            more = f"; and {len(told) - NAMED} more" if len(told) > NAMED else ""
            return "; ".join(told[:NAMED]) + more
        runs = {name: arm for name, arm in found.items() if isinstance(arm, Arm)}
        splits = {value for arm in runs.values() for value in arm.known("split_sha256")}
        if len(splits) > 1:
            return f"on {task} the arms answered different questions"
        for measure in measures:
            part = _part(runs, book, measure, columns)
            if isinstance(part, str):
                return f"on {task}: {part}"
            parts.append(part)
    return _together(parts)


def _part(
    runs: dict[str, Arm], book: Scorebook, measure: str, columns: Sequence[str]
) -> Sheet | str:
    """The arms' scores by one measure on one task."""
    harm = measure in FORGETTING
    scored: dict[str, Scored] = {}
    for name, arm in runs.items():
        found = book.harm(arm).get(measure) if harm else book.answers(arm)
        if found is None and not (harm and arm.summary.frozen):
            return f"{name} has no {'probe files' if harm else 'predictions'}"
        if found is not None:
            scored[name] = found
    if not scored:
        return f"no arm has items of {measure}"
    first = next(iter(scored.values()))
    for name in runs:
        scored.setdefault(name, unharmed(first))
    everywhere = set(first.ids).intersection(*(found.ids for found in scored.values()))
    common = [one for one in first.ids if one in everywhere]
    matrices = {}
    for name in runs:
        if measure not in scored[name].measures:
            return f"{name} has no {measure}"
        matrices[name] = scored[name].measures[measure][positions(scored[name].ids, common)]
    full = np.all([~np.isnan(matrix).any(axis=1) for matrix in matrices.values()], axis=0)
    if not full.any():
        return f"no question has {measure} in every arm"
    rows = positions(first.ids, common)
    return Sheet(
        scores=matrices,
        seeds={name: scored[name].seeds for name in runs},
        frozen=frozenset(name for name, arm in runs.items() if arm.summary.frozen),
        clusters=_numbers([first.clusters[row] for row in rows]),
        columns={
            name: [first.columns[name][row] for row in rows]
            for name in columns
            if name in first.columns
        },
        bounded=not harm,
    ).only(full)


def _numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """A number for each entity; one of its own for a question that names none."""
    keys = [name or position for position, name in enumerate(names)]
    known = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([known[key] for key in keys], dtype=np.int64)


def _together(parts: Sequence[Sheet]) -> Sheet:
    """The parts below one another; an arm whose seeds differ between them is averaged over them."""
    if len(parts) == 1:
        return parts[0]
    scores, seeds = {}, {}
    for arm in parts[0].scores:
        if len({part.seeds[arm] for part in parts}) == 1:
            seeds[arm] = parts[0].seeds[arm]
            scores[arm] = np.concatenate([part.scores[arm] for part in parts])
        else:
            seeds[arm] = (None,)
            means = [part.scores[arm].mean(axis=1, keepdims=True) for part in parts]
            scores[arm] = np.concatenate(means)
    starts = np.cumsum([0, *(int(part.clusters.max()) + 1 for part in parts)])
    shifted = [part.clusters + start for part, start in zip(parts, starts, strict=False)]
    return Sheet(
        scores=scores,
        seeds=seeds,
        frozen=parts[0].frozen,
        clusters=np.concatenate(shifted),
        columns={
            name: [value for part in parts for value in part.columns[name]]
            for name in parts[0].columns
            if all(name in part.columns for part in parts)
        },
        bounded=all(part.bounded for part in parts),
    )
