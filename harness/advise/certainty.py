"""How sure the advice is: questions, probe items and runs drawn anew, and the rule applied to each.

Arms share their draws. Questions are drawn by entity, and the same ones for all arms; seeds too,
so that an arm whose training varies is seen to vary, in accuracy and in cost. Where costs were
metered in blocks, whole blocks are drawn for them. A cost that was measured once adds no spread,
nor do prices and other assumptions: those are one-at-a-time scenarios.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.advise.figures import Figures, Use, cost
from harness.advise.readings import SHARES, ArmReadings, Drawn
from harness.advise.rule import advised
from harness.advise.situation import Situation
from harness.compare.align import pair
from harness.compare.estimate import Estimate, over_seeds, these_weights
from harness.compare.scorebook import Scored

Matrix = NDArray[np.float64]

DRAWS = 2000
CONFIDENCE = 0.95

CHUNK = 100
"""Draws that are turned into floats at once: 50,000 questions would fill the memory else."""


@dataclass(frozen=True)
class Certainty:
    """What the draws say.

    Attributes:
        shares: arm, or None for no arm, to the share of draws in which it is advised; most first.
    """

    shares: dict[str | None, float]
    draws: int


@dataclass(frozen=True)
class Against:
    """The advised arm against the runner-up, where noise could be all there is.

    Attributes:
        p: of no difference in accuracy; None where it could not be tested.
        cost_low, cost_high: interval of what the runner-up costs more; None if no cost was read
            twice.
        either: whether neither accuracy nor cost is shown to differ.
    """

    p: float | None
    method: str
    cost_low: float | None
    cost_high: float | None

    @property
    def either(self) -> bool:
        """Whether either arm will do, for all that was measured."""
        if self.p is None or self.cost_low is None or self.cost_high is None:
            return False
        return self.p > 1 - CONFIDENCE and self.cost_low <= 0 <= self.cost_high


def drawn_figures(
    arms: Sequence[ArmReadings], draws: int = DRAWS, seed: int = 0
) -> list[list[Figures]]:
    """The figures of all arms in each of so many draws."""
    random = np.random.default_rng(seed)
    seeds = _Drawn({seed for arm in arms for seed in arm.seeds}, random, draws)
    blocks = {one for arm in arms for one in arm.drawn_by} - set(seeds.names)
    readings = _Drawn(blocks, random, draws) if blocks else seeds
    by_question = _Clusters([arm.scored for arm in arms if arm.scored is not None], random, draws)
    probes = sorted({name for arm in arms for name in arm.harms})
    by_item = {
        name: _Clusters([arm.harms[name] for arm in arms if name in arm.harms], random, draws)
        for name in probes
    }
    columns = [_of_arm(arm, seeds, readings, by_question, by_item) for arm in arms]
    return [[column[draw] for column in columns] for draw in range(draws)]


def certainty(drawn: Sequence[Sequence[Figures]], situation: Situation) -> Certainty:
    """How often each arm is advised among the draws."""
    counts = Counter(advised(figures, situation) for figures in drawn)
    shares = {arm: count / len(drawn) for arm, count in counts.most_common()}
    return Certainty(shares, len(drawn))


def against(
    best: ArmReadings,
    other: ArmReadings,
    drawn: Sequence[Sequence[Figures]],
    situation: Situation,
) -> Against:
    """Whether the advised arm is shown to differ from the runner-up."""
    found = _accuracy_test(best, other)
    p, method = (found.p, found.method) if isinstance(found, Estimate) else (None, found)
    if len(set(best.costs)) == len(set(other.costs)) == 1:
        return Against(p, method, None, None)
    more = []
    for figures in drawn:
        by_name = {one.arm: one for one in figures}
        pair_of = cost(by_name[best.name], situation), cost(by_name[other.name], situation)
        if pair_of[0] is None or pair_of[1] is None:
            return Against(p, method, None, None)
        more.append(pair_of[1] - pair_of[0])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(more, [tail, 1 - tail])
    return Against(p, method, float(low), float(high))


def _accuracy_test(best: ArmReadings, other: ArmReadings) -> Estimate | str:
    """The paired difference in accuracy: over seeds if there are enough, else of these weights."""
    if best.scored is None or other.scored is None:
        return "one of them has no predictions to pair"
    matched = pair(best.scored, other.scored)
    if matched is None:
        return "they share no question"
    aligned = matched.scores(best.correct)
    if isinstance(aligned, str):
        return aligned
    sides = (aligned.baseline, aligned.arm, aligned.clusters, True)
    try:
        # A frozen arm whose answers differ between runs does have a spread of its own.
        frozen = [
            one.arm.summary.frozen and matrix.shape[1] == 1
            for one, matrix in zip((best, other), sides[:2], strict=True)
        ]
        same = best.scored.seeds == other.scored.seeds
        over = over_seeds(*sides, baseline_frozen=frozen[0], arm_frozen=frozen[1], same_seeds=same)
        return over if isinstance(over, Estimate) else these_weights(*sides)
    except ValueError as error:
        return str(error)


class _Clusters:
    """The entities of several arms' questions, and how often each draw holds each of them."""

    def __init__(self, scored: Sequence[Scored], random: np.random.Generator, draws: int) -> None:
        names = dict.fromkeys(name for one in scored for name in _entities(one))
        self.places = {name: place for place, name in enumerate(names)}
        self.counts = _counts(random, len(names), draws)

    def means(self, scored: Scored, measure: str) -> Matrix:
        """The mean of a measure over the drawn questions, ``(draws, replicates)``."""
        matrix = scored.measures[measure]
        known = ~np.isnan(matrix).any(axis=1)
        places = np.array([self.places[name] for name in _entities(scored)])[known]
        sums = np.zeros((len(self.places), matrix.shape[1]))
        np.add.at(sums, places, matrix[known])
        sizes = np.bincount(places, minlength=len(self.places)).astype(np.float64)
        means = [
            _mean_of(self.counts[start : start + CHUNK].astype(np.float64), sums, sizes)
            for start in range(0, len(self.counts), CHUNK)
        ]
        return np.concatenate(means)


class _Drawn:
    """Seeds or blocks, and how often each draw holds each of them."""

    def __init__(self, names: set[Drawn], random: np.random.Generator, draws: int) -> None:
        self.names = sorted(names, key=str)
        self.counts = _counts(random, len(self.names), draws)

    def weights(self, own: Sequence[Drawn]) -> Matrix:
        """The weight of each of an arm's readings, ``(draws, readings)``.

        Equal where a draw holds none of them.
        """
        counts = self.counts[:, [self.names.index(name) for name in own]]
        counts = np.where(counts.sum(axis=1, keepdims=True) == 0, 1.0, counts)
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def of_runs(self, scored: Scored) -> Matrix:
        """The same of the runs that scores are from."""
        return self.weights([("seed", seed) for seed in scored.seeds])


def _of_arm(
    arm: ArmReadings,
    seeds: _Drawn,
    readings: _Drawn,
    by_question: _Clusters,
    by_item: dict[str, _Clusters],
) -> list[Figures]:
    draws = len(seeds.counts)
    point = arm.figures
    runs, costs = seeds.weights(arm.seeds), readings.weights(arm.drawn_by)
    accuracy: Sequence[float | None] = _known(point.accuracy, draws)
    if arm.scored is not None:
        per_run = by_question.means(arm.scored, arm.correct)
        accuracy = _weighed(per_run, seeds.of_runs(arm.scored))
    forgetting = _forgetting(arm, seeds, by_item)
    latency = _of_rows(arm, arm.asked.latency, point.latency, runs)
    memory = _of_rows(arm, arm.asked.memory, point.memory, runs)
    train, index, query = (
        _uses([getattr(one, part) for one in arm.costs], costs)
        for part in ("train", "index", "query")
    )
    return [
        replace(
            point,
            train=train[draw],
            index=index[draw],
            query=query[draw],
            accuracy=accuracy[draw],
            forgetting=forgetting[draw],
            latency=latency[draw],
            memory=memory[draw],
        )
        for draw in range(draws)
    ]


def _forgetting(
    arm: ArmReadings, seeds: _Drawn, by_item: dict[str, _Clusters]
) -> Sequence[float | None]:
    """The harm that counts in each draw: of the probe that is asked for, or the largest."""
    wanted = SHARES if arm.asked.probe is None else (arm.asked.probe,)
    names = [name for probe in wanted if (name := f"forgetting_{probe}") in arm.harms]
    if not names:
        return _known(arm.figures.forgetting, len(seeds.counts))
    harms = [
        _weighed(by_item[name].means(arm.harms[name], name), seeds.of_runs(arm.harms[name]))
        for name in names
    ]
    return [max(values) for values in zip(*harms, strict=True)]


def _counts(random: np.random.Generator, things: int, draws: int) -> NDArray[np.uint16]:
    """How often each thing is drawn, ``(draws, things)``: as many draws of them as there are."""
    counts = np.zeros((draws, things), dtype=np.uint16)
    for row in counts if things else ():
        row[:] = np.bincount(random.integers(things, size=things), minlength=things)
    return counts


def _mean_of(counts: Matrix, sums: Matrix, sizes: Matrix) -> Matrix:
    drawn = counts @ sizes
    # A draw without any question of this arm says nothing of it: all of them count.
    empty = drawn == 0
    weights = np.where(empty[:, None], 1.0, counts)
    return np.asarray(weights @ sums / np.where(empty, sizes.sum(), drawn)[:, None])


def _weighed(per_run: Matrix, weights: Matrix) -> list[float]:
    return [float(value) for value in (per_run * weights).sum(axis=1)]


def _known(value: float | None, draws: int) -> list[float | None]:
    return [value] * draws


def _of_rows(
    arm: ArmReadings, column: str, point: float | None, weights: Matrix
) -> Sequence[float | None]:
    if point is None:
        return _known(None, len(weights))
    values = np.array([float(row[column]) for row in arm.arm.runs])
    return [float(value) for value in weights @ values]


def _uses(uses: Sequence[Use], weights: Matrix) -> list[Use]:
    """What the drawn runs took on average."""

    def drawn(values: Sequence[float | None]) -> Sequence[float | None]:
        if any(value is None for value in values):
            return _known(None, len(weights))
        return [float(value) for value in weights @ np.array(values, dtype=np.float64)]

    quantities = (
        drawn([use.seconds for use in uses]),
        drawn([use.kwh for use in uses]),
        [float(value) for value in weights @ np.array([use.bill_usd for use in uses])],
    )
    return [Use(*each) for each in zip(*quantities, strict=True)]


def _entities(scored: Scored) -> list[str]:
    """The entity of each question, or the question itself where it shares none."""
    return [
        f"entity {cluster}" if cluster else f"question {name}"
        for name, cluster in zip(scored.ids, scored.clusters, strict=True)
    ]
