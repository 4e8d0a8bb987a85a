"""Latency percentiles of single requests."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Below this many requests a percentile is null: with fewer than 20 the p95 would lie beyond the
# last but one request and be its slowest, almost; a p99 is asked to rest on the slowest five.
LEAST_REQUESTS = {50: 1, 95: 20, 99: 500}


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """``latency_p50_seconds``, ``latency_p95_seconds``, ``latency_p99_seconds``; lower is better.

    Null where there are too few requests: p50 needs 1, p95 20, p99 500. Linear interpolation
    between the two nearest requests, NumPy's default ("linear", Hyndman and Fan's type 7):
    https://numpy.org/doc/stable/reference/generated/numpy.percentile.html

    Args:
        seconds: the time of each request, answered alone (batch 1).
    """
    for value in seconds:
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"a latency is {value}; it is a finite number of seconds, 0 or more")
    ordered = sorted(seconds)
    return {
        f"latency_p{percent}_seconds": (
            _interpolated(ordered, percent / 100) if len(ordered) >= least else None
        )
        for percent, least in LEAST_REQUESTS.items()
    }


def _interpolated(ordered: Sequence[float], fraction: float) -> float:
    """The value at ``fraction`` of the way along sorted values, 0 the first and 1 the last."""
    position = (len(ordered) - 1) * fraction
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
