"""Accuracy by arm, and by how well known the entity is."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from harness.report.drawing import Figure
from harness.report.encodings import (
    INTERVALS,
    hue,
    named,
    record,
    records,
    shape,
    share_domain,
    spec,
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
    falling = higher_is_better(measure, arms) is not False
    known.sort(key=lambda pair: pair[1].value, reverse=falling)
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
    names = [arm.name for arm, _ in known]
    domain = share_domain(rows) if by.unit == "%" else None
    x = alt.X(
        "value:Q",
        title=named(measure, unit),
        scale=alt.Scale(domain=domain) if domain else alt.Scale(zero=False),
    )
    y = alt.Y("arm:N", sort=names, title=None, axis=alt.Axis(ticks=False, grid=False))
    whiskers = (
        alt.Chart(records(with_interval(rows)))
        .mark_rule(style="whisker")
        .encode(x=alt.X("low:Q", title=named(measure, unit)), x2="high:Q", y=y)
    )
    dots = (
        alt.Chart(records(seeds))
        .mark_circle(size=22, opacity=0.75, yOffset=10)
        .encode(x=x, y=y, color=hue(arms, legend=False))
    )
    points = (
        alt.Chart(records(rows))
        .mark_point(filled=True, size=110)
        .encode(x=x, y=y, color=hue(arms, legend=False), shape=shape(arms, legend=False))
    )
    texts = (
        alt.Chart(records(rows)).mark_text(style="label", dy=-12).encode(x=x, y=y, text="text:N")
    )
    layers = [points, texts]
    if with_interval(rows):
        layers.insert(0, whiskers)
    if seeds:
        layers.insert(-2, dots)
    chart = alt.layer(*layers).properties(height=alt.Step(44))
    best, last = known[0], known[-1]
    finding = f"{label(measure)}: {best[0].name} {rows[0]['text']}"
    if last is not best:
        finding += f" is the best, {last[0].name} {rows[-1]['text']} the worst measured value"
    missing = [arm.name for arm in arms if arm.read(measure) is None]
    return Figure(
        name=f"accuracy_{measure}",
        title=f"{label(measure)[:1].upper()}{label(measure)[1:]} by arm",
        caption=" ".join(
            [
                "Large points: mean over seeds.",
                "Small dots below: single seeds." if seeds else "",
                INTERVALS if with_interval(rows) else "",
                f"Not measured: {', '.join(missing)}." if missing else "",
            ]
        ).replace("  ", " "),
        chart=spec(chart),
        alt=f"{finding}.",
    )
