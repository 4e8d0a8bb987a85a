"""What tokens cost at an endpoint's prices, what a correct answer costs, what caching saves."""

from __future__ import annotations

from dataclasses import dataclass

from harness.economics.checks import checked_amount, checked_share
from harness.economics.prices import ApiPrice
from harness.errors import ConfigError

PRICED_TOKENS = 1e6
"""Endpoints state prices for a million tokens."""


@dataclass(frozen=True)
class TokenUse:
    """Mean tokens of one query.

    Attributes:
        prompt: all of the prompt, ``cached`` included.
        cached: those prompt tokens that the endpoint has kept from an earlier query.
    """

    prompt: float
    output: float
    cached: float = 0

    def __post_init__(self) -> None:
        for name in ("prompt", "output", "cached"):
            checked_amount(getattr(self, name), f"the number of {name} tokens")
        if self.cached > self.prompt:
            raise ConfigError(
                f"{self.cached} cached tokens of a prompt of {self.prompt}: they are part of it"
            )


@dataclass(frozen=True)
class QueryCost:
    """What queries cost, in the unit of ``per_query``.

    Attributes:
        per_correct: cost-of-pass, cost / accuracy; None where the accuracy is unknown or 0.
    """

    per_query: float
    per_thousand: float
    per_correct: float | None


def query_cost(per_query: float | None, accuracy: float | None) -> QueryCost | None:
    """The cost of one query said in three ways; None where it is unknown."""
    if per_query is None:
        return None
    cost = checked_amount(per_query, "the cost of a query")
    right = None if accuracy is None else checked_share(accuracy, "the accuracy")
    return QueryCost(cost, 1000 * cost, cost / right if right else None)


def api_cost(use: TokenUse, price: ApiPrice) -> float | None:
    """US$ of one query; None where tokens are cached and their price is not known."""
    if use.cached and price.cached is None:
        return None
    cached = use.cached * price.cached.value if price.cached is not None else 0.0
    fresh = (use.prompt - use.cached) * price.prompt.value
    return (fresh + cached + use.output * price.output.value) / PRICED_TOKENS


def prefix_saving(prefix_tokens: float, queries: int, price: ApiPrice) -> float | None:
    """US$ that keeping a shared prefix saves over ``queries``; None without a cached price.

    The first query pays in full. That the prefix is still kept at each later one is assumed.
    """
    checked_amount(prefix_tokens, "the number of prefix tokens")
    checked_amount(queries, "the number of queries")
    if price.cached is None:
        return None
    less = price.prompt.value - price.cached.value
    return max(0, queries - 1) * prefix_tokens * less / PRICED_TOKENS
