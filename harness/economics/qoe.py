"""Quality of experience of a streamed answer, as Andes defines it (arXiv:2404.16283).

The user expects a first token after a while and then a steady pace, and reads no faster than that
pace. Tokens that come late are waited for; tokens that come early wait to be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.economics.checks import checked_amount, checked_positive

Point = tuple[float, float]  # seconds, tokens


@dataclass(frozen=True)
class Expectation:
    """What the user expects of a stream.

    Attributes:
        first_token_seconds: time to first token (TTFT).
        tokens_per_second: reading pace (token delivery speed, TDS).
    """

    first_token_seconds: float
    tokens_per_second: float

    def __post_init__(self) -> None:
        checked_amount(self.first_token_seconds, "the expected time to first token", "seconds")
        checked_positive(self.tokens_per_second, "the expected pace", "tokens/s")


def quality_of_experience(arrivals: Sequence[float], expected: Expectation) -> float | None:
    """QoE in 0..1 of one answer; 1 is a stream never behind what is expected. None: no token.

    QoE = ∫ min(A, T, l) / ∫ min(T, l), both from 0 to the moment when the last token has been
    read. A(t): tokens read, T(t): tokens expected to have been read, l: tokens of the answer. The
    ``min`` above keeps early tokens from scoring beyond 1. Where nothing was expected yet by the
    end (a denominator of 0) it is 1. The integrals are exact.

    Args:
        arrivals: seconds from the request's intended sending to each token, in order.

    Raises:
        ValueError: the times are not finite, not in order, or below 0.
    """
    times = list(arrivals)
    if not times:
        return None
    _check_times(times)
    pace, start = expected.tokens_per_second, expected.first_token_seconds
    count = len(times)
    read = _reading(times, pace)
    end = read[-1][0]
    if end <= start:
        return 1.0
    due = [(0.0, 0.0), (start, 0.0), (start + count / pace, float(count)), (math.inf, float(count))]
    # A perfect stream would lose its 1 to rounding.
    return min(1.0, _area_below(read, due, end) / _area_below(due, due, end))


def time_to_first_token(arrivals: Sequence[float]) -> float | None:
    """Seconds to the first token; None without one."""
    return arrivals[0] if arrivals else None


def time_per_output_token(arrivals: Sequence[float]) -> float | None:
    """Mean seconds between tokens after the first; None below two tokens."""
    if len(arrivals) < 2:
        return None
    return (arrivals[-1] - arrivals[0]) / (len(arrivals) - 1)


def _reading(times: Sequence[float], pace: float) -> list[Point]:
    """The corners of A(t): each token is read once it is there and the one before is read."""
    corners: list[Point] = [(0.0, 0.0)]
    done = 0.0
    for index, arrival in enumerate(times):
        begun = max(arrival, done)
        done = begun + 1 / pace
        corners += [(begun, float(index)), (done, float(index + 1))]
    return corners


def _area_below(one: Sequence[Point], two: Sequence[Point], end: float) -> float:
    """The integral of the smaller of two broken lines from 0 to ``end``."""
    corners = sorted({t for t, _ in (*one, *two) if t < end} | {0.0, end})
    heights = [(_at(one, corners), _at(two, corners))]
    first, second = heights[0]
    area = 0.0
    for i in range(len(corners) - 1):
        width = corners[i + 1] - corners[i]
        left, right = first[i] - second[i], first[i + 1] - second[i + 1]
        low = min(first[i], second[i]), min(first[i + 1], second[i + 1])
        area += width * (low[0] + low[1]) / 2
        if left * right < 0:  # they cross in between: the chord of the minima lies below both
            area += width * abs(left) * abs(right) / (2 * (abs(left) + abs(right)))
    return area


def _at(line: Sequence[Point], times: Sequence[float]) -> list[float]:
    """Heights of a broken line at ascending ``times``."""
    heights = []
    i = 0
    for t in times:
        while i + 1 < len(line) - 1 and line[i + 1][0] <= t:
            i += 1
        (t0, y0), (t1, y1) = line[i], line[min(i + 1, len(line) - 1)]
        if t >= t1:
            heights.append(y1)
        elif t1 in (math.inf, t0):
            heights.append(y0)
        else:
            heights.append(y0 + (y1 - y0) * (t - t0) / (t1 - t0))
    return heights


def _check_times(times: Sequence[float]) -> None:
    if not all(math.isfinite(t) and t >= 0 for t in times):
        raise ValueError("a token's arrival is not a finite time of 0 s or more")
    if any(later < earlier for earlier, later in pairwise(times)):
        raise ValueError("the tokens' arrivals are not in order")
