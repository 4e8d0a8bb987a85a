"""What the advice rests on, each with the range over which it is varied by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from harness.advise.figures import Figures
from harness.advise.readings import ArmReadings
from harness.advise.situation import Situation
from harness.economics.config import Stated

Case = tuple[list[Figures], Situation]

TWICE = "half to twice"
FARTHEST = 1000.0
"""How many times smaller or larger than it is an assumption is looked at for a change of advice."""


@dataclass(frozen=True)
class Assumption:
    """One figure, by itself.

    Attributes:
        low, high: the range that the chart shows.
        said: what that range is.
        least, most: how far the figure is followed to where the advice changes.
        case: arms and situation with the figure at a value.
        share: whether it is followed in equal steps; else in equal ratios.
    """

    name: str
    unit: str
    value: float
    low: float
    high: float
    said: str
    least: float
    most: float
    case: Callable[[float], Case]
    share: bool = False


def assumptions(
    arms: Sequence[ArmReadings], situation: Situation, best: str | None, other: str | None
) -> list[Assumption]:
    """Every assumption that counts in the situation's unit or limits.

    Args:
        best, other: the advised arm and the runner-up, whose accuracy is varied over its interval.
    """
    figures = [arm.figures for arm in arms]
    found = [*_use(figures, situation), *_prices(figures, situation)]
    found += _machine(figures, situation)
    energy = situation.rates.kwh > 0 or situation.limits.carbon is not None
    if energy:
        found += _energy(arms, figures, situation)
    for arm in arms:
        if arm.name in (best, other):
            found += _accuracy(arm, figures, situation)
    return [*found, *_limits(figures, situation)]


def _use(figures: list[Figures], situation: Situation) -> list[Assumption]:
    def with_queries(value: float) -> Case:
        return figures, replace(situation, queries_per_month=value)

    def with_months(value: float) -> Case:
        return figures, replace(situation, months=value)

    def with_updates(value: float) -> Case:
        return figures, replace(situation, updates_per_month=value)

    def with_changed(value: float) -> Case:
        return figures, replace(situation, changed_share=value)

    queries, months, updates = (
        situation.queries_per_month,
        situation.months,
        situation.updates_per_month,
    )
    found = [
        _twice("queries a month", "", queries, with_queries),
        _twice("months of use", "", months, with_months),
    ]
    if updates:
        found.append(_twice("updates a month", "", updates, with_updates))
    else:
        found.append(
            Assumption(
                "updates a month",
                "",
                0,
                0,
                1,
                "none to 1",
                0,
                FARTHEST,
                with_updates,
            )
        )
    if updates and any(one.index.seconds for one in figures):
        share = situation.changed_share
        found.append(_share("changed share of the corpus", share, with_changed))
    return found


def _prices(figures: list[Figures], situation: Situation) -> list[Assumption]:
    """The prices that money rests on."""
    if situation.unit != "usd":
        return []
    found = []
    named = (
        ("prices", "purchase_usd", "price of the machine", "US$"),
        ("prices", "hourly_usd", "price of an hour", "US$"),
        ("prices", "electricity_usd_per_kwh", "price of electricity", "US$/kWh"),
        ("hardware", "life_years", "life of the machine", "years"),
    )
    rented = situation.cost.prices.hourly_usd.value is not None
    for block, name, shown, unit in named:
        value = getattr(getattr(situation.cost, block), name).value
        # An hour's price holds electricity and the machine's life.
        if value and (name == "hourly_usd" or not rented):
            found.append(_twice(shown, unit, value, _stated(figures, situation, block, name)))
    return found


def _machine(figures: list[Figures], situation: Situation) -> list[Assumption]:
    """How long the machine idles, and what it draws then."""
    hardware = situation.cost.hardware
    used, idle = hardware.utilisation.value, hardware.idle_watts.value
    waiting = situation.rates.waiting > 0 or (situation.limits.carbon is not None and idle)
    bought = situation.unit == "usd" and situation.cost.prices.purchase_usd.value
    found = []
    if used and (waiting or bought):
        case = _stated(figures, situation, "hardware", "utilisation")
        found.append(_share("utilisation of the machine", used, case))
    if idle and waiting:
        case = _stated(figures, situation, "hardware", "idle_watts")
        found.append(_twice("idle power", "W", idle, case))
    return found


def _stated(
    figures: list[Figures], situation: Situation, block: str, name: str
) -> Callable[[float], Case]:
    """The case in which a stated figure of the costs has another value."""

    def case(value: float) -> Case:
        told = Stated(value, "varied", datetime.now(UTC).date().isoformat())
        settings = replace(getattr(situation.cost, block), **{name: told})
        return figures, replace(situation, cost=replace(situation.cost, **{block: settings}))

    return case


def _energy(
    arms: Sequence[ArmReadings], figures: list[Figures], situation: Situation
) -> list[Assumption]:
    found = []
    cost = situation.cost
    if situation.unit != "kwh" or situation.limits.carbon is not None:

        def with_pue(value: float) -> Case:
            return figures, replace(situation, cost=replace(cost, pue=value))

        high = max(2.0, cost.pue)
        found.append(
            Assumption(
                "PUE",
                "",
                cost.pue,
                1,
                high,
                "no overhead to twice" if high == 2 else "no overhead to now",
                1,
                10,
                with_pue,
            )
        )
    grid = cost.carbon_intensity_kg_per_kwh
    if grid and (situation.unit == "kgco2e" or situation.limits.carbon is not None):

        def with_grid(value: float) -> Case:
            return figures, replace(
                situation, cost=replace(cost, carbon_intensity_kg_per_kwh=value)
            )

        intensity = _twice("carbon intensity of the grid", "kg/kWh", grid, with_grid)
        found.append(replace(intensity, high=min(5, intensity.high), most=5))
    shares = {arm.name: arm.assumed_watts for arm in arms}
    if any(shares.values()):

        def with_watts(factor: float) -> Case:
            varied = [_at_watts(one, 1 + shares[one.arm] * (factor - 1)) for one in figures]
            return varied, situation

        found.append(_twice("assumed watts, times", "", 1, with_watts))
    return found


def _accuracy(arm: ArmReadings, figures: list[Figures], situation: Situation) -> list[Assumption]:
    reading = arm.accuracy
    limited = situation.limits.accuracy is not None
    if reading is None or not (limited or situation.per_correct):
        return []
    low = reading.value if reading.low is None else reading.low
    high = reading.value if reading.high is None else reading.high

    def case(value: float) -> Case:
        varied = [replace(one, accuracy=value) if one.arm == arm.name else one for one in figures]
        return varied, situation

    name = f"accuracy of {arm.name}"
    said = "its 95 % interval"
    return [Assumption(name, "", reading.value, low, high, said, 0, 1, case, share=True)]


def _limits(figures: list[Figures], situation: Situation) -> list[Assumption]:
    units = {"latency": "s", "memory": "GiB", "carbon": "kg/year"}
    found = []
    for name, bound in situation.limits.given().items():

        def case(value: float, name: str = name) -> Case:
            limits = replace(situation.limits, **{name: value})
            return figures, replace(situation, limits=limits)

        shown = f"{'least' if name == 'accuracy' else 'most'} {name}"
        if name in ("accuracy", "forgetting"):
            most = 1.0 if name == "accuracy" else max(1.0, 2 * bound)  # a loss of text is no share
            low, high = max(0.0, bound - 0.05), min(most, bound + 0.05)
            found.append(
                Assumption(shown, "", bound, low, high, "±0.05", 0, most, case, share=True)
            )
        elif bound:
            found.append(_twice(shown, units[name], bound, case))
    return found


def _twice(name: str, unit: str, value: float, case: Callable[[float], Case]) -> Assumption:
    least, most = value / FARTHEST, value * FARTHEST
    return Assumption(name, unit, value, value / 2, value * 2, TWICE, least, most, case)


def _share(name: str, value: float, case: Callable[[float], Case]) -> Assumption:
    if value == 0:
        return Assumption(name, "", 0, 0, 1, "none to all", 0, 1, case, share=True)
    high = min(1.0, 2 * value)
    said = TWICE if high == 2 * value else "half to all"
    return Assumption(name, "", value, value / 2, high, said, value / FARTHEST, 1, case)


def _at_watts(one: Figures, factor: float) -> Figures:
    return replace(
        one,
        train=one.train.with_energy(factor),
        index=one.index.with_energy(factor),
        query=one.query.with_energy(factor),
    )
