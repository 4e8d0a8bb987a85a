"""Whether an effect differs between buckets of questions: the bucket × arm interaction.

Under the hypothesis that it does not, the buckets' names are labels that could stand anywhere.
Where a cluster lies in one bucket as a whole (popularity is an entity's), labels are dealt anew to
whole clusters; where clusters cross buckets (every entity is asked each relation), anew within each
cluster. The share of deals whose statistic is at least the one seen is the p-value. Where there are
too many clusters for that, the statistic's F approximation stands in, which is accurate there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DEALS = 4_999
MOST_CLUSTERS = 2_000
"""Above this many, F instead of deals: it is exact enough there, and quick."""

Values = NDArray[np.floating]
Ids = NDArray[np.integer]


def interaction(
    differences: Values, buckets: Sequence[str], clusters: Ids | None, seed: int = 0
) -> tuple[float | None, str]:
    """p of equal effects in all buckets, and the method; None where it cannot be tested.

    Args:
        differences: arm − baseline of each question, averaged over seeds.
        buckets: the bucket of each question.
        clusters: number of each question's cluster; None: each is its own.
    """
    names, labels = np.unique(np.asarray(buckets, dtype=str), return_inverse=True)
    n, count = len(differences), len(names)
    if count < 2:
        return None, "one bucket: nothing to compare"
    ids = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    pairs = np.unique(np.stack([ids, labels]), axis=1)
    nested = pairs.shape[1] == ids.max() + 1
    if nested:
        of_cluster = np.empty(ids.max() + 1, dtype=np.int64)
        of_cluster[ids] = labels
        if np.bincount(of_cluster, minlength=count).min() < 2:
            return None, "a bucket with fewer than two clusters"
        return _between(differences, ids, of_cluster, count, seed)
    if np.bincount(labels, minlength=count).min() < 2:
        return None, "a bucket with fewer than two questions"
    return _within(differences, ids, labels, count, seed)


def _between(
    d: Values, ids: Ids, of_cluster: Ids, count: int, seed: int
) -> tuple[float | None, str]:
    """Clusters lie in one bucket each: a studentised statistic, clusters dealt to buckets."""
    sums = np.asarray(np.bincount(ids, weights=d), dtype=np.float64)
    sizes = np.asarray(np.bincount(ids), dtype=np.float64)
    seen = float(_welch(sums, sizes, of_cluster[None, :], count)[0])
    if len(sums) > MOST_CLUSTERS:
        return _f_tail(seen, count, len(sums)), "Welch's F over clusters"
    rng = np.random.default_rng(seed)
    reached = 0
    for start in range(0, DEALS, 500):
        deals = rng.permuted(np.tile(of_cluster, (min(500, DEALS - start), 1)), axis=1)
        reached += int((_welch(sums, sizes, deals, count) >= seen - 1e-12).sum())
    return (1 + reached) / (1 + DEALS), f"{DEALS} permutations of clusters between buckets"


def _welch(sums: Values, sizes: Values, labels: Ids, count: int) -> Values:
    """Welch's statistic of each row of ``labels`` (deals × clusters): larger, more unequal.

    A bucket's variance gets one gain and one loss more, so that a bucket in which nothing differs
    does not look certain.
    """
    total = np.zeros((len(labels), count))
    squares, cross, square_sizes, weight, groups = (np.zeros_like(total) for _ in range(5))
    for bucket in range(count):
        inside = (labels == bucket).astype(float)
        total[:, bucket] = inside @ sums
        weight[:, bucket] = inside @ sizes
        squares[:, bucket] = inside @ sums**2
        cross[:, bucket] = inside @ (sums * sizes)
        square_sizes[:, bucket] = inside @ sizes**2
        groups[:, bucket] = inside.sum(axis=1)
    mean = total / weight
    residual = squares - 2 * mean * cross + mean**2 * square_sizes
    spread = 2 * square_sizes / weight  # the added pair, each as heavy as a cluster
    variance = (np.maximum(residual, 0.0) + spread) / weight**2 * groups / (groups - 1)
    precision = 1 / variance
    centre = (precision * mean).sum(axis=1) / precision.sum(axis=1)
    found: Values = (precision * (mean - centre[:, None]) ** 2).sum(axis=1) / (count - 1)
    return found


def _within(d: Values, ids: Ids, labels: Ids, count: int, seed: int) -> tuple[float | None, str]:
    """Clusters cross buckets: the spread of bucket means, labels dealt anew within clusters."""
    centred = d - (np.bincount(ids, weights=d) / np.bincount(ids))[ids]
    sizes = np.bincount(labels, minlength=count) + 0.0
    if len(d) > MOST_CLUSTERS:
        return _wald(centred, ids, labels, sizes), "cluster-robust Wald F"

    def statistic(of: Ids) -> float:
        return float((np.bincount(of, weights=centred, minlength=count) ** 2 / sizes).sum())

    seen = statistic(labels)
    rng = np.random.default_rng(seed)
    order = np.argsort(ids, kind="stable")
    reached = 0
    dealt = np.empty_like(labels)
    for _ in range(DEALS):
        # Sorted by cluster, then at random: each cluster's labels stay within it.
        dealt[order] = labels[np.lexsort((rng.random(len(d)), ids))]
        reached += statistic(dealt) >= seen - 1e-12
    return (1 + reached) / (1 + DEALS), f"{DEALS} permutations of buckets within clusters"


def _wald(centred: Values, ids: Ids, labels: Ids, sizes: Values) -> float:
    """p of equal bucket means, their covariance from sums within clusters."""
    count, clusters = len(sizes), int(ids.max()) + 1
    means = np.bincount(labels, weights=centred, minlength=count) / sizes
    shares = (centred - means[labels]) / sizes[labels]
    cells = np.bincount(ids * count + labels, weights=shares, minlength=clusters * count)
    sums = cells.reshape(clusters, count)
    covariance = sums.T @ sums * clusters / (clusters - 1)
    against_last = np.hstack([np.eye(count - 1), -np.ones((count - 1, 1))])
    effect = against_last @ means
    spread = against_last @ covariance @ against_last.T
    if not np.any(effect):
        return 1.0
    found = float(effect @ np.linalg.pinv(spread) @ effect) / (count - 1)
    return _f_tail(found, count, clusters)


def _f_tail(statistic: float, count: int, clusters: int) -> float:
    from scipy.stats import f

    return float(f.sf(statistic, count - 1, clusters - count))
