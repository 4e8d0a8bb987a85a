"""What a device's time and energy cost in money and carbon, as far as that is stated."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.economics.carbon import Embodied
from harness.economics.plan.catalogue import Device
from harness.economics.prices import OwnedDevice, Prices, machine_cost
from harness.metering.grid import Grid


@dataclass(frozen=True)
class Terms:
    """Money and carbon, as far as they are stated.

    Attributes:
        machine: whether the prices of a machine are those of the device: it is the only one asked
            about.
    """

    prices: Prices = field(default_factory=Prices)
    grid: Grid | None = None
    embodied: Embodied | None = None
    machine: bool = False


def money(
    device: Device,
    terms: Terms,
    seconds: float | None,
    count: int | None,
    kwh: float | None,
    pue: float,
) -> tuple[float | None, str]:
    """US$ and what for: the catalogue's rent, else the stated machine, else electricity."""
    rent, prices = device.get("usd_per_hour"), terms.prices
    if seconds is None or count is None:
        return None, ""
    if rent is not None:
        return seconds / 3600 * count * rent, "rent"
    owned = isinstance(prices.device, OwnedDevice)
    if terms.machine and prices.device is not None and not (owned and prices.electricity is None):
        usd = machine_cost(prices, seconds * count, kwh)
        return usd, "purchase and electricity" if owned else "rent"
    if prices.electricity is not None and kwh is not None:
        return kwh * pue * prices.electricity.value, "electricity"
    return None, ""


def carbon(
    terms: Terms, kwh: float | None, seconds: float | None, count: int | None, pue: float
) -> float | None:
    """kg CO2e of the electricity, and of making the machine where that is stated of it."""
    if terms.grid is None:
        return None
    operational = terms.grid.emissions_kg(kwh, pue)
    if operational is None or seconds is None or count is None:
        return None
    made = terms.embodied.kg(seconds * count) if terms.machine and terms.embodied else 0.0
    return operational + made
