"""What arms cost at volume: total cost against queries, and where one overtakes another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from harness.columns import COLUMNS
from harness.economics.breakeven import UNITS, ArmCost, total_cost
from harness.economics.pairs import Pairs, pair_rows
from harness.economics.predicted import Predicted, predicted
from harness.economics.resampling import ResampledBreakEven
from harness.economics.told import count, crosses, interval, words_on_energy
from harness.economics.volume import Question, Study, study
from harness.errors import ConfigError, HarnessError
from harness.measures.definitions import ACCURACY
from harness.metering.config import CostConfig
from harness.report.drawing import Figure
from harness.report.encodings import Record, columns, file_safe, lines, records, sentences, spec
from harness.report.gather import ArmRuns, ReportData
from harness.report.pareto_charts import log_ticks
from harness.report.quantities import EMPTY, digits, scale
from harness.report.readings import shown_names
from harness.report.sections import Section
from harness.report.tables import Cell, Heading, Table

TITLE = "What it costs at volume"

DRAWN = ("seconds", "kwh", "usd")
WORDS = {"seconds": "time", "kwh": "energy", "usd": "money"}

MOST_BANDS = 3
"""Pairs whose interval is drawn; more would hide the lines."""

POINTS = 61
"""Of each line: it bends, as its axis is a log scale."""

HEIGHT = 340

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A trained arm against one that retrieves, in one unit.

    Attributes:
        correct: the same per correct answer; None where it cannot be told.
    """

    trained: str
    other: str
    pairs: Pairs
    query: Study
    correct: Study | None
    predicted: Predicted | str


def volume_section(data: ReportData, cost: CostConfig | None = None) -> Section | None:
    """The section; None where no arm that trains stands beside one that retrieves.

    Args:
        cost: prices and the like; None: neither money nor idle power is reckoned.
    """
    figures: list[Figure] = []
    rows: list[tuple[Cell, ...]] = []
    said: list[str] = []
    groups = _groups(data.arms)
    for (_, task, *_), arms in groups.items():
        names = dict(
            zip([a.label for a in arms], shown_names([a.label for a in arms]), strict=True)
        )
        found, refused = _found(arms, names, _measure(data), cost)
        said += refused
        for unit in DRAWN:
            own = [one for one in found if one.query.unit == unit]
            if own:
                suffix = f"_{file_safe(task)}_{len(figures)}" if len(groups) > 1 else ""
                figures.append(_figure(own, unit, list(names.values()), suffix, task))
        rows += [_row(one) for one in found]
        said += _said(found)
    if not rows:
        return Section("volume", TITLE, tuple(said)) if said else None
    if cost is None or cost.hardware.idle_watts.value is None:
        said.append("Power that a resident model draws while idle is not stated, and not in it.")
    return Section(
        "volume",
        TITLE,
        tuple(dict.fromkeys(said)),
        tuple(figures),
        (_table(rows, _measure(data)),),
    )


def _groups(arms: Sequence[ArmRuns]) -> dict[tuple[str, ...], list[ArmRuns]]:
    """Arms that may be set against each other: of one folder, task, model and split."""
    groups: dict[tuple[str, ...], list[ArmRuns]] = {}
    for arm in arms:
        if arm.runs:
            first = arm.runs[0]
            key = (arm.summary.folder, str(first.get("task")), str(first.get("model")))
            groups.setdefault((*key, str(first.get("split_sha256"))), []).append(arm)
    return groups


def _measure(data: ReportData) -> str | None:
    """The measure that says what is correct: the first primary one that is a share."""
    return next((name for name in data.comparison.primary if name in ACCURACY), None)


def _found(
    arms: Sequence[ArmRuns],
    names: Mapping[str, str],
    measure: str | None,
    cost: CostConfig | None,
) -> tuple[list[Found], list[str]]:
    """Every trained arm against every one that retrieves, and why a pair is left out."""
    found, refused = [], []
    trained = [arm for arm in arms if _slots(arm) == (False, True)]
    others = [arm for arm in arms if _slots(arm) == (True, False)]
    for mine in trained:
        for other in others:
            one, two = names[mine.label], names[other.label]
            try:
                pairs = pair_rows(one, two, _rows(mine), _rows(other))
            except HarnessError as error:
                refused.append(f"{one} against {two}: {error}.")
                continue
            told = predicted(pairs)
            for unit in DRAWN:
                query = _study(pairs, unit, None, cost)
                if query is not None:
                    correct = _study(pairs, unit, measure, cost) if measure else None
                    found.append(Found(one, two, pairs, query, correct, told))
    return found, refused


def _slots(arm: ArmRuns) -> tuple[bool, bool]:
    """Whether the arm retrieves, and whether it was trained."""
    first = arm.runs[0]
    return bool(first.get("retriever")), bool(first.get("adapter"))


def _rows(arm: ArmRuns) -> list[Row]:
    return [dict.fromkeys(COLUMNS) | run for run in arm.runs]


def _study(pairs: Pairs, unit: str, measure: str | None, cost: CostConfig | None) -> Study | None:
    """The break-even; None where it cannot be told, as money without prices."""
    try:
        return study(pairs, unit, Question(accuracy=measure, cost=cost))
    except ConfigError:
        return None


def _said(found: Sequence[Found]) -> list[str]:
    """What the figures were read from and rest on, and why the prediction differs."""
    said = []
    for one in found:
        said += [f"{line[:1].upper()}{line[1:]}." for line in one.pairs.told]
        if one.query.unit != "seconds":
            said += [f"{line[:1].upper()}{line[1:]}." for line in words_on_energy(one.pairs)]
        if isinstance(one.predicted, Predicted):
            told = one.predicted
            said.append(
                f"{told.trained} against {told.other}: predicted {told.formula} with "
                f"D = {told.trained_tokens:,.0f} trained tokens and r = "
                f"{told.extra_prompt_tokens:,.1f} more prompt tokens a query. It differs since "
                f"{'; '.join(told.reasons)}."
            )
    return said


def _table(rows: Sequence[tuple[Cell, ...]], measure: str | None) -> Table:
    return Table(
        "Where the trained arm is cheaper",
        (
            Heading("trained", number=False),
            Heading("against", number=False),
            Heading("in", number=False),
            Heading("per query", "queries"),
            Heading("per correct answer", "queries"),
            Heading("predicted in FLOP", "queries"),
        ),
        tuple(rows),
        (
            "Fixed: prepare, index and train. Per query: retrieve, prefill and decode, over the "
            "test questions. Choosing settings on validation is in neither.",
            "In brackets: the 95 % interval, blocks drawn whole; without one, there was one block.",
            f"A correct answer is one by {measure}."
            if measure
            else "No measure says what is correct.",
        ),
    )


def _row(one: Found) -> tuple[Cell, ...]:
    told = one.predicted
    queries = told.queries if isinstance(told, Predicted) else None
    return (
        Cell(one.trained),
        Cell(one.other),
        Cell(UNITS[one.query.unit]),
        _cell(one.query.found),
        _cell(one.correct.found) if one.correct else Cell(EMPTY),
        Cell(f"above {count(queries)}" if queries is not None else EMPTY),
    )


def _cell(found: ResampledBreakEven) -> Cell:
    point = found.point
    text = point.case if point.queries is None else f"{point.case} {count(point.queries)}"
    if found.low is None or not crosses(found):
        return Cell(text)
    shares = ", ".join(f"{case} {share:.0%}" for case, share in found.shares.items())
    return Cell(text, f"{interval(found)}; {shares}" if len(found.shares) > 1 else interval(found))


def _figure(
    found: Sequence[Found], unit: str, names: Sequence[str], suffix: str, task: str
) -> Figure:
    crossings = [one for one in found if one.query.found.point.queries is not None]
    drawn = [one for one in crossings if one.query.found.low is not None][:MOST_BANDS]
    costs = {side.arm: side.cost for one in found for side in one.query.sides}
    estimated = unit != "seconds" and any(words_on_energy(one.pairs) for one in found)
    by = scale(UNITS[unit])
    title = f"total {WORDS[unit]}, {by.unit}{' (estimated)' if estimated else ''}"
    finding = "; ".join(
        f"{one.trained} is cheaper than {one.other} {_words(one.query.found)}" for one in found
    )
    return Figure(
        name=f"volume_{unit}{suffix}",
        title=f"Total {WORDS[unit]} against volume{f' ({task})' if suffix else ''}",
        caption=sentences(
            "What an arm costs once and for each query, up to a number of queries. Ringed: where "
            "one overtakes the other.",
            "Shaded: the 95 % interval of that volume; an interval without an upper end reaches "
            "to the edge."
            if drawn
            else "No interval is known: one block of readings is not enough.",
            f"Intervals of the first {MOST_BANDS} pairs are shaded."
            if len(crossings) > MOST_BANDS
            else "",
        ),
        chart=_chart(costs, crossings, drawn, names, title, by.factor),
        alt=f"{finding}.",
    )


def _words(found: ResampledBreakEven) -> str:
    point = found.point
    if point.queries is not None:
        return f"{point.case} {count(point.queries)} queries"
    return {"always": "at every volume", "never": "at no volume"}.get(point.case, "nowhere: a tie")


def _chart(
    costs: Mapping[str, ArmCost],
    crossings: Sequence[Found],
    drawn: Sequence[Found],
    names: Sequence[str],
    title: str,
    factor: float,
) -> dict[str, object]:
    low, high = _domain(crossings)
    steps = [low * (high / low) ** (at / (POINTS - 1)) for at in range(POINTS)]
    curves: list[Record] = [
        {"arm": arm, "queries": volume, "cost": (total_cost(cost, volume) or 0.0) * factor}
        for arm, cost in costs.items()
        for volume in steps
    ]
    for row in curves:
        row["said"] = f"{digits(row['cost'])} at {count(row['queries'])} queries"
    points: list[Record] = [
        {
            "queries": one.query.found.point.queries,
            "cost": (total_cost(costs[one.trained], _at(one)) or 0.0) * factor,
            "arm": f"{one.trained}, {one.other}",
            "said": f"{count(_at(one))} queries",
        }
        for one in crossings
        if low <= _at(one) <= high
    ]
    bands: list[Record] = [
        {
            "low": min(max(_end(one.query.found.low), low), high),
            "high": min(_end(one.query.found.high), high),
        }
        for one in drawn
    ]
    positive = all(row["cost"] > 0 for row in curves)
    along = alt.Scale(type="log", domain=[low, high], nice=False)
    upward = alt.Scale(type="log", nice=False) if positive else alt.Scale(zero=True)
    axis = alt.Axis(title="queries, log scale", values=_decades(low, high), format="~s")
    x = alt.X("queries:Q", scale=along, axis=axis)
    y_title = f"{title}{', log scale' if positive else ''}"
    ticks = log_ticks(*_ends([row["cost"] for row in curves])) if positive else ()
    shown_ticks = {"values": list(ticks)} if len(ticks) > 1 else {"tickCount": 6}
    up = alt.Axis(title=lines(y_title), format="~r", **shown_ticks)
    y = alt.Y("cost:Q", scale=upward, axis=up)
    used = [name for name in names if name in costs]
    hue = alt.Color(
        "arm:N",
        scale=alt.Scale(domain=list(names)),
        sort=list(names),
        legend=alt.Legend(title=None, values=used, columns=columns(used), symbolType="stroke"),
    )
    shown = [alt.Tooltip("arm:N", title="arm"), alt.Tooltip("said:N", title="total")]
    layers = [
        alt.Chart(records(bands))
        .mark_rect(style="band")
        .encode(x=alt.X("low:Q", scale=along, axis=axis), x2="high:Q"),
        alt.Chart(records(curves))
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, color=hue, tooltip=shown),
        alt.Chart(records(points))
        .mark_point(style="ring", filled=False, size=160, shape="circle")
        .encode(x=x, y=y, tooltip=shown),
        *(
            alt.Chart(records(points))
            .mark_text(style=style, dy=-16)
            .encode(x=x, y=y, text="said:N")
            for style in ("halo", "label")
        ),
    ]
    return spec(layers, HEIGHT)


def _domain(crossings: Sequence[Found]) -> tuple[float, float]:
    """Whole decades around every crossing and the finite ends of its interval."""
    found = [one.query.found for one in crossings]
    ends = _finite(
        end for one in found for end in (one.low, one.point.queries, one.high) if end is not None
    )
    most = max(ends, default=1000.0)
    return 1.0, 10.0 ** max(3, math.ceil(math.log10(max(most, 1.0)) + 0.5))


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if 0 < value < 1e12]


def _decades(low: float, high: float) -> list[float]:
    first, last = round(math.log10(low)), round(math.log10(high))
    step = max(1, (last - first) // 6)
    return [10.0**at for at in range(first, last + 1, step)]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _at(one: Found) -> float:
    queries = one.query.found.point.queries
    assert queries is not None  # these are the pairs that cross
    return queries


def _end(value: float | None) -> float:
    return math.inf if value is None else value
