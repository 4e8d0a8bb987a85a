"""The difference between two arms, with an interval and a test that agree with each other.

Two estimands. *These trained weights*: questions are a sample, the weights at hand are fixed.
*The method over seeds*: seeds are a sample too, so that another training run is spoken of. How well
each holds is simulated in ``benchmarks/coverage.py``; what failed there is not used here.

* **The question term.** d, a question's mean difference over seeds, has a cluster-robust
  variance (jackknife over clusters) with clusters − 1 degrees of freedom, fewer where clusters are
  of very different size. For scores between 0 and 1 the
  adjustment of Bonett & Price (2012, doi:10.3102/1076998611411915) comes first: one question more
  that the arm wins outright and one more that it loses, without which a few lucky questions near
  the ceiling, or none that differ, would look certain. Each weighs as much as a cluster does: the
  design effect, and at least the root of the clusters' size, since a design effect is poorly known
  where few questions differ.
* **The seed term.** The spread of the seeds' own mean differences, with seeds − 1 degrees of
  freedom. The two half-widths are added in quadrature, each with its own t quantile: a
  Satterthwaite approximation covered 90 % where 95 % was asked.
* **McNemar.** For one seed, 0/1 scores and no clusters the mid-p version of McNemar's exact test
  (Fagerland, Lydersen & Laake 2013, doi:10.1186/1471-2288-13-91) must agree before a difference
  counts as shown; else the interval is drawn out to 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Matrix = NDArray[np.float64]
Ids = NDArray[np.int64]

MIN_SEEDS = 3
"""Fewer say nothing of the spread between seeds: with two, a t quantile is 12.7."""

POWER = 0.8


@dataclass(frozen=True)
class Term:
    """One source of error: its standard error, and the degrees of freedom that it is known with."""

    standard_error: float
    freedom: float

    def half_width(self, tail: float) -> float:
        """How far the quantile with ``tail`` probability beyond it lies from the centre."""
        if self.standard_error == 0:
            return 0.0
        return self.standard_error * _upper_quantile(tail, self.freedom)


@dataclass(frozen=True)
class Estimate:
    """arm − baseline, and how far it can be trusted.

    Attributes:
        centre: of the interval: the difference, drawn towards 0 for bounded scores.
        shrink: centre / difference, by which an effect moves the centre.
        exact_p: of McNemar's mid-p test; None where it does not apply.
        bound: the largest difference that there can be; None for unbounded values.
    """

    baseline_value: float
    arm_value: float
    terms: tuple[Term, ...]
    method: str
    n: int
    clusters: int
    baseline_seeds: int = 1
    arm_seeds: int = 1
    paired: bool = True
    centre: float = 0.0
    shrink: float = 1.0
    exact_p: float | None = None
    bound: float | None = None

    @property
    def difference(self) -> float:
        return self.arm_value - self.baseline_value

    @cached_property
    def p(self) -> float:
        """Two-sided p of no difference: the smallest alpha whose interval leaves out 0."""
        distance = abs(self.centre)
        if distance == 0:
            return 1.0
        own = _tail_at(self.terms, distance) * 2
        return min(1.0, own if self.exact_p is None else max(own, self.exact_p))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Both ends; 0 lies inside exactly where ``p`` exceeds 1 − confidence."""
        half = _half_width(self.terms, (1 - confidence) / 2)
        low, high = self.centre - half, self.centre + half
        if self.exact_p is not None and self.exact_p > 1 - confidence:
            low, high = min(low, 0.0), max(high, 0.0)
        if self.bound is not None:
            low, high = max(low, -self.bound), min(high, self.bound)
        return min(low, self.difference), max(high, self.difference)

    def smallest_effect(self, alpha: float) -> float:
        """The difference that would be shown at level ``alpha`` in 80 % of studies like this one.

        From the spread of the differences alone, never from the difference that was seen. For 0/1
        scores of one seed at least the fewest questions that McNemar's test can show anything by.
        """
        half = _half_width(self.terms, alpha / 2) + _half_width(self.terms, 1 - POWER)
        least = half / self.shrink
        if self.exact_p is not None:
            least = max(least, fewest_discordant(alpha) / self.n)
        return least if self.bound is None else min(least, self.bound)


def these_weights(baseline: Matrix, arm: Matrix, clusters: Ids | None, bounded: bool) -> Estimate:
    """The difference for the weights at hand; questions are resampled.

    Args:
        baseline, arm: scores, ``(questions, replicates)``, the same questions in both, no NaN.
        clusters: number of each question's cluster from 0; None: each question is its own.
        bounded: whether scores lie between 0 and 1.

    Raises:
        ValueError: other questions, a value that is not finite, or fewer than two clusters.
    """
    _check(baseline, arm)
    d = arm.mean(axis=1) - baseline.mean(axis=1)
    ids, count = _numbered(clusters, len(d))
    if count < 2:
        raise ValueError("one cluster leaves no spread to estimate")
    centre, term, shrink = _question_term(d, ids, count, bounded)
    one = baseline.shape[1] == arm.shape[1] == 1
    exact = None
    if one and count == len(d) and _is_binary(baseline) and _is_binary(arm):
        exact = mcnemar_mid_p(int((d > 0).sum()), int((d < 0).sum()))
    name = "Bonett–Price" if bounded else "paired t"
    return Estimate(
        baseline_value=float(baseline.mean()),
        arm_value=float(arm.mean()),
        terms=(term,),
        method=name
        + (" over clusters" if count < len(d) else "")
        + (" with McNemar mid-p" if exact is not None else ""),
        n=len(d),
        clusters=count,
        baseline_seeds=baseline.shape[1],
        arm_seeds=arm.shape[1],
        centre=centre,
        shrink=shrink,
        exact_p=exact,
        bound=1.0 if bounded else None,
    )


def over_seeds(
    baseline: Matrix,
    arm: Matrix,
    clusters: Ids | None,
    bounded: bool,
    *,
    baseline_frozen: bool = False,
    arm_frozen: bool = False,
    same_seeds: bool = True,
) -> Estimate | str:
    """The difference between the methods: questions and seeds are resampled; or why there is none.

    A frozen arm repeats itself, so it adds nothing to the spread between seeds. Where both are
    trained with the same seeds, column for column, seeds are paired.

    Raises:
        ValueError: as ``these_weights``.
    """
    if baseline_frozen and arm_frozen:
        return "both arms are frozen: nothing depends on the seed"
    trained = [
        matrix.shape[1]
        for matrix, frozen in ((baseline, baseline_frozen), (arm, arm_frozen))
        if not frozen
    ]
    if min(trained) < MIN_SEEDS:
        seeds = f"{min(trained)} seed{'s' if min(trained) > 1 else ''}"
        return f"{seeds} of a trained arm, {MIN_SEEDS} needed"
    fixed = these_weights(baseline, arm, clusters, bounded)
    if baseline_frozen or arm_frozen:
        means = (baseline if arm_frozen else arm).mean(axis=0)
        terms: tuple[Term, ...] = (_seed_term(means),)
    elif same_seeds and baseline.shape == arm.shape:
        terms = (_seed_term(arm.mean(axis=0) - baseline.mean(axis=0)),)
    else:
        terms = (_seed_term(baseline.mean(axis=0)), _seed_term(arm.mean(axis=0)))
    return Estimate(
        baseline_value=fixed.baseline_value,
        arm_value=fixed.arm_value,
        terms=(*fixed.terms, *terms),
        method=f"{fixed.method.split(' with ')[0]}, and t over seeds, in quadrature",
        n=fixed.n,
        clusters=fixed.clusters,
        baseline_seeds=fixed.baseline_seeds,
        arm_seeds=fixed.arm_seeds,
        centre=fixed.centre,
        shrink=fixed.shrink,
        bound=fixed.bound,
    )


def runs_difference(baseline: Sequence[float], arm: Sequence[float]) -> Estimate | str:
    """The difference of figures of whole runs, such as seconds; or why it cannot be tested.

    Welch's t in quadrature form: each arm's readings have a spread of their own.
    """
    fewest = min(len(baseline), len(arm))
    if fewest < MIN_SEEDS:
        readings = f"{fewest} reading{'s' if fewest != 1 else ''}"
        return f"{readings} of an arm, {MIN_SEEDS} needed"
    first, second = np.asarray(baseline, dtype=float), np.asarray(arm, dtype=float)
    _finite(first, "baseline")
    _finite(second, "arm")
    difference = float(second.mean() - first.mean())
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return "every reading of an arm is the same: no spread to test by"
    return Estimate(
        baseline_value=float(first.mean()),
        arm_value=float(second.mean()),
        terms=(_seed_term(first), _seed_term(second)),
        method="t over readings, in quadrature",
        n=0,
        clusters=0,
        baseline_seeds=len(first),
        arm_seeds=len(second),
        paired=False,
        centre=difference,
    )


@dataclass(frozen=True)
class Reported:
    """A mean as a row reports it, with its interval at ``confidence``."""

    mean: float
    low: float
    high: float
    n: int
    confidence: float = 0.95


def from_intervals(baseline: Reported, arm: Reported, bounded: bool = False) -> Estimate | str:
    """The unpaired difference of two reported means, from their intervals alone; or why not.

    Each interval's longer side stands for its mean's error, and the two are added in quadrature
    (as MOVER does: Zou & Donner 2008, doi:10.1002/sim.3095). It knows nothing of the questions that
    the arms share, so it is wider than a paired interval.
    """
    if all(one.low == one.high for one in (baseline, arm)):
        return "intervals without any width: no spread to test by"
    terms = tuple(
        Term(
            max(one.high - one.mean, one.mean - one.low)
            / _upper_quantile((1 - one.confidence) / 2, math.inf),
            math.inf,
        )
        for one in (baseline, arm)
    )
    return Estimate(
        baseline_value=baseline.mean,
        arm_value=arm.mean,
        terms=terms,
        method="unpaired, from the rows' intervals (MOVER)",
        n=min(baseline.n, arm.n),
        clusters=0,
        paired=False,
        centre=arm.mean - baseline.mean,
        bound=1.0 if bounded else None,
    )


def mcnemar_mid_p(gains: int, losses: int) -> float:
    """Two-sided mid-p of McNemar's exact test: of the questions that differ, as many either way."""
    from scipy.stats import binom

    total = gains + losses
    if total == 0:
        return 1.0
    fewer = min(gains, losses)
    p = 2 * binom.cdf(fewer, total, 0.5) - binom.pmf(fewer, total, 0.5)
    return float(min(1.0, p))


def fewest_discordant(alpha: float) -> int:
    """Questions that must differ, all one way, for McNemar's mid-p test to show it at ``alpha``."""
    return max(1, math.ceil(-math.log2(alpha) - 1e-12))


def _question_term(
    d: NDArray[np.float64], ids: Ids, count: int, bounded: bool
) -> tuple[float, Term, float]:
    """Centre, error over questions, and shrinkage, of the mean of ``d``."""
    n = len(d)
    sizes = np.bincount(ids, minlength=count).astype(float)
    robust = _cluster_squares(d, float(d.mean()), ids, sizes) / n**2
    independent = float(d.var()) / n
    largest = float((sizes**2).sum()) / n
    effect = robust / independent if independent > 0 else largest
    effect = min(largest, max(1.0, effect))
    freedom = _freedom(sizes, effect, largest)
    if not bounded:
        return float(d.mean()), Term(math.sqrt(robust), freedom), 1.0
    weight = min(largest, max(effect, math.sqrt(largest)))
    total = n + 2 * weight
    centre = float(d.sum()) / total
    added = 2 * weight**2 * (1 + centre**2) * count / (count - 1)
    spread = math.sqrt(_cluster_squares(d, centre, ids, sizes) + added) / total
    return centre, Term(spread, freedom), n / total


def _cluster_squares(
    d: NDArray[np.float64], centre: float, ids: Ids, sizes: NDArray[np.float64]
) -> float:
    """Sum of squared cluster sums about ``centre``, each as if it had not drawn the centre to it.

    The jackknife over clusters (CR3; MacKinnon & White 1985). With clusters of one size it is the
    usual sum times G / (G − 1).
    """
    count = len(sizes)
    sums = np.bincount(ids, weights=d - centre, minlength=count) / (1 - sizes / len(d))
    return float((sums**2).sum()) * (count - 1) / count


def _freedom(sizes: NDArray[np.float64], effect: float, largest: float) -> float:
    """Degrees of freedom: clusters − 1, fewer where a few clusters hold most of the variance.

    Satterthwaite's count of what each cluster adds to it, of which one is given back for the
    jackknife, which is wide by itself: ``benchmarks/coverage.py`` holds with it.
    """
    share = (effect - 1) / (largest - 1) if largest > 1 else 0.0  # of variance within clusters
    adds = sizes * (1 - share) + sizes**2 * share
    return float(min(len(sizes) - 1, 1 + adds.sum() ** 2 / (adds**2).sum()))


def _seed_term(means: NDArray[np.float64]) -> Term:
    return Term(float(means.std(ddof=1)) / math.sqrt(len(means)), len(means) - 1)


def _half_width(terms: Sequence[Term], tail: float) -> float:
    return math.sqrt(sum(term.half_width(tail) ** 2 for term in terms))


def _tail_at(terms: Sequence[Term], distance: float) -> float:
    """The tail probability at which the half-width equals ``distance``."""
    used = [term for term in terms if term.standard_error > 0]
    if not used:
        return 0.0
    if len(used) == 1:
        ratio = distance / used[0].standard_error
        if math.isinf(used[0].freedom):
            return float(ndtr(-ratio))
        return float(stdtr(used[0].freedom, -ratio))
    # The half-width falls as the tail grows: halve the span of its logarithm.
    low, high = math.log(1e-300), math.log(0.5)
    for _ in range(60):
        middle = (low + high) / 2
        if _half_width(used, math.exp(middle)) > distance:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _upper_quantile(tail: float, freedom: float) -> float:
    if math.isinf(freedom):
        return float(-ndtri(tail))
    return float(-stdtrit(freedom, tail))


def _numbered(clusters: Ids | None, n: int) -> tuple[Ids, int]:
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise ValueError(f"there are {n} questions but {len(clusters)} cluster numbers")
    _, ids = np.unique(clusters, return_inverse=True)
    return ids, int(ids.max()) + 1 if n else 0


def _is_binary(matrix: Matrix) -> bool:
    return bool(np.all((matrix == 0) | (matrix == 1)))


def _check(baseline: Matrix, arm: Matrix) -> None:
    if baseline.ndim != 2 or arm.ndim != 2 or baseline.shape[0] != arm.shape[0]:
        raise ValueError(
            f"the same questions in both: baseline is {baseline.shape}, arm is {arm.shape}"
        )
    _finite(baseline, "baseline")
    _finite(arm, "arm")


def _finite(values: NDArray[np.float64], name: str) -> None:
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} holds a value that is no finite number: leave it out first")
