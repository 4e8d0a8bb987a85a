"""Accuracy against what it costs, with the Pareto front drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import altair as alt

from harness.measures.costs import TIMED
from harness.measures.definitions import FORGETTING
from harness.report.drawing import Figure
from harness.report.encodings import (
    Record,
    about_intervals,
    capital,
    ends,
    file_safe,
    hue,
    left_out,
    lines,
    named,
    records,
    said,
    sentences,
    shape,
    share_scale,
    spec,
)
from harness.report.pareto import front
from harness.report.placement import Box, Place, place_names
from harness.report.quantities import label, scale
from harness.report.readings import (
    MONEY,
    OWNED,
    PRICE,
    RENTED,
    Arm,
    Reading,
    higher_is_better,
    unit_of,
)

HEIGHT = 340
SIZES = ((560.0, float(HEIGHT)), (300.0, float(HEIGHT)))
"""The plot in a report and on a small screen: names are placed so that they fit both."""

DECADE = 10.0
"""Costs that span more are drawn on a log scale."""

SPENT = (
    "total_energy_kwh",
    MONEY,
    "answer_seconds",
    "latency_p50_seconds",
    "setup_seconds",
)
"""Costs that are drawn, in this order: time in batches and the latency of one are two things."""

Prices = Mapping[str, Mapping[str, float | None]]
"""Name of a price -> label of an arm -> US$ of a thousand queries."""

NOT_ITS_OWN = (
    "Tokens and accuracy are those of the model that ran, not of the one that the price is of."
)

Known = Sequence[tuple[Arm, Reading, Reading]]
"""Arm, cost, accuracy."""


@dataclass(frozen=True)
class Axis:
    """One axis of the chart, in the unit it is shown in."""

    domain: tuple[float, float]
    ticks: tuple[float, ...] | None
    log: bool

    def fraction(self, value: float) -> float:
        """Where on the axis a value is, from 0 to 1."""
        low, high = self.domain
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)

    def scale(self) -> alt.Scale:
        """The axis as a Vega-Lite scale."""
        kind = {"type": "log"} if self.log else {"zero": False}
        return alt.Scale(domain=list(self.domain), nice=False, **kind)

    def drawn(self, title: str) -> alt.Axis:
        """The axis with its title."""
        if self.ticks is None:
            return alt.Axis(title=lines(title), tickCount=6)
        return alt.Axis(title=lines(title), values=list(self.ticks), format="~r")


def pareto_charts(arms: Sequence[Arm], measure: str) -> list[Figure]:
    """The measure against each of ``SPENT`` and each kind of forgetting.

    A chart needs two arms whose figures are known; forgetting, one arm whose weights changed.
    """
    costs = list(SPENT)
    changed = [arm for arm in arms if not arm.frozen]
    costs += [name for name in FORGETTING if any(arm.read(name) for arm in changed)]
    known = {cost: _known(arms, cost, measure) for cost in costs}
    return [_figure(arms, found, cost, measure) for cost, found in known.items() if len(found) > 1]


def price_charts(arms: Sequence[Arm], measure: str, prices: Prices) -> list[Figure]:
    """The measure against what a thousand queries cost, a chart each price."""
    made = []
    for name, usd in prices.items():
        cost = f"{PRICE} {name}"
        priced = [
            replace(arm, rows=tuple(row | {cost: usd.get(arm.label)} for row in arm.rows))
            for arm in arms
        ]
        found = _known(priced, cost, measure)
        if len(found) > 1:
            figure = _figure(priced, found, cost, measure)
            elsewhere = "" if name in (OWNED, RENTED) else NOT_ITS_OWN
            caption = sentences(figure.caption, elsewhere)
            made.append(replace(figure, name=f"money_{figure.name}", caption=caption))
    return made


def _known(arms: Sequence[Arm], cost: str, measure: str) -> Known:
    return [
        (arm, spent, right)
        for arm in arms
        if (spent := arm.read(cost)) is not None and (right := arm.read(measure)) is not None
    ]


def _figure(arms: Sequence[Arm], found: Known, cost: str, measure: str) -> Figure:
    upwards = higher_is_better(measure, arms) is not False
    names = [arm.name for arm, _, _ in found]
    best = front([(spent.value, right.value) for _, spent, right in found], (False, upwards))
    devices = set().union(*(arm.texts("device") for arm, _, _ in found))
    on_device = cost in TIMED or cost.endswith((OWNED, RENTED))
    unfair = on_device and len(devices) > 1
    leading = [] if unfair else best
    beaten = [name for position, name in enumerate(names) if position not in best]
    chart, unnamed = _chart(arms, found, leading, cost, measure)
    missing = [arm.name for arm in arms if arm.name not in names]
    why = f"no {label(cost)} or {label(measure)} recorded"
    return Figure(
        name=f"pareto_{file_safe(cost)}_{file_safe(measure)}",
        title=f"{capital(label(measure))} against {label(cost)}",
        caption=sentences(
            f"Measured on several devices, so no front is drawn: {'; '.join(sorted(devices)[:4])}."
            if unfair
            else "Ringed, joined by dashed steps: the Pareto front of the measured means (no other "
            "arm is as good in both and better in one); intervals are not considered.",
            about_intervals([reading for _, *both in found for reading in both]),
            left_out(missing, why),
            "Names that would overlap are in the legend only." if unnamed else "",
        ),
        chart=chart,
        alt=f"{capital(label(measure))} against {label(cost)}, on several devices: no front."
        if unfair
        else f"On the Pareto front of {label(measure)} against {label(cost)}: "
        f"{', '.join(names[position] for position in best)}"
        f"{'; dominated: ' + ', '.join(beaten) if beaten else ''}.",
    )


def _chart(
    arms: Sequence[Arm], found: Known, leading: Sequence[int], cost: str, measure: str
) -> tuple[dict[str, object], bool]:
    """The chart, and whether a name found no place in it."""
    units = unit_of(cost, arms), unit_of(measure, arms)
    by_cost, by_right = scale(units[0]), scale(units[1])
    rows = [
        _point(arm, spent, right, by_cost.factor, by_right.factor)
        | {"cost_said": said(spent, cost, units[0]), "said": said(right, measure, units[1])}
        for arm, spent, right in found
    ]
    across = _cost_axis(rows, forgetting=cost in FORGETTING)
    upwards = _measure_axis(rows, by_right.unit == "%")
    steps = sorted((rows[position] for position in leading), key=lambda row: row["cost"])
    places = place_names(
        [(across.fraction(row["cost"]), upwards.fraction(row["value"])) for row in rows],
        [row["arm"] for row in rows],
        _lines(rows, steps, across, upwards),
        SIZES,
    )
    remark = sentences(
        _energy_remark(found, cost), "log scale," if across.log else "", "lower is better"
    )
    right_first = "higher is better" if higher_is_better(measure, arms) else ""
    x_axis = across.drawn(named(cost, units[0], remark))
    y_axis = upwards.drawn(named(measure, units[1], right_first))
    x = alt.X("cost:Q", scale=across.scale(), axis=x_axis)
    y = alt.Y("value:Q", scale=upwards.scale(), axis=y_axis)
    unnamed = [row["arm"] for row, place in zip(rows, places, strict=True) if place is None]
    layers = [
        alt.Chart(records(steps))
        .mark_line(style="front", interpolate="step-after")
        .encode(x=x, y=y),
        alt.Chart(records([row for row in rows if {"low", "high"} <= row.keys()]))
        .mark_rule(style="whisker", opacity=0.7)
        .encode(x=x, y=alt.Y("low:Q", scale=upwards.scale(), axis=y_axis), y2="high:Q"),
        alt.Chart(records([row for row in rows if {"cost_low", "cost_high"} <= row.keys()]))
        .mark_rule(style="whisker", opacity=0.7)
        .encode(x=alt.X("cost_low:Q", scale=across.scale(), axis=x_axis), x2="cost_high:Q", y=y),
        alt.Chart(records(rows))
        .mark_point(filled=True, size=110)
        .encode(
            x=x,
            y=y,
            color=hue(arms, legend=unnamed),
            shape=shape(arms, legend=unnamed),
            tooltip=[
                alt.Tooltip("arm:N", title="arm"),
                alt.Tooltip("said:N", title=label(measure)),
                alt.Tooltip("cost_said:N", title=label(cost)),
            ],
        ),
        alt.Chart(records(steps))
        .mark_point(style="ring", filled=False, size=330, shape="circle")
        .encode(x=x, y=y),
        *_names(rows, places, x, y),
    ]
    return spec(layers, HEIGHT), bool(unnamed)


def _point(arm: Arm, spent: Reading, right: Reading, by_cost: float, by_right: float) -> Record:
    row: Record = {
        "arm": arm.name,
        "cost": spent.value * by_cost,
        "value": right.value * by_right,
    }
    if right.low is not None and right.high is not None:
        row |= {"low": right.low * by_right, "high": right.high * by_right}
    if spent.low is not None and spent.high is not None and not arm.frozen:
        row |= {"cost_low": spent.low * by_cost, "cost_high": spent.high * by_cost}
    return row


def _names(
    rows: Sequence[Record], places: Sequence[Place | None], x: alt.X, y: alt.Y
) -> list[alt.Chart]:
    """A layer for each place that is used: Vega-Lite takes one distance a layer."""
    return [
        alt.Chart(records([row for row, its in zip(rows, places, strict=True) if its == place]))
        .mark_text(style=style, dx=place.dx, dy=place.dy, align=place.align)
        .encode(x=x, y=y, text="arm:N")
        for place in dict.fromkeys(its for its in places if its is not None)
        for style in ("halo", "label")
    ]


def _lines(
    rows: Sequence[Record], steps: Sequence[Record], across: Axis, upwards: Axis
) -> list[Box]:
    """Whiskers and the front, which names should not cover, as fractions of the plot."""
    boxes = []
    for row in rows:
        x, y = across.fraction(row["cost"]), upwards.fraction(row["value"])
        if "low" in row:
            boxes.append((x, upwards.fraction(row["high"]), x, upwards.fraction(row["low"])))
        if "cost_low" in row:
            low, high = across.fraction(row["cost_low"]), across.fraction(row["cost_high"])
            boxes.append((low, y, high, y))
    for one, other in pairwise(steps):
        left, right = across.fraction(one["cost"]), across.fraction(other["cost"])
        level, next_level = upwards.fraction(one["value"]), upwards.fraction(other["value"])
        boxes.append((left, level, right, level))
        boxes.append((right, max(level, next_level), right, min(level, next_level)))
    return boxes


def _cost_axis(rows: Sequence[Record], forgetting: bool) -> Axis:
    """Log where all costs are above 0 and span more than a decade, else linear with 0 on it."""
    values = [row[key] for row in rows for key in ("cost_low", "cost", "cost_high") if key in row]
    low, high = min(values), max(values)
    if low > 0 and high / low > DECADE and not forgetting:
        wider = (high / low) ** 0.06
        domain = (low / wider, high * wider)
        return Axis(domain, log_ticks(*domain), log=True)
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.06 or 1.0
    return Axis((low - room, high + room), None, log=False)


def _measure_axis(rows: Sequence[Record], percent: bool) -> Axis:
    low, high = min(ends(rows)), max(ends(rows))
    if percent and low >= 0 and high <= 100.001:
        _, ticks = share_scale(rows)
        room = (100 - ticks[0]) * 0.05
        return Axis((ticks[0] - room, 100 + room), tuple(ticks), log=False)
    room = (high - low) * 0.08 or 1.0
    return Axis((low - room, high + room), None, log=False)


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 in each decade, or the decades alone where those would crowd."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) < 5 else (1,)
    ticks = [float(f"{factor}e{decade}") for decade in decades for factor in factors]
    return tuple(tick for tick in ticks if low <= tick <= high)


def _energy_remark(found: Known, cost: str) -> str:
    """Whether an energy figure is an estimate; empty for other costs."""
    if "energy" not in cost and not cost.endswith(OWNED):
        return ""
    sources = set().union(*(arm.texts("energy_source") for arm, _, _ in found))
    if "estimate" not in sources:
        return ""
    return "estimated," if sources == {"estimate"} else "partly estimated,"
