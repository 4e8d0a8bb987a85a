"""The figures that a paper draws, from our runs: lines, buckets of questions, scatter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from harness.measures.definitions import MEASURES
from harness.report.drawing import Figure
from harness.report.encodings import (
    file_safe,
    hue_of,
    lines,
    records,
    shape_of,
    spec,
    with_interval,
)
from harness.report.quantities import difference_unit, label, scale, shown
from harness.reproduce.paper import FigureSpec, Paper
from harness.reproduce.reading import Measured, Reading

HEIGHT = 320


def paper_figures(paper: Paper, reading: Reading, stages: set[str] | None) -> list[Figure]:
    """Each figure of the paper that has a measured point; of certain stages alone, if named."""
    found = []
    for one in paper.figures:
        if stages is None or any(point.ours.stage in stages for point in one.points):
            made = _figure(one, reading)
            if made is not None:
                found.append(made)
    return found


def _figure(one: FigureSpec, reading: Reading) -> Figure | None:
    measure = one.points[0].ours.measure
    unit = MEASURES[measure].unit
    rows, missing = [], []
    for point in one.points:
        x: float | str | None = point.x
        found = reading.measured(point.ours)
        if point.across is not None:
            across = reading.measured(point.across)
            if isinstance(across, str):
                missing.append(across)
                continue
            x = across.value * scale(MEASURES[point.across.measure].unit).factor
        if isinstance(found, str):
            missing.append(found)
            continue
        rows.append(_row(point.series, x, found, unit, str(point.x)))
    if not rows:
        return None
    last = rows[-1]
    caption = "Whiskers: 95 % intervals over questions."
    if missing:
        caption += f" Left out: {'; '.join(list(dict.fromkeys(missing))[:4])}."
    return Figure(
        name=f"paper_{file_safe(one.id)}",
        title=one.title,
        caption=caption,
        chart=_chart(one, rows, f"{label(measure)}, {_axis_unit(measure, unit)}"),
        alt=f"{one.title}: {len(rows)} points; the last is {last['series']} at {last['said']}.",
    )


def _row(
    series: str, x: float | str | None, found: Measured, unit: str, point: str
) -> dict[str, Any]:
    factor = scale(unit).factor
    return {
        "series": series,
        "x": x,
        "point": point,
        "value": found.value * factor,
        "low": None if found.low is None else found.low * factor,
        "high": None if found.high is None else found.high * factor,
        "said": f"{shown(found.value, unit)} {scale(unit).unit}".strip(),
    }


def _axis_unit(measure: str, unit: str) -> str:
    return difference_unit(unit) if measure.startswith("forgetting_") else scale(unit).unit


def _chart(one: FigureSpec, rows: Sequence[dict[str, Any]], title: str) -> dict[str, Any]:
    names = list(dict.fromkeys(row["series"] for row in rows))
    along: Any = alt.X("x:Q", title=lines(one.x), scale=alt.Scale(zero=False, padding=20))
    if one.kind == "buckets":
        order = list(dict.fromkeys(str(point.x) for point in one.points))
        axis = alt.Axis(labelAngle=0)
        along = alt.X(
            "x:N", title=lines(one.x), sort=order, scale=alt.Scale(padding=0.5), axis=axis
        )
    y = alt.Y("value:Q", title=lines(title), scale=alt.Scale(zero=False, padding=15))
    hue = hue_of("series:N", names, alt.Legend(title=None))
    shape = shape_of("series:N", names, None)
    base = alt.Chart(records(rows))
    layers = [
        alt.Chart(records(with_interval(rows)))
        .mark_rule(strokeWidth=1.5, opacity=0.7)
        .encode(x=along, y=alt.Y("low:Q", title=lines(title)), y2="high:Q", color=hue),
        base.mark_point(filled=True, size=90).encode(
            x=along,
            y=y,
            color=hue,
            shape=shape,
            tooltip=[
                alt.Tooltip("series:N", title="series"),
                alt.Tooltip("point:N", title="arm or x"),
                alt.Tooltip("said:N", title=title),
            ],
        ),
    ]
    layers.insert(1, base.mark_line(opacity=0.5).encode(x=along, y=y, color=hue))
    return spec(layers, HEIGHT)
