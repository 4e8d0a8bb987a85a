"""Accuracy by arm: the measured value, its interval, and each seed."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from harness.report.drawing import Figure
from harness.report.encodings import (
    about_intervals,
    capital,
    file_safe,
    hue,
    left_out,
    named,
    record,
    records,
    sentences,
    shape,
    spec,
    value_axis,
    with_interval,
)
from harness.report.quantities import label, scale, shown
from harness.report.readings import Arm, higher_is_better, unit_of


def accuracy_by_arm(arms: Sequence[Arm], measure: str) -> Figure | None:
    """Each arm's figure with its interval and seeds, best first; None where none is known."""
    unit = unit_of(measure, arms)
    by = scale(unit)
    known = [(arm, reading) for arm in arms if (reading := arm.read(measure)) is not None]
    if not known:
        return None
    downwards = higher_is_better(measure, arms) is not False
    known.sort(key=lambda pair: pair[1].value, reverse=downwards)
    rows = [
        record(arm, reading, by, text=f"{shown(reading.value, unit)} {by.unit}".strip())
        for arm, reading in known
    ]
    seeds = [
        {"arm": arm.name, "value": value * by.factor}
        for arm, reading in known
        if len(reading.seeds) > 1
        for value in reading.seeds
    ]
    scaled, axis = value_axis(rows, named(measure, unit), by.unit == "%")
    x = alt.X("value:Q", scale=scaled, axis=axis)
    y = alt.Y("arm:N", sort=[arm.name for arm, _ in known], title=None).axis(
        ticks=False, domain=False
    )
    points = alt.Chart(records(rows)).encode(x=x, y=y)
    layers = [
        alt.Chart(records(with_interval(rows)))
        .mark_rule(style="whisker")
        .encode(x=alt.X("low:Q", scale=scaled, axis=axis), x2="high:Q", y=y),
        alt.Chart(records(seeds))
        .mark_circle(size=22, opacity=0.8, yOffset=11)
        .encode(x=x, y=y, color=hue(arms)),
        points.mark_point(filled=True, size=110).encode(color=hue(arms), shape=shape(arms)),
        points.mark_text(style="label", dy=-13).encode(text="text:N"),
    ]
    finding = f"{label(measure)}: {known[0][0].name} {rows[0]['text']}"
    if len(known) > 1:
        finding += f" is the highest of the measured values, {known[-1][0].name} "
        finding += f"{rows[-1]['text']} the lowest"
    return Figure(
        name=f"accuracy_{file_safe(measure)}",
        title=f"{capital(label(measure))} by arm",
        caption=sentences(
            "Points: mean over seeds; small dots below: single seeds." if seeds else "",
            about_intervals([r for _, r in known]) or "No intervals are known.",
            left_out([arm.name for arm in arms if not arm.read(measure)], "not measured"),
        ),
        chart=spec(layers, 46 * len(rows)),
        alt=f"{capital(finding)}.",
    )
