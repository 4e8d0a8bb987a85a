"""Prices in US$, each with its source and date, and what a run's seconds and kWh cost at them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.economics.checks import (
    checked_amount,
    checked_date,
    checked_positive,
    checked_pue,
    checked_share,
)
from harness.errors import ConfigError

HOURS_A_YEAR = 8760.0


@dataclass(frozen=True)
class Figure:
    """One assumption: a number, who says so, and when (ISO date)."""

    value: float
    source: str
    date: str

    def __post_init__(self) -> None:
        checked_amount(self.value, "a price or assumption")
        if not self.source.strip():
            raise ConfigError(f"the figure {self.value} has no source: say where it is from")
        checked_date(self.date, f"the figure {self.value} ({self.source})")


@dataclass(frozen=True)
class OwnedDevice:
    """A device that was bought: its purchase is spread over the hours in which it does work.

    Attributes:
        purchase_usd: of the machine.
        life_years: until it is replaced.
        utilisation: share of that time in which it works.
    """

    purchase_usd: Figure
    life_years: Figure
    utilisation: Figure

    def __post_init__(self) -> None:
        checked_positive(self.life_years.value, "the device's life", "years")
        checked_positive(self.utilisation.value, "the device's utilisation")
        checked_share(self.utilisation.value, "the device's utilisation")

    def usd_per_hour(self) -> float:
        """The purchase for each hour of work; electricity comes on top."""
        hours = self.life_years.value * HOURS_A_YEAR * self.utilisation.value
        return self.purchase_usd.value / hours


@dataclass(frozen=True)
class RentedDevice:
    """A device by the hour, its electricity included."""

    hourly_usd: Figure

    def usd_per_hour(self) -> float:
        """What an hour costs."""
        return self.hourly_usd.value


@dataclass(frozen=True)
class ApiPrice:
    """US$ for a million tokens at an endpoint; ``cached`` is None where no such price is known."""

    prompt: Figure
    output: Figure
    cached: Figure | None = None


@dataclass(frozen=True)
class Prices:
    """What is stated about prices; None is not stated, and never free.

    Attributes:
        electricity: US$ a kWh.
        pue: facility energy over the machine's own.
        api: of an endpoint that is paid by the token.
    """

    electricity: Figure | None = None
    device: OwnedDevice | RentedDevice | None = None
    pue: Figure | None = None
    api: ApiPrice | None = None

    def __post_init__(self) -> None:
        if self.pue is not None:
            checked_pue(self.pue.value)


def machine_cost(prices: Prices, seconds: float | None, energy_kwh: float | None) -> float | None:
    """US$ of device time and electricity; None where seconds or energy are unknown.

    Owned: seconds × hourly share of the purchase + kWh × PUE × price. Rented: seconds × hourly
    price, whatever the energy.

    Raises:
        ConfigError: a price that this needs is not stated.
    """
    device = prices.device
    if device is None:
        raise ConfigError(
            "a cost in money needs the price of the device, owned or rented: state "
            "cost.prices.purchase_usd or hourly_usd (--cost laptop, --assume hourly_usd=0.5)"
        )
    if isinstance(device, OwnedDevice) and (prices.electricity is None or prices.pue is None):
        missing = "the price of electricity" if prices.electricity is None else "the PUE"
        raise ConfigError(f"a cost in money on a device that is owned needs {missing}")
    if seconds is None:
        return None
    hours = checked_amount(seconds, "the time", "seconds") / 3600
    time = hours * device.usd_per_hour()
    if prices.electricity is None or prices.pue is None or isinstance(device, RentedDevice):
        return time
    if energy_kwh is None:
        return None
    energy = checked_amount(energy_kwh, "the energy", "kWh")
    return time + energy * prices.pue.value * prices.electricity.value
