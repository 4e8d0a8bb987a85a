"""What a request costs in US$ at a rate: prices are applied when rows are read, never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.economics.prices import OwnedDevice, Prices, machine_cost
from harness.economics.stated import cost_given, prices_of
from harness.economics.tokenomics import TokenUse, api_cost


def stated_prices(name: str | None, assumed: Sequence[str]) -> Prices:
    """The prices of ``--cost`` and ``--assume``; none are stated without them.

    Raises:
        ConfigError: there are no such settings, or a price that others need is missing.
    """
    cost = cost_given(name, assumed)
    if cost is None:
        return Prices()
    prices = prices_of(cost)
    if prices.device is not None:
        machine_cost(prices, 0.0, 0.0)  # what is missing is said before anything is measured
    return prices


def usd_per_request(row: Mapping[str, Any], prices: Prices) -> float | None:
    """US$ of a request; None where no price is stated or a quantity is unknown.

    A rented machine is paid for while it waits, so its time is that of the whole window. The
    price of one that is owned counts its idle time already (``utilisation``): its time is that of
    answering. An endpoint is paid by the token.
    """
    if row["endpoint"]:
        counts = row["tokens_in"], row["tokens_out"]
        if prices.api is None or None in counts or not row["answered"]:
            return None
        prompt, output = (count / row["answered"] for count in counts)
        return api_cost(TokenUse(prompt, output), prices.api)
    if prices.device is None:
        return None
    owned = isinstance(prices.device, OwnedDevice)
    seconds = row["busy_seconds_per_request" if owned else "window_seconds_per_request"]
    return machine_cost(prices, seconds, row["energy_kwh_per_request"])
