"""The advice in sections of sentences and tables, which terminal and Markdown both draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.advise.advice import Advice, reading_of
from harness.advise.readings import Reading
from harness.advise.rule import AT_LEAST, Standing, ranking
from harness.advise.sensitivity import Bar
from harness.advise.volumes import Stretch
from harness.advise.words import (
    NO_ARM,
    assumption_text,
    count,
    flips_text,
    in_short,
    limit_text,
    ranked_scale,
    signed,
)
from harness.compare.render.figures import Scale, scale_of
from harness.compare.render.grid import Grid, Section, plain
from harness.economics.breakeven import UNITS
from harness.economics.stated import Assumption
from harness.report.quantities import EMPTY, MINUS, digits


def sections(advice: Advice, stated: Sequence[Assumption] = ()) -> tuple[Section, ...]:
    """The advice, what it rests on, and what would change it.

    Args:
        stated: prices and figures of the machine that the user gave, with their sources.
    """
    assumed = Section("Figures it rests on", grids=(_stated_grid(stated),) if stated else ())
    return (
        Section("Advice", tuple(plain(one) for one in in_short(advice))),
        Section("What to know", tuple(plain(one) for one in advice.remarks)),
        Section("The arms", grids=(_arms_grid(advice), *_limits_grids(advice))),
        Section("By volume", grids=(_volumes_grid(advice),)),
        Section(
            "What would change the advice",
            text=(_about_tornado(advice),),
            grids=(_tornado_grid(advice),),
        ),
        *((assumed,) if assumed else ()),
    )


def limit_name(advice: Advice, name: str) -> str:
    """A limit's name; carbon from an estimated energy says so."""
    energy = name == "carbon" and any(arm.estimated for arm in advice.arms)
    return f"{name} (estimated)" if energy else name


def _arms_grid(advice: Advice) -> Grid:
    unit = UNITS[advice.situation.unit]
    total = scale_of(unit, [one.cost for one in advice.standings])
    each = ranked_scale(advice, [one.ranked_by for one in advice.standings])
    per_correct = advice.situation.per_correct
    estimated = " (estimated)" if advice.estimated else ""
    headings = (
        "arm",
        f"cost in all, {total.unit}{estimated}",
        *((f"cost, {each.unit}{estimated}",) if per_correct else ()),
        "right, %",
        "largest loss, points" if advice.arms[0].asked.probe is None else "loss",
        f"latency {_percentile(advice)}, s",
        "memory, GiB",
        "on the front",
        "place",
    )
    places = {one.arm: str(place) for place, one in enumerate(_by_place(advice), start=1)}
    lines = []
    for arm, one in zip(advice.arms, advice.standings, strict=True):
        lines.append(
            (
                one.arm,
                _times(one.cost, total),
                *((_times(one.ranked_by, each),) if per_correct else ()),
                _interval(arm.accuracy, 100),
                "0, frozen" if arm.arm.summary.frozen else _interval(arm.forgetting, 100),
                _interval(arm.latency, 1),
                _interval(arm.memory, 1),
                "yes" if one.arm in advice.front else "no",
                places.get(one.arm, "fails " + ", ".join(one.fails) if one.fails else EMPTY),
            )
        )
    note = f"{advice.arms[0].correct} says what is right; in brackets the 95 % interval"
    # Figures with their intervals may be folded; the costs before them may not.
    figures = range(1, 3 if per_correct else 2)
    words = frozenset(range(len(headings))) - set(figures)
    return Grid("", headings, tuple(lines), words, (note,))


def _by_place(advice: Advice) -> Iterator[Standing]:
    yield from ranking(advice.standings)


def _percentile(advice: Advice) -> str:
    return advice.arms[0].asked.latency.removeprefix("latency_").removesuffix("_seconds")


def _limits_grids(advice: Advice) -> list[Grid]:
    limits = advice.situation.limits.given()
    if not limits:
        return []
    lines = []
    for arm in advice.arms:
        cells = [arm.name]
        for name in limits:
            reading = reading_of(arm, name, advice.situation)
            value = limit_text(name, None if reading is None else reading.value)
            cells.append(f"{value}: {advice.verdicts[arm.name][name]}".replace("unknown: ", ""))
        lines.append(tuple(cells))
    headings = (
        "arm",
        *(
            f"{limit_name(advice, name)} {'≥' if name in AT_LEAST else '≤'} "
            f"{limit_text(name, bound)}"
            for name, bound in limits.items()
        ),
    )
    note = "not surely: the 95 % interval reaches across the limit"
    return [Grid("Limits", headings, tuple(lines), frozenset(range(len(headings))), (note,))]


def _volumes_grid(advice: Advice) -> Grid:
    def shown(one: Stretch) -> str:
        if one.high == math.inf:
            return f"above {count(one.low)}" if one.low else "any"
        return f"{count(one.low)} to {count(one.high)}" if one.low else f"below {count(one.high)}"

    lines = tuple((shown(one), one.arm or NO_ARM) for one in advice.stretches)
    return Grid("", ("queries a month", "advised"), lines, frozenset({0, 1}))


def _about_tornado(advice: Advice) -> str:
    if advice.best is None:
        return "Each assumption by itself: where an arm would meet the limits."
    if advice.other is None:
        return "Each assumption by itself: where another arm, or none, would be advised."
    return (
        f"Each assumption by itself: what {advice.other.arm} costs more than {advice.best.arm} at "
        "both ends of its range, and where the advice changes."
    )


def _tornado_grid(advice: Advice) -> Grid:
    if advice.best is None or advice.other is None:
        return _flips_grid(advice)
    scale = ranked_scale(advice, [end for bar in advice.bars for end in (bar.low, bar.high)])
    lines = tuple(
        (
            *_assumption_cells(bar),
            signed(bar.low, scale),
            signed(bar.high, scale),
            digits(bar.swing * scale.factor) if bar.low is not None else EMPTY,
            flips_text(bar),
        )
        for bar in advice.bars
    )
    headings = (
        "assumption",
        "value",
        "range",
        f"at the low end, {scale.unit}",
        f"at the high end, {scale.unit}",
        "swing",
        "the advice changes",
    )
    return Grid("", headings, lines, frozenset({0, 1, 2, 6}))


def _flips_grid(advice: Advice) -> Grid:
    """The same without differences, where there are no two arms to take one of."""
    lines = tuple((*_assumption_cells(bar), flips_text(bar)) for bar in advice.bars)
    headings = ("assumption", "value", "range", "the advice changes")
    return Grid("", headings, lines, frozenset(range(len(headings))))


def _assumption_cells(bar: Bar) -> tuple[str, str, str]:
    one = bar.assumption
    return (
        one.name,
        f"{assumption_text(bar, one.value)} {one.unit}".strip(),
        f"{assumption_text(bar, one.low)} to {assumption_text(bar, one.high)} ({one.said})",
    )


def _stated_grid(stated: Sequence[Assumption]) -> Grid:
    lines = tuple(
        (plain(one.name), digits(one.value), one.unit, plain(one.source), one.date)
        for one in stated
    )
    headings = ("figure", "value", "unit", "source", "date")
    return Grid("", headings, lines, frozenset({0, 2, 3, 4}))


def _times(value: float | None, scale: Scale) -> str:
    return EMPTY if value is None else digits(value * scale.factor)


def _interval(reading: Reading | None, factor: float) -> str:
    if reading is None:
        return EMPTY

    def shown(value: float) -> str:
        scaled = value * factor
        text = f"{abs(scaled):.1f}" if factor == 100 else digits(abs(scaled))
        return f"{MINUS if scaled < 0 and text.strip('0.') else ''}{text}"

    if reading.low is None or reading.high is None:
        return shown(reading.value)
    return f"{shown(reading.value)} ({shown(reading.low)} to {shown(reading.high)})"
