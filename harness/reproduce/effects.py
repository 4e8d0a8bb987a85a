"""The effect that a claim speaks of, with an interval: a number and how far it can be trusted.

A difference, an interaction and a slope are each a weighted sum of arm means whose weights add up
to 0. With s the sum of the positive weights, it is s times the difference between two weighted
means of scores, both between 0 and 1 where the scores are: so ``compare.estimate``, which was
simulated for that, gives its interval. What is no such sum (a curve read at matched accuracy, the
choice of the best) is resampled over entities, 4,000 times, by percentiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.compare.estimate import MIN_SEEDS, Estimate, Matrix, over_seeds, these_weights
from harness.reproduce.claims import (
    Buckets,
    Choice,
    Difference,
    Interaction,
    Matched,
    OfScores,
    Slope,
)
from harness.reproduce.sheet import Sheet

DRAWS = 4_000
INNER = 200
"""Draws by which a probability is taken within each draw of the questions."""

Values = NDArray[np.float64]

Points = list[tuple[float, float]]
"""Accuracy and harm of arms."""


@dataclass(frozen=True)
class Volume:
    """Queries above which an arm is cheaper for good, and the interval; 0 is from the first on."""

    queries: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        return (self.low, self.high)


@dataclass(frozen=True)
class Volumes:
    """What a ratio of volumes is made of.

    Attributes:
        formula: "2D/r" or "3D/r", of D ``trained_tokens`` and r ``extra_prompt_tokens`` a query.
        seconds, kwh: the measured volume; None where a cost is unknown.
        reasons: why the two differ, in the readings' own figures.
        told: what the readings are, and what they lack.
    """

    formula: str
    trained_tokens: float
    extra_prompt_tokens: float
    predicted: float
    seconds: Volume
    kwh: Volume | None
    reasons: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """An effect and its interval, for the weights at hand.

    Attributes:
        n: questions (or probe items, or metered blocks); clusters: the entities that they are
            about.
        seeds: of the trained arms, the fewest; 1 where none is trained.
        over_seeds: the interval of the method over seeds, where there are enough of them.
        smallest: what would be told from 0 in 80 % of such studies; None where it is resampled.
        volumes: of a ``VolumeRatio``, both volumes.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    seeds: int
    method: str
    over_seeds: tuple[float, float] | None = None
    smallest: float | None = None
    volumes: Volumes | None = None


def effect(
    contrast: OfScores, sheet: Sheet, level: float, harm: Sheet | None = None
) -> Effect | str:
    """The effect with its interval at ``1 - level``; or why there is none.

    Args:
        sheet: scores by which the claim is judged; for ``Matched`` those of the target.
        harm: for ``Matched`` the harm of each probe item.
    """
    if len(np.unique(sheet.clusters)) < 2:
        return "questions about one entity leave no spread to estimate"
    if isinstance(contrast, Buckets):
        return _buckets(contrast, sheet, level)
    if isinstance(contrast, Matched):
        assert harm is not None
        return _matched(contrast, sheet, harm, level)
    if isinstance(contrast, Choice):
        return _choice(contrast, sheet, level)
    return _weighted(weights(contrast), sheet, level)


def weights(contrast: Difference | Interaction | Slope) -> dict[str, float]:
    """Arm -> its weight in the sum that the contrast is."""
    found: dict[str, float] = {}

    def add(arm: str, weight: float) -> None:
        found[arm] = found.get(arm, 0.0) + weight

    if isinstance(contrast, Difference):
        add(contrast.arm, 1.0)
        add(contrast.baseline, -1.0)
    elif isinstance(contrast, Interaction):
        add(contrast.arm, 1.0)
        add(contrast.baseline, -1.0)
        add(contrast.other_arm, -1.0)
        add(contrast.other_baseline, 1.0)
    else:
        for sign, over in ((1.0, contrast.over), (-1.0, contrast.control)):
            for arm, weight in _slope_weights(over).items():
                add(arm, sign * weight)
    return {arm: weight for arm, weight in found.items() if abs(weight) > 1e-12}


def _slope_weights(over: Mapping[str, float]) -> dict[str, float]:
    """Weights by which the arms' means give the least-squares slope over their numbers."""
    if not over:
        return {}
    x = np.array(list(over.values()), dtype=float)
    centred = x - x.mean()
    return dict(zip(over, (centred / (centred**2).sum()).tolist(), strict=True))


def _weighted(weight: Mapping[str, float], sheet: Sheet, level: float) -> Effect:
    fixed, over, scale, seeds = _estimate(weight, sheet)
    low, high = fixed.interval(1 - level)
    ends = over.interval(1 - level) if over is not None else None
    return Effect(
        value=fixed.difference * scale,
        low=low * scale,
        high=high * scale,
        n=fixed.n,
        clusters=fixed.clusters,
        seeds=seeds,
        method=fixed.method,
        over_seeds=(ends[0] * scale, ends[1] * scale) if ends else None,
        smallest=fixed.smallest_effect(level) * scale,
    )


def _estimate(
    weight: Mapping[str, float], sheet: Sheet
) -> tuple[Estimate, Estimate | None, float, int]:
    """The estimate for these weights, that over seeds if they are enough, its scale, the seeds."""
    scale = sum(value for value in weight.values() if value > 0)
    trained = [arm for arm in weight if arm not in sheet.frozen]
    same = {sheet.seeds[arm] for arm in trained}
    count = len(next(iter(same))) if len(same) == 1 else 1
    positive = _mixed({a: w / scale for a, w in weight.items() if w > 0}, sheet, count)
    negative = _mixed({a: -w / scale for a, w in weight.items() if w < 0}, sheet, count)
    fixed = these_weights(negative, positive, sheet.clusters, sheet.bounded)
    over = None
    if trained and count >= MIN_SEEDS:
        found = over_seeds(negative, positive, sheet.clusters, sheet.bounded)
        over = found if isinstance(found, Estimate) else None
    fewest = min((len(sheet.seeds[arm]) for arm in trained), default=1)
    return fixed, over, scale, fewest


def _mixed(weight: Mapping[str, float], sheet: Sheet, count: int) -> Matrix:
    """The weighted sum of the arms' scores, a column a seed; a frozen arm's in every column."""
    total = np.zeros((sheet.n, count))
    for arm, value in weight.items():
        matrix = sheet.scores[arm]
        total += value * (matrix if matrix.shape[1] == count else matrix.mean(axis=1)[:, None])
    return total


def _buckets(contrast: Buckets, sheet: Sheet, level: float) -> Effect | str:
    """The difference between two buckets' effects; their entities are different ones."""
    values = sheet.columns.get(contrast.column)
    if values is None:
        return f"the predictions have no column '{contrast.column}'"
    names = np.array([str(value) for value in values])
    parts = []
    for name in (contrast.first, contrast.second):
        inside = sheet.only(names == name)
        if len(np.unique(inside.clusters)) < 2:
            return f"fewer than two entities have {contrast.column} {name}"
        parts.append(inside)
    if np.intersect1d(parts[0].clusters, parts[1].clusters).size:
        return f"one entity has questions of both values of {contrast.column}"
    difference = {contrast.arm: 1.0, contrast.baseline: -1.0}
    a, _, _, seeds = _estimate(difference, parts[0])
    b, _, _, _ = _estimate(difference, parts[1])
    both = Estimate(
        baseline_value=b.difference,
        arm_value=a.difference,
        terms=(*a.terms, *b.terms),
        method=f"{a.method.split(' with ')[0]} in each bucket, in quadrature",
        n=a.n + b.n,
        clusters=a.clusters + b.clusters,
        centre=a.centre - b.centre,
        bound=2.0 if sheet.bounded else None,
    )
    low, high = both.interval(1 - level)
    return Effect(
        value=both.difference,
        low=low,
        high=high,
        n=both.n,
        clusters=both.clusters,
        seeds=seeds,
        method=both.method,
        smallest=both.smallest_effect(level),
    )


def _matched(contrast: Matched, target: Sheet, harm: Sheet, level: float) -> Effect | str:
    """Questions and probe items are drawn apart: entities of each, with replacement."""
    accuracy = {arm: target.scores[arm].mean(axis=1) for arm in contrast.arms}
    harms = {arm: harm.scores[arm].mean(axis=1) for arm in contrast.arms}

    def read(questions: Values, items: Values) -> tuple[Points, Points]:
        at = {arm: float(values @ questions) for arm, values in accuracy.items()}
        of = {arm: float(values @ items) for arm, values in harms.items()}
        return (
            [(at[arm], of[arm]) for arm in contrast.points],
            [(at[arm], of[arm]) for arm in contrast.curve],
        )

    points, curve = read(np.full(target.n, 1 / target.n), np.full(harm.n, 1 / harm.n))
    if np.ptp([at for at, _ in curve]) < 1e-9:
        return f"all arms of the curve are at one accuracy ({curve[0][0]:.1%}): they are no curve"
    whole = matched_gap(points, curve)
    if whole is None:
        return "no arm's accuracy lies within that of the curve, so none is matched"
    inside = len(within(points, curve))
    rng = np.random.default_rng(0)
    drawn = [
        matched_gap(*read(_draw(rng, target.clusters), _draw(rng, harm.clusters)))
        for _ in range(DRAWS)
    ]
    known = np.array([value for value in drawn if value is not None])
    if len(known) < 0.9 * DRAWS:
        return "in more than a tenth of the draws no arm's accuracy lies within that of the curve"
    found = _by_percentiles(whole, known, level, harm, _fewest(target, contrast.arms))
    return replace(found, method=f"{inside} of {len(points)} arms within the curve; {found.method}")


def within(points: Points, curve: Points) -> Points:
    """The points whose accuracy lies between the ends of the curve."""
    ends = [at for at, _ in curve]
    return [(at, harm) for at, harm in points if min(ends) <= at <= max(ends)]


def matched_gap(points: Points, curve: Points) -> float | None:
    """Mean over ``points`` of the curve's harm at the point's accuracy, minus the point's harm.

    Between two arms of the curve, in order of accuracy, harm is read off
    a straight line; points beyond its ends do not count; None where all are.
    """
    ordered = sorted(curve)
    x, y = [one[0] for one in ordered], [one[1] for one in ordered]
    inside = within(points, curve)
    if not inside:
        return None
    return float(np.mean([np.interp(at, x, y) - harm for at, harm in inside]))


def _choice(contrast: Choice, sheet: Sheet, level: float) -> Effect | str:
    """Probability that validation chooses another arm than the one that is best on the rest."""
    scores = np.stack([sheet.scores[arm].mean(axis=1) for arm in contrast.among], axis=1)
    ids = np.unique(sheet.clusters, return_inverse=True)[1]
    count = int(ids.max()) + 1
    columns = [np.bincount(ids, weights=column).astype(np.float64) for column in scores.T]
    sums: Values = np.stack(columns, axis=1)
    chosen = max(1, round(contrast.validation * count))
    if count - chosen < 1:
        return "too few entities to choose on some and test on others"
    rng = np.random.default_rng(0)
    whole = unstable(rng, sums, chosen, DRAWS)
    outer = DRAWS // 4
    drawn = np.array(
        [unstable(rng, sums[rng.integers(count, size=count)], chosen, INNER) for _ in range(outer)]
    )
    return _by_percentiles(whole, drawn, level, sheet, _fewest(sheet, contrast.among))


def unstable(rng: np.random.Generator, sums: Values, chosen: int, draws: int) -> float:
    """Share of random splits in which the arm best on ``chosen`` entities is not the rest's best.

    Args:
        sums: scores of each entity's questions added up, ``(entities, arms)``. On a tie the first
            arm is taken on both sides: the smallest K, as the harness does.
    """
    order = rng.permuted(np.tile(np.arange(len(sums)), (draws, 1)), axis=1)[:, :chosen]
    part = sums[order].sum(axis=1)
    rest = sums.sum(axis=0) - part
    return float((part.argmax(axis=1) != rest.argmax(axis=1)).mean())


def _draw(rng: np.random.Generator, clusters: NDArray[np.int64]) -> Values:
    """Weights of the questions, adding up to 1, when entities are drawn with replacement."""
    ids = np.unique(clusters, return_inverse=True)[1]
    count = int(ids.max()) + 1
    times = np.bincount(rng.integers(count, size=count), minlength=count)[ids]
    found: Values = times / times.sum()
    return found


def _by_percentiles(value: float, drawn: Values, level: float, sheet: Sheet, seeds: int) -> Effect:
    low, high = np.quantile(drawn, [level / 2, 1 - level / 2])
    return Effect(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        n=sheet.n,
        clusters=len(np.unique(sheet.clusters)),
        seeds=seeds,
        method="percentiles of resampled entities",
    )


def _fewest(sheet: Sheet, arms: tuple[str, ...]) -> int:
    return min((len(sheet.seeds[arm]) for arm in arms if arm not in sheet.frozen), default=1)
