"""What result rows, predictions and probes say of each arm that can be advised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.advise.blocks import Block, newest_blocks
from harness.advise.figures import Figures, Use
from harness.advise.options import RIGHT
from harness.columns import COLUMNS
from harness.compare.arms import Arm, line_up
from harness.compare.measured import default_primary
from harness.compare.scorebook import Scorebook, Scored, picked
from harness.economics.rows import PER_QUERY, phases_cost
from harness.errors import ConfigError, suggestion
from harness.measures.definitions import PROBES
from harness.stats import Interval, mean_interval, share_interval

if TYPE_CHECKING:
    import pandas as pd

SHARES = tuple(name for name, probe in PROBES.items() if probe.higher_is_better)
"""Probes of which a share is lost: their losses can be set side by side."""

UPPER_BOUNDS = {"oracle": "it is given the passages of the right answer, which no user has"}
"""Kinds of retriever that measure what could be reached, and cannot be put to use."""

FEW_READINGS = 3
"""Fewer different readings of whole runs give no interval."""


@dataclass(frozen=True)
class Asked:
    """Which rows and which of their figures are read.

    Attributes:
        accuracy: the measure that says what is correct; None: the first that every arm has.
        probe: whose harm is limited; None: of each arm the largest among the probes of shares.
        latency: the column, "latency_p95_seconds" or another percentile.
        memory: the column, "peak_memory_gib" or that of the GPU.
        unit: of the costs; what an endpoint bills counts in money alone.
    """

    task: str | None = None
    model: str | None = None
    accuracy: str | None = None
    probe: str | None = None
    latency: str = "latency_p95_seconds"
    memory: str = "peak_memory_gib"
    unit: str = "seconds"


Drawn = tuple[str, Any]
"""What is drawn as one: ("seed", 0) or ("block", 3)."""


@dataclass(frozen=True)
class RunCost:
    """What one run took: training, indexing the whole corpus, and one query."""

    train: Use
    index: Use
    query: Use


@dataclass(frozen=True)
class Reading:
    """A figure with its interval; ends are None where nothing tells the spread."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ArmReadings:
    """One arm: its runs and their scores.

    Attributes:
        runs: its rows, in order of seed.
        costs: of each reading: a run, or a metered block of one.
        drawn_by: names what each reading is drawn with: the seed of its run, or its block.
        metered: the row of each reading, which says how its energy was had.
        scored: its answers, question by question; None without predictions.
        harms: of each probe that is counted, item by item; empty where only rows know it.
        correct: the measure that says what is correct.
    """

    arm: Arm
    costs: tuple[RunCost, ...]
    drawn_by: tuple[Drawn, ...]
    metered: tuple[Mapping[str, Any], ...]
    scored: Scored | None
    harms: Mapping[str, Scored]
    correct: str
    asked: Asked
    elsewhere: bool

    @property
    def name(self) -> str:
        """The arm's label."""
        return self.arm.label

    @property
    def seeds(self) -> tuple[Drawn, ...]:
        """Of its runs."""
        return tuple(("seed", seed) for seed in self.arm.summary.seeds)

    @cached_property
    def figures(self) -> Figures:
        """The arm's figures, each the mean over its runs."""
        accuracy, forgetting, latency, memory = (
            None if one is None else one.value
            for one in (self.accuracy, self.forgetting, self.latency, self.memory)
        )
        return Figures(
            arm=self.name,
            train=mean_use([cost.train for cost in self.costs]),
            index=mean_use([cost.index for cost in self.costs]),
            query=mean_use([cost.query for cost in self.costs]),
            accuracy=accuracy,
            forgetting=forgetting,
            latency=latency,
            memory=memory,
            elsewhere=self.elsewhere,
        )

    @cached_property
    def accuracy(self) -> Reading | None:
        """The share of correct answers, its interval over questions (by entity)."""
        if self.scored is not None:
            matrix = self.scored.measures[self.correct]
            rows = np.flatnonzero(~np.isnan(matrix).any(axis=1))
            means = matrix[rows].mean(axis=1).tolist()
            clusters = picked(self.scored.clusters, rows)
            return _reading(share_interval(means, clusters))
        return self._from_rows(self.correct)

    @cached_property
    def forgetting(self) -> Reading | None:
        """The harm to the probe that is asked for, or the largest harm to any; 0 if frozen."""
        if self.arm.summary.frozen:
            return Reading(0.0, 0.0, 0.0)
        probes = SHARES if self.asked.probe is None else (self.asked.probe,)
        found = [one for probe in probes if (one := self._harm(f"forgetting_{probe}")) is not None]
        return max(found, key=lambda one: one.value, default=None)

    @cached_property
    def latency(self) -> Reading | None:
        """Seconds of one query by itself."""
        return self.of_runs([_number(row, self.asked.latency) for row in self.arm.runs])

    @cached_property
    def memory(self) -> Reading | None:
        """GiB at the peak of the whole run, training included."""
        return self.of_runs([_number(row, self.asked.memory) for row in self.arm.runs])

    @cached_property
    def estimated(self) -> bool:
        """Whether the energy of any reading is an estimate, or not said to be from a counter."""
        return any(row["energy_source"] != "counter" for row in self.metered)

    @cached_property
    def assumed_watts(self) -> float:
        """The share of the energy that rests on assumed watts; all of an estimate if unsaid."""
        told = [_number(row, "energy_assumed_share") for row in self.metered]
        unsaid = 1.0 if self.estimated else 0.0
        return fmean(unsaid if share is None else share for share in told)

    @staticmethod
    def of_runs(values: Sequence[float | None]) -> Reading | None:
        """The mean of a figure over runs, with a t interval if enough readings differ."""
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return None
        if len(set(known)) < FEW_READINGS:
            return Reading(fmean(known))
        return _reading(mean_interval(known))

    def _harm(self, measure: str) -> Reading | None:
        found, scored = self._from_rows(measure), self.harms.get(measure)
        if scored is None or (found is not None and found.low is not None):
            # A run's own interval knows what stood before and after; items hold the harm alone.
            return found
        matrix = scored.measures[measure]
        return _reading(mean_interval(matrix.mean(axis=1).tolist(), scored.clusters))

    def _from_rows(self, measure: str) -> Reading | None:
        """The mean of the rows and of their intervals, which is never too narrow."""
        ends = [
            [_number(row, name) for row in self.arm.runs]
            for name in (measure, f"{measure}_low", f"{measure}_high")
        ]
        value, low, high = (
            fmean(known)
            if len(known := [v for v in column if v is not None]) == len(column)
            else None
            for column in ends
        )
        return None if value is None else Reading(value, low, high)


def read_arms(frame: pd.DataFrame, asked: Asked) -> tuple[list[ArmReadings], list[str]]:
    """The arms that can be advised, and what was left out and why.

    Raises:
        ConfigError: the rows are of several tasks, models or test splits, a name is unknown, or no
            arm is left.
    """
    frame = frame[frame["status"] == "ok"]
    if frame.empty:
        raise ConfigError("no run finished: there is nothing to advise from")
    for column in ("task", "model"):
        frame = _chosen(frame, column, getattr(asked, column))
    splits = set(frame["split_sha256"].dropna())
    if len(splits) > 1:
        raise ConfigError(
            "the runs answered different test questions (split_sha256): name one table of runs"
        )
    lined_up, told = line_up(frame)
    kept = []
    for arm in lined_up:
        why = UPPER_BOUNDS.get(str(arm.runs[0].get("retriever")))
        if why:
            told.append(f"{arm.label} is not advised: {why}")
        else:
            kept.append(arm)
    book = Scorebook()
    correct = _correct(kept, asked.accuracy)
    if not kept:
        raise ConfigError("no arm that could be advised has a finished run")
    blocks, said = newest_blocks(kept)
    found = [_readings(arm, blocks.get(arm.label, ()), book, correct, asked) for arm in kept]
    return found, [*told, *said, *book.problems]


def mean_use(uses: Sequence[Use]) -> Use:
    """The mean of what runs took; None where one of them does not know it."""

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None

    return Use(
        mean([use.seconds for use in uses]),
        mean([use.kwh for use in uses]),
        fmean(use.bill_usd for use in uses),
    )


def _readings(
    arm: Arm, blocks: Sequence[Block], book: Scorebook, correct: str, asked: Asked
) -> ArmReadings:
    scored = book.answers(arm)
    if scored is not None and correct not in scored.measures:
        scored = None
    rows = [dict.fromkeys(COLUMNS) | dict(row) for row in arm.runs]
    metered: list[tuple[Drawn, Mapping[str, Any]]] = [
        (("block", block), dict.fromkeys(COLUMNS) | dict(row)) for block, row in blocks
    ] or [(("seed", row["seed"]), row) for row in rows]
    return ArmReadings(
        arm=arm,
        costs=tuple(_run_cost(row, asked.unit) for _, row in metered),
        drawn_by=tuple(drawn for drawn, _ in metered),
        metered=tuple(row for _, row in metered),
        scored=scored,
        harms={} if arm.summary.frozen else book.harm(arm),
        correct=correct,
        asked=asked,
        elsewhere=any(row["api_cost_usd"] is not None for row in rows),
    )


def _run_cost(row: Mapping[str, Any], unit: str) -> RunCost:
    questions, paid = row["n_test"], row["api_cost_usd"]
    if not questions or questions <= 0:
        return RunCost(_use(row, ("prepare", "train")), _use(row, ("index",)), Use(None, None))
    billed = unit == "usd" and paid is not None
    answering = _use(row, ("retrieve",) if billed else PER_QUERY)
    query = Use(
        None if answering.seconds is None else answering.seconds / questions,
        None if answering.kwh is None else answering.kwh / questions,
        float(paid) / questions if billed else 0.0,
    )
    return RunCost(_use(row, ("prepare", "train")), _use(row, ("index",)), query)


def _use(row: Mapping[str, Any], phases: tuple[str, ...]) -> Use:
    return Use(phases_cost(row, phases, "seconds"), phases_cost(row, phases, "kwh"))


def _correct(arms: Sequence[Arm], asked: str | None) -> str:
    """The measure that says what is correct."""
    has = [{name for name in RIGHT if any(name in row for row in arm.runs)} for arm in arms]
    if asked is not None:
        if not any(asked in names for names in has):
            raise ConfigError(f"no arm has the measure {asked}")
        return asked
    chosen = default_primary(RIGHT, has)
    if not chosen:
        raise ConfigError(
            f"the arms have no measure that says what is correct: one of {', '.join(RIGHT)}"
        )
    return chosen[0]


def _chosen(frame: pd.DataFrame, column: str, wanted: str | None) -> pd.DataFrame:
    """The rows of one task or model."""
    there = sorted({str(value) for value in frame[column].dropna()})
    if wanted is None:
        if len(there) > 1:
            raise ConfigError(
                f"the runs are of several {column}s: give --{column}, one of {', '.join(there)}"
            )
        return frame
    if wanted not in there:
        raise ConfigError(
            f"--{column} is '{wanted}'{suggestion(wanted, there)}; it is one of {', '.join(there)}"
        )
    return frame[frame[column] == wanted]


def _reading(interval: Interval | None) -> Reading | None:
    return None if interval is None else Reading(interval.mean, interval.low, interval.high)


def _number(row: Mapping[str, Any], column: str) -> float | None:
    value = row.get(column)
    return None if value is None else float(value)
