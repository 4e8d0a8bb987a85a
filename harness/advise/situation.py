"""What an arm is chosen for: how much is asked, for how long, at which prices, within which limits.

Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from harness.economics.breakeven import UNITS
from harness.economics.checks import checked_amount, checked_positive, checked_share
from harness.economics.prices import machine_cost
from harness.economics.stated import idle_kwh_a_second, prices_of
from harness.errors import ConfigError
from harness.metering.config import CostConfig

PER = ("query", "correct")
MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Limits:
    """What an arm has to keep to; None is no limit.

    Attributes:
        accuracy: the least share of queries answered correctly.
        forgetting: the most harm that a probe may show.
        latency: the most seconds of one query by itself.
        memory: the most GiB at the peak.
        carbon: the most kg CO2e a year.
    """

    accuracy: float | None = None
    forgetting: float | None = None
    latency: float | None = None
    memory: float | None = None
    carbon: float | None = None

    def __post_init__(self) -> None:
        if self.accuracy is not None:
            checked_share(self.accuracy, "--min-accuracy")
        if self.forgetting is not None:
            checked_amount(self.forgetting, "--max-forgetting")
        if self.latency is not None:
            checked_positive(self.latency, "--max-latency", "seconds")
        if self.memory is not None:
            checked_positive(self.memory, "--max-memory", "GiB")
        if self.carbon is not None:
            checked_amount(self.carbon, "--max-carbon", "kg CO2e a year")

    def given(self) -> dict[str, float]:
        """Name of each limit that is set, and its value."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Rates:
    """What a second, a kWh and a dollar of an endpoint's bill count in the unit of the costs.

    Attributes:
        waiting: what idling adds to each second of answering.
    """

    second: float
    kwh: float
    bill: float
    waiting: float = 0.0


@dataclass(frozen=True)
class Situation:
    """One use of an arm.

    Attributes:
        months: how long it is used; what is paid once is paid in that time.
        updates_per_month: after each of them the arm is trained, and what changed is indexed.
        changed_share: part of the corpus that an update changes.
        unit: one of UNITS.
        per_correct: whether arms are ranked by the cost of a correct answer, not by their cost.
        cost: prices, PUE and grid.
    """

    queries_per_month: float
    months: float = 12
    updates_per_month: float = 0
    changed_share: float = 1
    unit: str = "seconds"
    per_correct: bool = False
    limits: Limits = field(default_factory=Limits)
    cost: CostConfig = field(default_factory=CostConfig)

    def __post_init__(self) -> None:
        checked_positive(self.queries_per_month, "the number of queries a month")
        checked_positive(self.months, "the number of months")
        checked_amount(self.updates_per_month, "the number of updates a month")
        checked_share(self.changed_share, "the share of the corpus that an update changes")
        if self.unit not in UNITS:
            raise ConfigError(f"the unit is '{self.unit}'; it is one of {', '.join(UNITS)}")

    @property
    def queries(self) -> float:
        """All queries."""
        return self.queries_per_month * self.months

    @property
    def updates(self) -> float:
        """All updates."""
        return self.updates_per_month * self.months

    @cached_property
    def kg_per_kwh(self) -> float:
        """kg CO2e of a kWh that the machine draws, PUE counted."""
        from harness.metering.grid import grid_of

        return grid_of(self.cost).kg_per_kwh * self.cost.pue

    @cached_property
    def idle_kwh(self) -> float:
        """What a resident model draws while it waits, for each second in which it answers.

        0 where idle watts or utilisation are not stated.
        """
        return idle_kwh_a_second(self.cost) or 0.0

    @cached_property
    def carbon_rates(self) -> Rates:
        """What time and energy emit, in kg CO2e."""
        return Rates(0, self.kg_per_kwh, 0, self.idle_kwh * self.kg_per_kwh)

    @cached_property
    def rates(self) -> Rates:
        """What the unit makes of time, energy and bills.

        Raises:
            ConfigError: money is asked for, and a price that it needs is not stated.
        """
        if self.unit == "seconds":
            return Rates(1, 0, 0)
        if self.unit == "kwh":
            return Rates(0, 1, 0, self.idle_kwh)
        if self.unit == "kgco2e":
            return self.carbon_rates
        prices = prices_of(self.cost)
        second, kwh = machine_cost(prices, 1, 0), machine_cost(prices, 0, 1)
        assert second is not None and kwh is not None  # as time and energy are known
        # A machine's purchase is spread over its hours of work: idle ones add electricity alone, of
        # which the price of a rented hour holds all.
        return Rates(second, kwh, 1, self.idle_kwh * kwh)
