"""How far two judges of the same answers agree, with intervals in which questions are the draws.

* **Cohen's kappa** (1960, doi:10.1177/001316446002000104): agreement beyond that of two judges who
  say yes as often as these do but at random. Its interval is the delete-one-cluster jackknife with
  a t quantile, after half an item is added to each cell of the table (as Haldane and Anscombe do
  for odds ratios). Where nobody disagrees nothing varies: there the lower end is the kappa at the
  lower end of the share that agrees (Wilson), with the shares of yes as they are.
* **AUC**: how often an answer that is correct scores above one that is not, ties counted half
  (Mann & Whitney 1947). Its interval is the same jackknife, without the added items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats import Interval, share_interval

Array = NDArray[np.float64]
Statistic = Callable[[NDArray[np.bool_]], float | None]

KAPPA_METHOD = "jackknife over clusters, half an item added to each cell"
NONE_DISAGREE = "from the interval of the share that agrees"
AUC_METHOD = "jackknife over clusters"


@dataclass(frozen=True)
class Agreement:
    """Two judges' verdicts on ``n`` items.

    Attributes:
        agree: the share of items on which they agree.
        kappa: None where a judge's verdicts are all the same and the other's are those, too.
        both_yes, first_only, second_only, both_no: items, by who calls them correct.
    """

    n: int
    agree: Interval
    kappa: Interval | None
    both_yes: int
    first_only: int
    second_only: int
    both_no: int


def agreement(
    first: Sequence[bool], second: Sequence[bool], clusters: Sequence[str]
) -> Agreement | None:
    """Agreement of two judges on the same items, in the same order; None without items."""
    if not len(first) == len(second) == len(clusters):
        raise ValueError(f"{len(first)}, {len(second)} verdicts, {len(clusters)} cluster names")
    agree = share_interval([float(a == b) for a, b in zip(first, second, strict=True)], clusters)
    if agree is None:
        return None
    # Cells in the order no no, no yes, yes no, yes yes.
    cells = 2 * np.array(first, dtype=np.int64) + np.array(second, dtype=np.int64)
    both_no, second_only, first_only, both_yes = np.bincount(cells, minlength=4).tolist()

    def smoothed(kept: NDArray[np.bool_]) -> float | None:
        return kappa_of(np.bincount(cells[kept], minlength=4).astype(np.float64) + 0.5)

    value = kappa_of(np.bincount(cells, minlength=4).astype(np.float64))
    kappa = None
    if value is not None and agree.low is not None and not first_only + second_only:
        chance = (both_yes**2 + both_no**2) / len(first) ** 2
        low = (agree.low - chance) / (1 - chance)
        kappa = Interval(value, low, 1.0, len(first), agree.clusters, NONE_DISAGREE)
    elif value is not None:
        kappa = _jackknifed(value, smoothed, clusters, (-1.0, 1.0), KAPPA_METHOD)
    return Agreement(len(first), agree, kappa, both_yes, first_only, second_only, both_no)


def kappa_of(cells: Array) -> float | None:
    """Cohen's kappa of a table no no, no yes, yes no, yes yes; None where chance alone agrees."""
    neither, second, first, both = (float(count) for count in cells)
    n = neither + second + first + both
    if n == 0:
        return None
    chance = ((both + first) * (both + second) + (neither + second) * (neither + first)) / n**2
    if math.isclose(chance, 1.0):
        return None
    return ((both + neither) / n - chance) / (1 - chance)


def auc(
    correct: Sequence[bool], scores: Sequence[float], clusters: Sequence[str]
) -> Interval | None:
    """How well ``scores`` rank correct answers above others, with its interval.

    None where all answers are correct, or none.
    """
    truth, values = np.array(correct, dtype=np.bool_), np.array(scores, dtype=np.float64)

    def statistic(kept: NDArray[np.bool_]) -> float | None:
        right, wrong = values[kept & truth], np.sort(values[kept & ~truth])
        if not len(right) or not len(wrong):
            return None
        below, not_above = (np.searchsorted(wrong, right, side) for side in ("left", "right"))
        return float((below + not_above).mean()) / (2 * len(wrong))

    value = statistic(np.ones(len(truth), dtype=np.bool_))
    if value is None:
        return None
    return _jackknifed(value, statistic, clusters, (0.0, 1.0), AUC_METHOD)


def _jackknifed(
    value: float,
    statistic: Statistic,
    clusters: Sequence[str],
    limits: tuple[float, float],
    method: str,
    confidence: float = 0.95,
) -> Interval:
    """``value`` with the interval of ``statistic`` (Efron & Stein 1981), within ``limits``.

    Without ends where a cluster left out leaves nothing to compute, or changes nothing.
    """
    from scipy.special import stdtrit

    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    ids = np.array([numbers[name] for name in clusters], dtype=np.int64)
    n, count = len(ids), len(numbers)
    centre = statistic(np.ones(n, dtype=np.bool_))
    left = [statistic(ids != number) for number in range(count)] if count > 1 else [None]
    known = [one for one in left if one is not None]
    if centre is None or len(known) < len(left):
        return Interval(value, None, None, n, count, "none: it hangs on one cluster")
    spread = np.array(known) - np.mean(known)
    error = math.sqrt(float((spread**2).sum()) * (count - 1) / count)
    if error < 1e-12:
        return Interval(value, None, None, n, count, "none: no cluster changes it")
    half = float(stdtrit(count - 1, (1 + confidence) / 2)) * error
    low, high = max(limits[0], centre - half), min(limits[1], centre + half)
    return Interval(value, min(value, low), max(value, high), n, count, method)
