"""When requests are meant to be sent: a Poisson process, drawn before anything is sent."""

from __future__ import annotations

import random
from itertools import accumulate


def poisson_arrivals(rate: float, count: int, seed: int) -> list[float]:
    """Seconds from the start at which each of ``count`` requests is meant to be sent.

    The gaps are the same draws at every rate, divided by it, so that rates and arms are paired.

    Args:
        rate: requests a second, above 0.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    return list(accumulate(draw.expovariate(1.0) / rate for _ in range(count)))
