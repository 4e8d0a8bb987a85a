"""The settings of a load test; imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.economics.qoe import Expectation
from harness.errors import ConfigError
from harness.load.arrivals import poisson_arrivals

FIRST_TOKEN_SECONDS = 1.0
"""Longest wait that leaves a flow of thought unbroken (Nielsen, Usability Engineering, 1993)."""

TOKENS_PER_SECOND = 5.3
"""238 words a minute, silent reading of English (Brysbaert 2019, doi:10.1016/j.jml.2019.104047),
at 4 tokens for 3 words."""

GOOD_QOE = 0.9


@dataclass(frozen=True)
class LoadConfig:
    """What is asked of an arm, the same for every arm of a comparison.

    Attributes:
        rates: requests a second, ascending.
        requests: for each rate.
        tokens: lengths of the answers.
        forced: every answer has exactly so many tokens; else they are the most it may have.
        batch: most waiting requests that an arm in this process answers together.
        seed: of the arrivals.
        limit_seconds: what is not answered then, counted from a rate's start, is given up.
        alone: requests answered alone, before a length's first rate; their median is what the
            knee is held against.
        knee: how many times that the 95th percentile of latency may be.
        first_token_seconds, tokens_per_second: what users expect (QoE).
    """

    rates: tuple[float, ...]
    requests: int = 30
    tokens: tuple[int, ...] = (12, 100)
    forced: bool = True
    batch: int = 1
    seed: int = 0
    limit_seconds: float = 300.0
    alone: int = 3
    knee: float = 5.0
    first_token_seconds: float = FIRST_TOKEN_SECONDS
    tokens_per_second: float = TOKENS_PER_SECOND

    def __post_init__(self) -> None:
        _check_list("--rates", self.rates, "requests a second, above 0")
        _check_list("--tokens", self.tokens, "the length of an answer, 1 or more")
        for option, count in (
            *(("--requests", self.requests), ("--batch", self.batch)),
            ("--alone", self.alone),
        ):
            if count < 1:
                raise ConfigError(f"{option} is {count}; it is 1 or more")
        for option, value, least in (
            ("--limit", self.limit_seconds, 0.0),
            ("--knee", self.knee, 1.0),
            ("--pace", self.tokens_per_second, 0.0),
        ):
            if not least < value < math.inf:
                raise ConfigError(f"{option} is {value:g}; it is above {least:g}")
        if not 0 <= self.first_token_seconds < math.inf:
            raise ConfigError(f"--ttft is {self.first_token_seconds:g}; it is 0 s or more")
        last = self.arrivals(self.rates[0])[-1]
        if last >= self.limit_seconds:
            raise ConfigError(
                f"--requests {self.requests} at {self.rates[0]:g} a second arrive over {last:.0f} "
                f"s, longer than --limit {self.limit_seconds:g}; raise the limit, or lower the "
                "requests"
            )

    @property
    def expected(self) -> Expectation:
        """What users expect of a stream."""
        return Expectation(self.first_token_seconds, self.tokens_per_second)

    def arrivals(self, rate: float) -> list[float]:
        """When each request of a rate is meant to be sent."""
        return poisson_arrivals(rate, self.requests, self.seed)


def _check_list(option: str, values: Sequence[float], what: str) -> None:
    if not values:
        raise ConfigError(f"{option} is empty; name at least one, as {option} 1,2")
    for value in values:
        if not 0 < value < math.inf:
            raise ConfigError(f"{option} holds {value:g}; it is {what}")
    if sorted(set(values)) != list(values):
        listed = ",".join(f"{value:g}" for value in values)
        raise ConfigError(f"{option} is {listed}; each stands there once, in ascending order")
