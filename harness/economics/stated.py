"""The cost settings that results are read with: loaded from ``conf/cost/``, and listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from harness.economics.carbon import Budget, Embodied
from harness.economics.config import Stated
from harness.economics.prices import (
    HOURS_A_YEAR,
    ApiPrice,
    Figure,
    OwnedDevice,
    Prices,
    RentedDevice,
)
from harness.errors import ConfigError, suggestion
from harness.metering.config import STATED_LATER, CostConfig
from harness.metering.grid import Grid, grid_of

UNITS = {
    "electricity_usd_per_kwh": "US$/kWh",
    "purchase_usd": "US$",
    "hourly_usd": "US$/h",
    "api_prompt_usd_per_million": "US$/1e6 tokens",
    "api_cached_usd_per_million": "US$/1e6 tokens",
    "api_output_usd_per_million": "US$/1e6 tokens",
    "life_years": "years",
    "utilisation": "share of the time",
    "idle_watts": "W",
    "embodied_kg": "kg CO2e",
    "reserved_share": "share of the machine",
    "queries_per_month": "queries/month",
    "updates_per_month": "updates/month",
    "changed_share": "share of the corpus",
    "base_kg": "kg CO2e/year",
    "rate": "share of the base year, each year",
}
"""Every figure that can be stated, and its unit."""

PLACES: dict[str, type[float] | type[str]] = {
    "pue": float,
    "carbon_intensity_kg_per_kwh": float,
    "country": str,
}
"""Settings of the place that change what a kWh emits and costs, not what was measured."""

RIVALS = {
    "prices.hourly_usd": "prices.purchase_usd",
    "prices.purchase_usd": "prices.hourly_usd",
}
"""A machine is owned or rented: the one that the command line assumes stands over the other."""

JOULES_PER_KWH = 3.6e6

UNSOURCED = "stated without a source"
"""Of a plain number that ``cost.sources`` says nothing about."""


@dataclass(frozen=True)
class Assumption:
    """One figure that a cost rests on; a counter has no value."""

    name: str
    value: float | None
    unit: str
    source: str
    date: str


def load_cost(name: str | None = None, assumed: Sequence[str] = ()) -> CostConfig:
    """The cost settings of ``conf/cost/<name>.yaml``, or of a YAML file of the user's.

    Args:
        name: a choice of ``cost``, or the path of a file with its settings; None: the default.
        assumed: NAME=VALUE, over what the file says: a figure of ``UNITS`` or a place.

    Raises:
        ConfigError: there is no such file, it cannot be read, or a figure cannot be.
    """
    from harness.overrides import Composer

    composer = Composer()
    own = name is not None and (name.endswith((".yaml", ".yml")) or "/" in name)
    choices = composer.choices("cost")
    if name is not None and not own and name not in choices:
        raise ConfigError(
            f"--cost is '{name}'{suggestion(name, choices)}; it is one of {', '.join(choices)}, or "
            "a YAML file"
        )
    cost = composer.compose(f"cost={'default' if own or name is None else name}").cost
    try:
        if own:
            path = Path(str(name))
            if not path.is_file():
                raise ConfigError(f"--cost {path}: there is no such file")
            told = OmegaConf.load(path)
            if not isinstance(told, DictConfig):
                raise ConfigError(
                    f"--cost {path} holds no settings: it is written like conf/cost/*"
                )
            told.pop("defaults", None)
            cost = OmegaConf.merge(cost, told)
        given = dict(map(_assumed, assumed))
        for key, value in given.items():
            if key == "country":  # a fixed intensity of the file would stand before it
                cost.carbon_intensity_kg_per_kwh = None
            if key in RIVALS and RIVALS[key] not in given:  # the file's other gives way
                OmegaConf.update(cost, RIVALS[key], {"value": None, "source": "", "date": ""})
            OmegaConf.update(cost, key, value)
            if PLACES.get(key) is float:
                line = {"source": "the command line", "date": _today()}
                OmegaConf.update(cost, f"sources.{key}", line)
        found = OmegaConf.to_object(cost)
    except (OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
        full = getattr(error, "full_key", None)
        where = f"cost.{full}" if full else str(name)
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"--cost: {where}: {why}") from error
    assert isinstance(found, CostConfig)
    return found


def cost_given(name: str | None, assumed: Sequence[str]) -> CostConfig | None:
    """The cost settings that ``--cost`` and ``--assume`` name; None where neither does.

    Raises:
        ConfigError: as ``load_cost``.
    """
    return load_cost(name, assumed) if name or assumed else None


def assumptions(cost: CostConfig) -> list[Assumption]:
    """Every figure stated in ``cost``, and PUE and carbon intensity with where they are from."""
    found = []
    for block in STATED_LATER:
        settings = getattr(cost, block)
        for one in fields(settings):
            stated = getattr(settings, one.name)
            if isinstance(stated, Stated) and stated.value is not None:
                unit = UNITS[one.name]
                found.append(Assumption(one.name, stated.value, unit, stated.source, stated.date))
    told = cost.sources.pue
    source = told.source or ("not stated: no overhead is counted" if cost.pue == 1 else UNSOURCED)
    found.append(Assumption("pue", cost.pue, "facility over machine energy", source, told.date))
    found.append(intensity_of(grid_of(cost), cost))
    return found


def intensity_of(grid: Grid, cost: CostConfig) -> Assumption:
    """What a kWh emits on ``grid``, with the source and date of the figure."""
    source, date = f"{grid.origin}: {grid.detail}", grid.date
    if cost.carbon_intensity_kg_per_kwh is not None:
        told = cost.sources.carbon_intensity_kg_per_kwh
        source, date = told.source or UNSOURCED, told.date
    name = "carbon_intensity_kg_per_kwh"
    return Assumption(name, grid.kg_per_kwh, "kg CO2e/kWh", source, date)


def prices_of(cost: CostConfig) -> Prices:
    """What ``cost`` states about money.

    Raises:
        ConfigError: a machine is owned, and its life or utilisation is not stated.
    """
    prices, hardware = cost.prices, cost.hardware
    device: OwnedDevice | RentedDevice | None = None
    purchase, hourly = figure(prices.purchase_usd), figure(prices.hourly_usd)
    if purchase is not None:
        life, used = figure(hardware.life_years), figure(hardware.utilisation)
        if life is None or used is None:
            missing = "life_years" if life is None else "utilisation"
            raise ConfigError(
                f"cost.prices.purchase_usd is stated, but not cost.hardware.{missing}: a purchase "
                "is spread over the hours in which the machine works"
            )
        device = OwnedDevice(purchase, life, used)
    elif hourly is not None:
        device = RentedDevice(hourly)
    told = cost.sources.pue
    pue = Figure(cost.pue, told.source or "cost.pue", told.date or _today())
    return Prices(figure(prices.electricity_usd_per_kwh), device, pue, api_of(cost))


def api_of(cost: CostConfig) -> ApiPrice | None:
    """The endpoint's prices that ``cost`` states; None without those of prompt and output."""
    prices = cost.prices
    prompt = figure(prices.api_prompt_usd_per_million)
    output = figure(prices.api_output_usd_per_million)
    if prompt is None or output is None:
        return None
    return ApiPrice(prompt, output, figure(prices.api_cached_usd_per_million))


def idle_kwh_a_second(cost: CostConfig) -> float | None:
    """kWh that a resident model draws while it waits, for each second in which it works.

    Idle watts × (1 − utilisation) / utilisation: of each second in which the machine works, so
    many pass idle. None where either is not stated.
    """
    watts, used = cost.hardware.idle_watts.value, cost.hardware.utilisation.value
    if watts is None or used is None:
        return None
    return watts * (1 - used) / used / JOULES_PER_KWH


def embodied_of(cost: CostConfig) -> Embodied | None:
    """What making the machine emitted; None if it, or the machine's life, is not stated."""
    made, life = figure(cost.hardware.embodied_kg), figure(cost.hardware.life_years)
    if made is None or life is None:
        return None
    share = cost.hardware.reserved_share.value
    return Embodied(
        made.value, life.value * HOURS_A_YEAR, made.source, 1.0 if share is None else share
    )


def budget_of(cost: CostConfig) -> Budget | None:
    """The yearly allowance of emissions; None if none is stated."""
    budget = cost.budget
    if budget.base_kg.value is None or budget.rate.value is None or budget.base_year is None:
        return None
    return Budget(budget.base_year, budget.base_kg.value, budget.rate.value, budget.method_version)


def figure(stated: Stated) -> Figure | None:
    """The figure, checked; None if it is not stated."""
    if stated.value is None:
        return None
    return Figure(stated.value, stated.source, stated.date)


def _assumed(text: str) -> tuple[str, Any]:
    """The setting that NAME=VALUE names, and its value."""
    name, equals, value = text.partition("=")
    known = [*UNITS, *PLACES]
    if not equals or name not in known:
        raise ConfigError(
            f"--assume {text}{suggestion(name, known)}; it is NAME=VALUE, NAME one of "
            f"{', '.join(known)}"
        )
    if PLACES.get(name) is str:
        return name, value
    try:
        number = float(value)
    except ValueError:
        raise ConfigError(f"--assume {text}: '{value}' is no number") from None
    if name in PLACES:
        return name, number
    block = next(block for block in STATED_LATER if hasattr(getattr(CostConfig(), block), name))
    return f"{block}.{name}", {"value": number, "source": "the command line", "date": _today()}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
