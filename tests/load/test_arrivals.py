from __future__ import annotations

import math
from itertools import pairwise

import pytest

from harness.load.arrivals import poisson_arrivals


def test_gaps_are_exponential_with_mean_one_over_the_rate():
    times = poisson_arrivals(4.0, 20_000, seed=1)
    gaps = [later - earlier for earlier, later in pairwise([0.0, *times])]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(1 / 4, rel=0.03)  # its standard error is 0.7 %
    # Of an exponential distribution the standard deviation is the mean, and 1/e lie above it.
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert spread == pytest.approx(mean, rel=0.05)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, abs=0.015)


def test_rates_and_arms_share_their_draws():
    slow, fast = poisson_arrivals(1.0, 50, seed=3), poisson_arrivals(5.0, 50, seed=3)
    assert fast == pytest.approx([seconds / 5 for seconds in slow])
    assert poisson_arrivals(1.0, 50, seed=3) == slow
    assert poisson_arrivals(1.0, 50, seed=4) != slow
