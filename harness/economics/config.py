"""What a user states about prices, hardware, use and a carbon budget; imports nothing heavy.

These settings stand in ``conf/cost/`` beside the meter's own. No run depends on them: they are
applied when results are read, so they are part of no hash, no key and no row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from harness.economics.checks import (
    checked_amount,
    checked_date,
    checked_positive,
    checked_share,
)
from harness.errors import ConfigError


@dataclass
class Stated:
    """One figure with who says so and when (ISO date); a null value is not stated, and never 0."""

    value: float | None = None
    source: str = ""
    date: str = ""


@dataclass
class PricesConfig:
    """US$. A device is owned where its purchase is stated, rented where its hour is.

    Attributes:
        electricity_usd_per_kwh: of the machine that is owned.
        purchase_usd: of the whole machine.
        hourly_usd: of a rented machine, its electricity included.
        api_prompt_usd_per_million: a million prompt tokens at an endpoint.
        api_cached_usd_per_million: those that the endpoint has kept from before.
        api_output_usd_per_million: a million tokens of answers.
    """

    electricity_usd_per_kwh: Stated = field(default_factory=Stated)
    purchase_usd: Stated = field(default_factory=Stated)
    hourly_usd: Stated = field(default_factory=Stated)
    api_prompt_usd_per_million: Stated = field(default_factory=Stated)
    api_cached_usd_per_million: Stated = field(default_factory=Stated)
    api_output_usd_per_million: Stated = field(default_factory=Stated)

    def __post_init__(self) -> None:
        _check(self, "prices")
        if self.purchase_usd.value is not None and self.hourly_usd.value is not None:
            raise ConfigError(
                "cost.prices states both purchase_usd and hourly_usd: a machine is owned or "
                "rented; leave one null"
            )


@dataclass
class HardwareConfig:
    """The machine that works.

    Attributes:
        life_years: until it is replaced.
        utilisation: share of that time in which it works; the rest it idles, or is off.
        idle_watts: what it draws while a loaded model waits for queries; 0 if it is switched off.
        embodied_kg: kg CO2e of making the whole machine.
        reserved_share: part of the machine that the work holds.
    """

    life_years: Stated = field(default_factory=Stated)
    utilisation: Stated = field(default_factory=Stated)
    idle_watts: Stated = field(default_factory=Stated)
    embodied_kg: Stated = field(default_factory=Stated)
    reserved_share: Stated = field(default_factory=Stated)

    def __post_init__(self) -> None:
        _check(self, "hardware")
        for name in ("life_years", "utilisation", "reserved_share"):
            stated: Stated = getattr(self, name)
            if stated.value is not None:
                checked_positive(stated.value, f"cost.hardware.{name}")
        for name in ("utilisation", "reserved_share"):
            stated = getattr(self, name)
            if stated.value is not None:
                checked_share(stated.value, f"cost.hardware.{name}")


@dataclass
class UseConfig:
    """How much is asked, and how fast the knowledge ages.

    Attributes:
        queries_per_month: that the arm answers.
        updates_per_month: of the knowledge, after each of which it is indexed, or trained, again.
        changed_share: part of the corpus that an update changes: an index embeds only that, a
            fine-tuning is done anew.
    """

    queries_per_month: Stated = field(default_factory=Stated)
    updates_per_month: Stated = field(default_factory=Stated)
    changed_share: Stated = field(default_factory=Stated)

    def __post_init__(self) -> None:
        _check(self, "use")
        if self.changed_share.value is not None:
            checked_share(self.changed_share.value, "cost.use.changed_share")


@dataclass
class BudgetConfig:
    """A yearly allowance of emissions (SBTi absolute contraction).

    Attributes:
        base_kg: kg CO2e of the base year.
        base_year: that the reductions count from.
        rate: share of the base year's emissions that each year takes off.
        method_version: of the rule that the rate is from; it has changed, so it must be said.
    """

    base_kg: Stated = field(default_factory=Stated)
    base_year: int | None = None
    rate: Stated = field(default_factory=Stated)
    method_version: str = ""

    def __post_init__(self) -> None:
        _check(self, "budget")
        if self.rate.value is not None:
            checked_share(self.rate.value, "cost.budget.rate")
        given = {
            "base_kg": self.base_kg.value is not None,
            "base_year": self.base_year is not None,
            "rate": self.rate.value is not None,
            "method_version": bool(self.method_version.strip()),
        }
        if any(given.values()) and not all(given.values()):
            missing = ", ".join(name for name, there in given.items() if not there)
            raise ConfigError(
                f"cost.budget lacks {missing}: a budget needs all of {', '.join(given)}"
            )


@dataclass
class Source:
    """Who says a figure that is a plain number elsewhere in the settings, and when (ISO date)."""

    source: str = ""
    date: str = ""


@dataclass
class SourcesConfig:
    """Where the meter's own settings are from: they are plain numbers, and rows hold them.

    A country's intensity needs none: it is that of CodeCarbon's table, with its year.
    """

    cpu_watts: Source = field(default_factory=Source)
    memory_watts: Source = field(default_factory=Source)
    pue: Source = field(default_factory=Source)
    carbon_intensity_kg_per_kwh: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        for one in fields(self):
            told: Source = getattr(self, one.name)
            if told.source or told.date:
                _check_source(told, f"cost.sources.{one.name}", "the figure")


def _check(block: Any, name: str) -> None:
    """Each stated figure is 0 or more, and says whose it is and of when."""
    for one in fields(block):
        stated = getattr(block, one.name)
        if not isinstance(stated, Stated) or stated.value is None:
            continue
        where = f"cost.{name}.{one.name}"
        checked_amount(stated.value, where)
        _check_source(stated, where, f"{stated.value:g}")


def _check_source(told: Stated | Source, where: str, what: str) -> None:
    if not told.source.strip():
        raise ConfigError(f"{where} has no source: say where {what} is from")
    checked_date(told.date, where)
