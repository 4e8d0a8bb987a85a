"""Prices of named endpoints as they were on a day: history to compute with, not an offer."""

from __future__ import annotations

import csv
from importlib import resources

from harness.economics.prices import ApiPrice, Figure
from harness.errors import ConfigError, suggestion

FILE = "api_prices.csv"
"""Bundled in ``harness/data``; the providers' pages that it names, by way of litellm's table."""


def api_price(name: str) -> ApiPrice:
    """The price of a named model.

    Raises:
        ConfigError: the catalogue has no such model.
    """
    known = catalogue()
    if name not in known:
        raise ConfigError(
            f"--api {name}{suggestion(name, list(known))}; it is one of {', '.join(known)}; any "
            "other price is stated as --assume api_prompt_usd_per_million=… and "
            "api_output_usd_per_million=…"
        )
    return known[name]


def catalogue() -> dict[str, ApiPrice]:
    """Name -> US$ a million tokens, each with the provider's page and the day it was seen."""
    text = resources.files("harness").joinpath("data", FILE).read_text(encoding="utf-8")
    return {line["name"]: _price(line) for line in csv.DictReader(text.splitlines())}


def _price(line: dict[str, str]) -> ApiPrice:
    source = f"{line['source']}, as litellm 1.110.2 lists it"

    def of(kind: str) -> Figure:
        return Figure(float(line[f"{kind}_usd_per_million"]), source, line["seen"])

    cached = of("cached") if line["cached_usd_per_million"] else None
    return ApiPrice(prompt=of("prompt"), output=of("output"), cached=cached)
