"""What one arm takes in tokens, time, energy, carbon and money, from the rows of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.columns import COLUMNS
from harness.economics.breakeven import UNITS
from harness.economics.carbon import CarbonIntensity, carbon_intensity
from harness.economics.prefix import shared_prefix
from harness.economics.prices import ApiPrice, machine_cost
from harness.economics.rows import FIXED, arm_cost, idle_cost, phases_cost
from harness.economics.stated import embodied_of, prices_of
from harness.economics.tokenomics import QueryCost, TokenUse, api_cost, prefix_saving, query_cost
from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.grid import grid_of

Row = Mapping[str, Any]

THOUSAND = 1000

NO_PRICES = (
    "no price of the device is stated: --cost NAME|FILE (conf/cost/*), or --assume hourly_usd=…"
)


@dataclass(frozen=True)
class Tokens:
    """Mean tokens of one query, by the tokenizer of the model that ran; None where not recorded.

    Attributes:
        prompt: all of the prompt; passages, shots and shared are parts of it.
        shared: those that all prompts begin with, estimated from their characters.
    """

    prompt: float | None
    passages: float | None
    shots: float | None
    output: float | None
    shared: float | None


@dataclass(frozen=True)
class ApiAccount:
    """What the arm's tokens would cost at a named price, and what a kept prefix would save.

    Attributes:
        cost: with nothing kept.
        saving: US$ a thousand queries; None without a price of cached tokens, or a prefix.
    """

    cost: QueryCost | None
    saving: float | None


@dataclass(frozen=True)
class ArmAccount:
    """One arm, averaged over its seeds; what is None is unknown, never zero.

    Attributes:
        accuracy: share of answers that are correct.
        per_query: unit of ``UNITS`` -> cost of a query, of a thousand, of a correct answer.
        idle: unit -> the part of a query's cost that falls on waiting; None where idle watts or
            utilisation are not stated, and then it is no part of it.
        fixed: unit -> prepare, index and train.
        tune: unit -> choosing settings on validation, which is no part of ``fixed``.
        api: name of a price -> what the tokens would cost there.
        carbon: of all test questions.
        fixed_kg: of the fixed phases: operational, and with embodied carbon where it is stated.
        energy_kwh: of the whole arm, as ``total_energy_kwh`` has it, each run counted.
        source: what energy rests on: "counter", "estimate", both, or "none".
        other_energy_kwh: of the same by CodeCarbon's estimate, where a counter measured it.
    """

    label: str
    runs: int
    accuracy: float | None
    tokens: Tokens
    per_query: Mapping[str, QueryCost | None]
    idle: Mapping[str, float | None]
    fixed: Mapping[str, float | None]
    tune: Mapping[str, float | None]
    api: Mapping[str, ApiAccount]
    carbon: CarbonIntensity | None
    fixed_kg: float | None
    energy_kwh: tuple[float | None, ...]
    spent_kwh: tuple[float | None, ...]
    source: str
    other_energy_kwh: float | None

    @property
    def query_kg(self) -> float | None:
        """kg CO2e of a query: its SCI, or the operational part where nothing embodied is stated."""
        if self.carbon is not None and self.carbon.per_query is not None:
            return self.carbon.per_query
        operational = self.per_query["kgco2e"]
        return None if operational is None else operational.per_query


def account(
    label: str,
    runs: Sequence[Row],
    measured: int,
    accuracy: str | None,
    cost: CostConfig | None = None,
    apis: Mapping[str, ApiPrice] | None = None,
) -> ArmAccount:
    """The arm's account.

    Args:
        runs: one a seed, as ``compare.arms.line_up`` has them.
        measured: how many of them, from the first, are measurements of their own.
        accuracy: the measure that says what is correct.
        cost: prices and place; without it there is no money, and the grid is that of the rows.

    Raises:
        ConfigError: a figure cannot be.
    """
    rows = [dict.fromkeys(COLUMNS) | dict(run) for run in runs[: max(1, measured)]]
    right = _mean([_number(row[accuracy]) for row in rows]) if accuracy else None
    found = {unit: [_costs(row, unit, cost) for row in rows] for unit in UNITS}
    fixed, each, tune, idle = (
        {unit: _mean([costs[part] for costs in found[unit]]) for unit in UNITS} for part in range(4)
    )
    per_query = {unit: query_cost(each[unit], right) for unit in UNITS}
    tokens = _tokens(rows)
    return ArmAccount(
        label=label,
        runs=len(rows),
        accuracy=right,
        tokens=tokens,
        per_query=per_query,
        idle=idle,
        fixed=fixed,
        tune=tune,
        api={name: _api(tokens, price, right) for name, price in (apis or {}).items()},
        carbon=_carbon(rows, per_query, right, cost),
        fixed_kg=_fixed_kg(fixed, cost),
        energy_kwh=tuple(_number(row["total_energy_kwh"]) for row in rows),
        spent_kwh=tuple(_spent(dict.fromkeys(COLUMNS) | dict(run)) for run in runs),
        source=_sources(rows),
        other_energy_kwh=_mean([_number(row.get("estimated_energy_kwh")) for row in rows]),
    )


def money_needs(cost: CostConfig | None) -> str:
    """What must be stated before the machine's time has a price; "" if nothing."""
    if cost is None:
        return NO_PRICES
    try:
        prices = prices_of(cost)
        if prices.device is None:
            return NO_PRICES
        machine_cost(prices, 0, 0)
    except ConfigError as error:
        return str(error)
    return ""


def _costs(
    row: Row, unit: str, cost: CostConfig | None
) -> tuple[float | None, float | None, float | None, float | None]:
    """Fixed, per query, tuning, and the part of a query that is idling."""
    return (
        _priced(unit, lambda: phases_cost(row, FIXED, unit, cost)),
        _priced(unit, lambda: arm_cost(row, unit, None, cost).per_query),
        _priced(unit, lambda: phases_cost(row, ("tune",), unit, cost)),
        _priced(unit, lambda: idle_cost(row, unit, cost)),
    )


def _priced(unit: str, find: Callable[[], float | None]) -> float | None:
    """The cost; None for money that lacks a price, of which ``money_needs`` tells once."""
    try:
        return find()
    except ConfigError:
        if unit != "usd":
            raise
        return None


def _tokens(rows: Sequence[Row]) -> Tokens:
    def mean(column: str) -> float | None:
        known = [(_number(row[column]), _number(row["n_test"])) for row in rows]
        return _mean([None if n is None or not asked else n / asked for n, asked in known])

    passages, shots = mean("passage_tokens"), mean("shot_tokens")
    prefixes = [_prefix(row) for row in rows]
    return Tokens(
        prompt=mean("prefill_tokens"),
        passages=passages,
        shots=shots,
        output=mean("decode_tokens"),
        shared=_mean(prefixes),
    )


def _prefix(row: Row) -> float | None:
    """Tokens that the run's prompts share; None where its predictions are not there."""
    from harness.compare.arms import run_file
    from harness.errors import RecordError

    path: Path | None = run_file(dict(row), "predictions")
    if path is None or not path.exists():
        return None
    try:
        found = shared_prefix(path)
    except RecordError:
        return None  # whoever reads the predictions themselves says what is wrong with them
    return None if found is None else found.tokens


def _api(tokens: Tokens, price: ApiPrice, accuracy: float | None) -> ApiAccount:
    if tokens.prompt is None or tokens.output is None:
        return ApiAccount(None, None)
    usd = api_cost(TokenUse(tokens.prompt, tokens.output), price)
    saving = None if tokens.shared is None else prefix_saving(tokens.shared, THOUSAND, price)
    return ApiAccount(query_cost(usd, accuracy), saving)


def _carbon(
    rows: Sequence[Row],
    per_query: Mapping[str, QueryCost | None],
    accuracy: float | None,
    cost: CostConfig | None,
) -> CarbonIntensity | None:
    """SCI of the test questions; without stated settings only its operational part."""
    asked = {int(n) for row in rows if (n := _number(row["n_test"])) is not None and n > 0}
    if len(asked) != 1:
        return None
    queries = asked.pop()
    kwh, seconds, kg = (
        None if (each := per_query[unit]) is None else each.per_query * queries
        for unit in ("kwh", "seconds", "kgco2e")
    )
    if cost is None:
        return CarbonIntensity(kg, None, None, None)
    grid, made = grid_of(cost), embodied_of(cost)
    return carbon_intensity(kwh, seconds, queries, accuracy, grid, cost.pue, made)


def _fixed_kg(fixed: Mapping[str, float | None], cost: CostConfig | None) -> float | None:
    """kg CO2e of the fixed phases, embodied carbon included where it is stated."""
    operational, seconds = fixed["kgco2e"], fixed["seconds"]
    made = None if cost is None else embodied_of(cost)
    if operational is None or made is None:
        return operational
    return None if seconds is None else operational + made.kg(seconds)


def _spent(row: Row) -> float | None:
    """What the run itself metered; nothing where all of it was reused."""
    if _number(row["spent_seconds"]) == 0:
        return 0.0
    return _number(row["spent_energy_kwh"])


def _sources(rows: Sequence[Row]) -> str:
    found = sorted({str(row["energy_source"]) for row in rows if row["energy_source"]})
    return ", ".join(found) or "none"


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; None where there is none, or one is unknown."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool | str | dict | list) or value != value:  # noqa: PLR0124
        return None
    return float(value)
