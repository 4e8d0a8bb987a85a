"""Intervals for means over questions, where questions about one entity count as one draw.

Methods, and why (coverage is simulated in tests/test_stats.py):

* **0/1 values**: Wilson's score interval. It holds near 0 and 1, where t and bootstrap intervals
  shrink to nothing. With clusters, the number of questions is replaced by the effective number
  (Korn & Graubard 1998; Dean & Pagano 2015, doi:10.1093/jssam/smv024): n / design effect, never
  above n, corrected for the few degrees of freedom. Where all values are equal the design effect
  cannot be estimated, and questions of one cluster are taken to repeat each other.
* **other values**: t interval of the mean with the cluster-robust (linearised) variance and
  clusters − 1 degrees of freedom.
* **paired differences of 0/1 values**: the adjusted Wald interval of Bonett & Price (2012,
  doi:10.3102/1076998611411915): one gain and one loss are added before the t interval is taken,
  each as heavy as the design effect. Without it, no change at all would look certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean over ``n`` questions in ``clusters`` entities, with its confidence interval.

    ``low`` and ``high`` are None where one cluster leaves nothing to estimate a spread from.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    clusters: int
    method: str


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Interval | None:
    """The mean of ``values`` with its interval; None (not zero) where there are no values.

    Questions with an equal, non-empty cluster are resampled together; an empty cluster name
    makes a question its own cluster.

    Raises:
        ValueError: a value is None, NaN or infinite, or the lengths differ.
    """
    y = _checked(values, "values")
    if not len(y):
        return None
    ids = _cluster_ids(clusters, len(y))
    count = int(ids.max()) + 1
    mean = float(y.mean())
    if count < 2:
        return Interval(mean, None, None, len(y), count, "none: one cluster")
    if bool(np.all((y == 0) | (y == 1))):
        low, high = _wilson(mean, _effective_n(y, ids, confidence), confidence)
        method = "wilson" if count == len(y) else "wilson, effective n"
        return Interval(mean, low, high, len(y), count, method)
    half = _t(confidence, count) * math.sqrt(_cluster_variance(y, ids))
    method = "t" if count == len(y) else "cluster t"
    return Interval(mean, mean - half, mean + half, len(y), count, method)


def share_interval(
    values: Sequence[float], clusters: Sequence[str] | None = None, confidence: float = 0.95
) -> Interval | None:
    """``mean_interval`` of values between 0 and 1: neither end leaves that range.

    A t interval may, where values are few or near an end; cutting it loses no coverage.
    """
    found = mean_interval(values, clusters, confidence)
    if found is None or found.low is None or found.high is None:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def paired_difference_interval(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Interval | None:
    """The mean of a − b over the same questions, in the same order, with its interval.

    Forgetting, where harm is positive: (before, after) for an accuracy, (after, before) for a
    loss. None where there are no questions.

    Raises:
        ValueError: a value is None, NaN or infinite, or the lengths differ.
    """
    first, second = _checked(a, "a"), _checked(b, "b")
    if len(first) != len(second):
        raise ValueError(f"paired values must match: a has {len(first)}, b has {len(second)}")
    if not len(first):
        return None
    d = first - second
    ids = _cluster_ids(clusters, len(d))
    count = int(ids.max()) + 1
    mean = float(d.mean())
    if count < 2:
        return Interval(mean, None, None, len(d), count, "none: one cluster")
    both = np.concatenate([first, second])
    if not bool(np.all((both == 0) | (both == 1))):
        half = _t(confidence, count) * math.sqrt(_cluster_variance(d, ids))
        method = "paired t" if count == len(d) else "paired cluster t"
        return Interval(mean, mean - half, mean + half, len(d), count, method)
    weight = _design_effect(d, ids, float(d.var()))
    total = len(d) + 2 * weight
    centre = float(d.sum()) / total
    residuals = np.append(np.bincount(ids, weights=d - centre), [weight, -weight])
    residuals[-2:] -= weight * centre
    spread = math.sqrt(float((residuals**2).sum()) * count / (count - 1)) / total
    half = _t(confidence, count) * spread
    method = "bonett-price" if count == len(d) else "bonett-price, clusters"
    low = min(mean, max(-1.0, centre - half))
    high = max(mean, min(1.0, centre + half))
    return Interval(mean, low, high, len(d), count, method)


def _checked(values: Sequence[float], name: str) -> Array:
    for position, value in enumerate(values):
        if value is None or not math.isfinite(value):
            raise ValueError(
                f"{name}[{position}] is {value}: leave out what does not apply; "
                "a missing or infinite value has no mean"
            )
    return np.asarray(values, dtype=np.float64)


def _cluster_ids(clusters: Sequence[str] | None, n: int) -> NDArray[np.int64]:
    """Number of each question's cluster, from 0."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"there are {n} values but {len(clusters)} cluster names")
    numbers: dict[str | int, int] = {}
    named = (name or position for position, name in enumerate(clusters))
    return np.array([numbers.setdefault(name, len(numbers)) for name in named], dtype=np.int64)


def _cluster_variance(y: Array, ids: NDArray[np.int64]) -> float:
    """Variance of the mean, from sums of residuals within clusters (linearisation)."""
    sums = np.bincount(ids, weights=y - y.mean())
    clusters = len(sums)
    return float((sums**2).sum()) * clusters / (clusters - 1) / len(y) ** 2


def _design_effect(y: Array, ids: NDArray[np.int64], variance: float) -> float:
    """How many times the variance of the mean exceeds that of independent questions.

    From 1 to what it would be if questions of a cluster all had one answer (with clusters of one
    size, that size), which is also the answer where nothing varies.
    """
    largest = float((np.bincount(ids) ** 2).sum()) / len(y)
    if variance == 0:
        return largest
    return min(largest, max(1.0, _cluster_variance(y, ids) / (variance / len(y))))


def _effective_n(y: Array, ids: NDArray[np.int64], confidence: float) -> float:
    count = int(ids.max()) + 1
    if count == len(y):
        return float(len(y))
    mean = float(y.mean())
    n = len(y) / _design_effect(y, ids, mean * (1 - mean))
    return n * (_z(confidence) / _t(confidence, count)) ** 2


def _wilson(mean: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson 1927, doi:10.1080/01621459.1927.10502953, for an n that need not be whole."""
    z = _z(confidence)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def _z(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def _t(confidence: float, clusters: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(clusters - 1, (1 + confidence) / 2))
