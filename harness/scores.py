"""Each question's scores from a predictions file, and each item's harm from a probes file.

A run may have answered 50,000 questions and a comparison may read twenty of them, so lines are
parsed one at a time and only scores and the fields that were asked for are kept. A line that is
damaged is left out and named; the others count.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import RecordError
from harness.foreign import Problems, json_lines
from harness.measures.definitions import PROBES
from harness.ranges import ROUNDING, SHARES

Scores = NDArray[np.float64]

PER_QUESTION = ("tokens_in", "tokens_out", "latency_seconds")
"""Figures of a prediction that stand beside its metrics."""

MOST_MEASURES = 500
"""A file that names its metrics anew in each line would fill the memory with empty columns."""


@dataclass(frozen=True)
class RunScores:
    """The questions that a run answered, in the file's order.

    Attributes:
        clusters: the entity of each question; "" where it shares none.
        measures: every metric found, and ``PER_QUESTION``; NaN where a question has none.
        columns: the fields of the predictions that were asked for; None where a line lacks one.
        problems: lines and values that were left out, and why.
    """

    question_ids: list[str]
    clusters: list[str]
    measures: dict[str, Scores]
    columns: dict[str, list[object]]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ProbeScores:
    """The items of one probe.

    Attributes:
        harm: of each item, before against after training; positive is worse.
        problems: as in ``RunScores``. Those of lines whose measure is unknown stand with the
            first measure of the file, so that each is said once.
    """

    ids: list[str]
    clusters: list[str]
    harm: Scores
    problems: tuple[str, ...]


def prediction_lines(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and content of each prediction that can be used; others go to ``problems``.

    That is a JSON object with a question id that did not stand before, and with metrics.

    Raises:
        RecordError: the file cannot be read.
    """
    seen: set[str] = set()
    for number, line in json_lines(path, problems):
        name = line.get("question_id")
        if not isinstance(name, str) or not isinstance(line.get("metrics"), dict):
            problems.add(
                f"{path}: no prediction",
                f"{path}, line {number}: no 'question_id' (text) and 'metrics' (an object), so "
                "this is no prediction; the line is left out",
            )
        elif name in seen:
            problems.add(
                f"{path}: repeated questions",
                f"{path}, line {number}: question {name[:60]!r} stood before; "
                "the first answer counts",
            )
        else:
            seen.add(name)
            yield number, line


def read_scores(path: Path, columns: Sequence[str] = ()) -> RunScores:
    """The scores of every question in a predictions file, with the fields named in ``columns``.

    Raises:
        RecordError: the file is missing, or holds no prediction that can be read.
    """
    problems = Problems()
    numbers: list[int] = []
    ids: list[str] = []
    clusters: list[object] = []
    kept: dict[str, list[object]] = {name: [] for name in columns}
    # Lines with the same metrics go into one table: names -> (rows, values row by row).
    tables: dict[tuple[str, ...], tuple[list[int], list[Any]]] = {}
    beside: list[Any] = []
    for number, line in prediction_lines(path, problems):
        metrics, get = line["metrics"], line.get
        names = tuple(metrics)
        if names not in tables:
            tables[names] = ([], [])
        rows, values = tables[names]
        rows.append(len(ids))
        values += metrics.values()
        beside += map(get, PER_QUESTION)
        numbers.append(number)
        # Runs share their questions: without interning, each run would hold a copy of every text.
        ids.append(sys.intern(line["question_id"]))
        clusters.append(get("cluster"))
        for name, column in kept.items():
            value = get(name)
            column.append(sys.intern(value) if type(value) is str and len(value) < 100 else value)
    if not ids:
        why = problems.lines()
        raise RecordError(why[0] if why else f"{path} is empty: it holds no predictions")
    blocks = [
        (PER_QUESTION, list(range(len(ids))), beside),
        *((names, rows, values) for names, (rows, values) in tables.items()),
    ]
    return RunScores(
        question_ids=ids,
        clusters=_texts(clusters, numbers, path, problems),
        measures=_measures(path, blocks, numbers, problems),
        columns=kept,
        problems=problems.lines(),
    )


def read_probe_scores(path: Path) -> dict[str, ProbeScores]:
    """Name of a forgetting measure, as "forgetting_facts_options", to its items.

    Raises:
        RecordError: the file is missing, or holds no probe item that can be read.
    """
    found: dict[str, _Probe] = {}
    unknown = Problems()
    for number, line in json_lines(path, unknown):
        measure, item = line.get("measure"), line.get("item_id")
        if not isinstance(item, str) or not isinstance(measure, str) or measure not in PROBES:
            unknown.add(
                f"{path}: no probe item",
                f"{path}, line {number}: no 'item_id' with a 'measure' out of {', '.join(PROBES)}; "
                "the line is left out",
            )
            continue
        found.setdefault(measure, _Probe()).add(f"{path}, line {number}", measure, line)
    if not any(probe.harm for probe in found.values()):
        why = [*unknown.lines(), *(line for one in found.values() for line in one.problems.lines())]
        raise RecordError(why[0] if why else f"{path} is empty: it holds no probe items")
    scores = {}
    for position, (measure, probe) in enumerate(found.items()):
        scores[f"forgetting_{measure}"] = ProbeScores(
            ids=list(probe.harm),
            clusters=probe.clusters,
            harm=np.array(list(probe.harm.values()), dtype=np.float64),
            problems=(() if position else unknown.lines()) + probe.problems.lines(),
        )
    return scores


@dataclass
class _Probe:
    harm: dict[str, float] = field(default_factory=dict)
    clusters: list[str] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)

    def add(self, where: str, measure: str, line: dict[str, Any]) -> None:
        item, kind = line["item_id"], f"{where.rsplit(', line', 1)[0]}: {measure}"
        before, after = _number(line.get("before")), _number(line.get("after"))
        if before is None or after is None:
            self.problems.add(
                kind,
                f"{where}: 'before' and 'after' of {measure} are numbers, not "
                f"{line.get('before')!r:.40} and {line.get('after')!r:.40}; the item is left out",
            )
            return
        if item in self.harm:
            self.problems.add(
                kind, f"{where}: item {item[:60]!r} of {measure} stood before; the first counts"
            )
            return
        self.harm[item] = before - after if PROBES[measure].higher_is_better else after - before
        cluster = line.get("cluster")
        self.clusters.append(sys.intern(cluster) if isinstance(cluster, str) else "")


def _measures(
    path: Path,
    blocks: Sequence[tuple[tuple[str, ...], list[int], list[Any]]],
    numbers: Sequence[int],
    problems: Problems,
) -> dict[str, Scores]:
    """A column for each name, from blocks of names, rows and the values of row after row."""
    found: dict[str, Scores] = {}
    for names, rows, values in blocks:
        lines = [numbers[row] for row in rows]
        table, places = _finite(path, names, lines, values, problems), np.array(rows)
        for position, name in enumerate(names):
            if name not in found and len(found) >= MOST_MEASURES:
                problems.add(
                    f"{path}: metrics",
                    f"{path}, line {lines[0]}: more than {MOST_MEASURES} different metrics; "
                    f"{name[:60]!r} is left out",
                )
                continue
            if name not in found:
                found[name] = np.full(len(numbers), np.nan)
            scores = table[:, position]
            if name in SHARES:
                scores = _from_0_to_1(path, name, lines, scores, problems)
            found[name][places] = scores
    return found


def _from_0_to_1(
    path: Path, name: str, lines: Sequence[int], scores: Scores, problems: Problems
) -> Scores:
    """The scores of a share; what lies outside 0 to 1 is NaN, but for rounding."""
    wrong = (scores < -ROUNDING) | (scores > 1 + ROUNDING)
    for at in np.flatnonzero(wrong):
        problems.add(
            f"{path}: {name!r}",
            f"{path}, line {lines[int(at)]}: {name!r} is {scores[at]:g}, which is not from 0 to 1; "
            "it is left out",
        )
    return np.clip(np.where(wrong, np.nan, scores), 0.0, 1.0)


def _finite(
    path: Path,
    names: Sequence[str],
    numbers: Sequence[int],
    values: list[Any],
    problems: Problems,
) -> Scores:
    """Values (line by line) as a table of one column a name; what is no finite number is NaN."""
    if set(map(type, values)) <= {float, int, type(None)}:
        table = np.array(values, dtype=np.float64)  # None becomes NaN
        if np.count_nonzero(~np.isfinite(table)) == values.count(None):
            return table.reshape(len(numbers), len(names))
    for position, value in enumerate(values):
        if value is not None and _number(value) is None:
            name = names[position % len(names)]
            problems.add(
                f"{path}: {name[:60]!r}",
                f"{path}, line {numbers[position // len(names)]}: {name[:60]!r} is {value!r:.40}, "
                "no finite number; it is left out",
            )
            values[position] = None
    return np.array(values, dtype=np.float64).reshape(len(numbers), len(names))


def _number(value: object) -> float | None:
    """The value as a float; None if it is no number, NaN or infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _texts(
    values: list[object], numbers: Sequence[int], path: Path, problems: Problems
) -> list[str]:
    """The names of the clusters; "" for none."""
    texts = []
    for number, value in zip(numbers, values, strict=True):
        if value is None or isinstance(value, str):
            texts.append(sys.intern(value or ""))
            continue
        problems.add(
            f"{path}: 'cluster'",
            f"{path}, line {number}: 'cluster' is {value!r:.40}, not text; "
            "the question is taken as its own cluster",
        )
        texts.append("")
    return texts
