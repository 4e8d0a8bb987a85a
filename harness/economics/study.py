"""The account of a study: its arms, its emissions on other grids, and what a budget holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.economics.account import ArmAccount, Row, account, money_needs
from harness.economics.carbon import Budget, emissions_by_country, fitting
from harness.economics.catalogue import api_price
from harness.economics.prices import ApiPrice
from harness.economics.stated import (
    Assumption,
    api_of,
    assumptions,
    budget_of,
    embodied_of,
)
from harness.errors import ConfigError, suggestion
from harness.measures.definitions import ACCURACY
from harness.metering.config import CostConfig

STATED_API = "stated price"
"""What the price of ``cost.prices.api_*`` is called among the named ones."""

BUDGET_YEARS = 6
"""Years of a budget that are shown, the base year among them."""

PREFERRED = ("contains", "multiple_choice")

Arms = Iterable[tuple[str, Sequence[Row], int]]
"""Label, runs, and how many of them are measurements of their own."""


@dataclass(frozen=True)
class Emissions:
    """What the study's energy would emit in one country, kg CO2e.

    Attributes:
        full: of all arms, each as if it ran alone.
        spent: of what these runs metered, probes and latency included, reused work left out.
    """

    country: str
    kg_per_kwh: float
    source: str
    full: float | None
    spent: float | None


@dataclass(frozen=True)
class Allowance:
    """A year of the budget.

    Attributes:
        queries, setups: label of an arm -> how many fit; None where one emits nothing known.
    """

    year: int
    kg: float
    queries: Mapping[str, int | None]
    setups: Mapping[str, int | None]


@dataclass(frozen=True)
class Study:
    """All of it, as plain data.

    Attributes:
        accuracy: the measure that says what is correct; None if no row has one.
        money_needs: why the machine's time has no price; "" if it has.
        embodied: whether embodied carbon is stated, without which there is no SCI.
        full_kwh, spent_kwh: energy of the runs that know it.
        without_energy: how many runs do not.
        estimated: whether any energy is an estimate, not read from a counter.
        owned: whether the machine is: then money counts its energy.
        budget: None if none is stated.
        devices: that the seconds and the energy were measured on.
        apis: name -> price.
    """

    arms: tuple[ArmAccount, ...]
    accuracy: str | None
    money_needs: str
    embodied: bool
    full_kwh: float | None
    spent_kwh: float | None
    without_energy: int
    estimated: bool
    owned: bool
    emissions: tuple[Emissions, ...]
    budget: Budget | None
    allowances: tuple[Allowance, ...]
    devices: tuple[str, ...]
    apis: Mapping[str, ApiPrice]
    assumptions: tuple[Assumption, ...]


def study(
    arms: Arms, cost: CostConfig | None, apis: Sequence[str] = (), accuracy: str | None = None
) -> Study:
    """The account of all arms.

    Args:
        cost: what is stated; without it the grid is that of each row, and there is no money.
        apis: names of the catalogue of prices.
        accuracy: the measure that says what is correct; else the usual one that rows have.

    Raises:
        ConfigError: a name or figure cannot be, or no row has that measure.
    """
    given = [(label, runs, measured) for label, runs, measured in arms if runs]
    rows = [row for _, runs, _ in given for row in runs]
    measure = _accuracy(rows, accuracy)
    prices = {name: api_price(name) for name in dict.fromkeys(apis)}
    stated = None if cost is None else api_of(cost)
    if stated is not None:
        prices[STATED_API] = stated
    found = tuple(
        account(label, runs, measured, measure, cost, prices) for label, runs, measured in given
    )
    budget = None if cost is None else budget_of(cost)
    full = [kwh for arm in found for kwh in arm.energy_kwh]
    spent = [kwh for arm in found for kwh in arm.spent_kwh]
    return Study(
        arms=found,
        accuracy=measure,
        money_needs=money_needs(cost),
        embodied=cost is not None and embodied_of(cost) is not None,
        full_kwh=_known_sum(full),
        spent_kwh=_known_sum(spent),
        without_energy=full.count(None),
        estimated=any("estimate" in arm.source for arm in found),
        owned=cost is not None and cost.prices.purchase_usd.value is not None,
        emissions=_emissions(_known_sum(full), _known_sum(spent), cost),
        budget=budget,
        allowances=() if budget is None else _allowances(budget, found),
        devices=tuple(sorted({str(row["device"]) for row in rows if row.get("device")})),
        apis=prices,
        assumptions=(
            *_of_rows(rows, own_place=cost is None),
            *(assumptions(cost) if cost is not None else ()),
            *_of_apis(prices),
        ),
    )


def measures_of_correctness() -> list[str]:
    """The measures that say which share of answers is correct."""
    return [name for name, measure in ACCURACY.items() if measure.higher_is_better]


def _accuracy(rows: Sequence[Row], asked: str | None) -> str | None:
    known = [name for name in measures_of_correctness() if any(_has(row, name) for row in rows)]
    if asked is None:
        return next((name for name in (*PREFERRED, *known) if name in known), None)
    if asked not in measures_of_correctness():
        choices = measures_of_correctness()
        raise ConfigError(
            f"--accuracy is '{asked}'{suggestion(asked, choices)}; it is one of "
            f"{', '.join(choices)}"
        )
    if asked not in known:
        raise ConfigError(
            f"--accuracy is '{asked}', which no row has; these rows have "
            f"{', '.join(known) or 'no accuracy at all'}"
        )
    return asked


def _has(row: Row, name: str) -> bool:
    value = row.get(name)
    return isinstance(value, int | float) and value == value  # noqa: PLR0124


def _emissions(
    full: float | None, spent: float | None, cost: CostConfig | None
) -> tuple[Emissions, ...]:
    pue = 1.0 if cost is None else cost.pue
    all_of, spent_of = emissions_by_country(full, pue), emissions_by_country(spent, pue)
    return tuple(
        Emissions(
            country,
            grid.kg_per_kwh,
            grid.detail,
            kg,
            spent_of[country][0],
        )
        for country, (kg, grid) in all_of.items()
    )


def _allowances(budget: Budget, arms: Sequence[ArmAccount]) -> tuple[Allowance, ...]:
    years = range(budget.base_year, budget.base_year + BUDGET_YEARS)
    return tuple(
        Allowance(
            year,
            kg := budget.allowance_kg(year),
            {arm.label: fitting(kg, arm.query_kg) for arm in arms},
            {arm.label: fitting(kg, arm.fixed_kg) for arm in arms},
        )
        for year in years
    )


def _of_rows(rows: Iterable[Row], own_place: bool) -> list[Assumption]:
    """What the metered energy rests on, and the rows' own grid and PUE where no other is stated."""
    found: dict[tuple[Any, ...], Assumption] = {}
    for row in rows:
        told = row.get("cost_assumptions")
        for name, one in (told if isinstance(told, dict) else {}).items():
            if not own_place and name in ("carbon_intensity", "pue"):
                continue
            value, unit, source = one.get("value"), str(one.get("unit")), _source(one)
            metered = Assumption(
                f"metered: {name}", value, unit, source, str(row.get("created_at") or "")[:10]
            )
            found.setdefault((name, value, source), metered)
    return list(found.values())


def _source(told: Mapping[str, Any]) -> str:
    return f"{told.get('origin')}: {told.get('detail')}"


def _of_apis(prices: Mapping[str, ApiPrice]) -> list[Assumption]:
    """The named prices, each with its source; a stated one is among the assumptions already."""
    return [
        Assumption(f"{name}: {kind}", figure.value, "US$/1e6 tokens", figure.source, figure.date)
        for name, price in prices.items()
        if name != STATED_API
        for kind, figure in (
            ("prompt", price.prompt),
            ("cached prompt", price.cached),
            ("output", price.output),
        )
        if figure is not None
    ]


def _known_sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
