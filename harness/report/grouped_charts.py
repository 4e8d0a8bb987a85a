"""Charts with several figures for each arm: forgetting by probe, popularity, retrieval."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt

from harness.measures.definitions import FORGETTING, RETRIEVAL
from harness.report.drawing import Figure
from harness.report.encodings import (
    Record,
    about_intervals,
    capital,
    file_safe,
    hue,
    left_out,
    named,
    record,
    records,
    said,
    sentences,
    shape,
    spec,
    tooltip,
    value_axis,
    with_interval,
)
from harness.report.quantities import difference_unit, label, scale, shown, shown_difference
from harness.report.readings import Arm, Reading, shown_names, unit_of

BUCKETS = ("low", "middle", "high")
BY_CONSTRUCTION = "0 by construction"

Readings = Sequence[tuple[str, Arm, Reading]]
"""Group (a probe, a bucket, a measure), arm, figure."""


@dataclass(frozen=True)
class Grouped:
    """What a grouped chart needs beside its readings."""

    arms: Sequence[Arm]
    measure: str
    unit: str
    title: str
    zero: bool = False


def forgetting(arms: Sequence[Arm]) -> list[Figure]:
    """Harm by probe, one chart for the probes of each unit; none where nothing was probed."""
    figures = []
    units = dict.fromkeys(measure.unit for measure in FORGETTING.values())
    for unit in units:
        names = [name for name, measure in FORGETTING.items() if measure.unit == unit]
        found = [
            (name, arm, reading)
            for name in names
            for arm in arms
            if (reading := arm.read(name)) is not None
        ]
        if found:
            figures.append(_forgetting(found, arms, unit))
    return figures


def _forgetting(found: Readings, arms: Sequence[Arm], unit: str) -> Figure:
    short = {name: re.sub("^forgetting (of |as )?", "", label(name)) for name, _, _ in found}
    points = difference_unit(unit)
    shares = scale(unit).unit == "%"
    grouped = Grouped(
        arms, found[0][0], unit, f"harm, {'percentage ' * shares}{points} (right is worse)", True
    )
    measured = [entry for entry in found if not entry[1].frozen]
    worst = max(measured or found, key=lambda entry: entry[2].value)
    return Figure(
        name="forgetting" if shares else "forgetting_loss",
        title="Forgetting by probe" if shares else "Forgetting as loss on held-out text",
        caption=sentences(
            "Harm to what the model could do before, positive is worse.",
            about_intervals([reading for _, _, reading in measured]),
            f"“{BY_CONSTRUCTION}”: the weights are frozen." if len(measured) < len(found) else "",
            left_out(
                [arm.name for arm in arms if not any(arm is other for _, other, _ in found)],
                "not probed",
            ),
        ),
        chart=_chart([(capital(short[name]), arm, r) for name, arm, r in found], grouped),
        alt=f"The largest harm is {shown_difference(worst[2].value, unit)} {points}: "
        f"{worst[1].name}, {short[worst[0]]}."
        if measured
        else "No arm changed the weights: forgetting is 0 by construction.",
    )


def accuracy_by_bucket(arms: Sequence[Arm], measure: str) -> Figure | None:
    """A measure among little, middling and well known entities; None below two buckets."""
    found_buckets = {
        str(bucket)
        for arm in arms
        for row in arm.rows
        for bucket in (row.get("by_bucket") or {})
        if arm.read_bucket(bucket, measure) is not None
    }
    if len(found_buckets) < 2:
        return None
    order = {bucket: position for position, bucket in enumerate(BUCKETS)}
    buckets = sorted(found_buckets, key=lambda bucket: (order.get(bucket, 9), bucket))
    names = dict(zip(buckets, shown_names(buckets), strict=True))
    found = [
        (names[bucket], arm, reading)
        for bucket in buckets
        for arm in arms
        if (reading := arm.read_bucket(bucket, measure)) is not None
    ]
    unit = unit_of(measure, arms)
    grouped = Grouped(arms, measure, unit, named(measure, unit))
    counts = ", ".join(f"{names[bucket]} {n}" for bucket in buckets if (n := _count(arms, bucket)))
    first, last = names[buckets[0]], names[buckets[-1]]
    changes = [
        f"{arm.name} {shown(ends[first], unit)} to {shown(ends[last], unit)}"
        for arm in arms
        if {first, last} <= (ends := {b: r.value for b, a, r in found if a is arm}).keys()
    ]
    return Figure(
        name=f"popularity_{file_safe(measure)}",
        title=f"{capital(label(measure))} by popularity",
        caption=sentences(
            "Buckets of how well known the entity asked about is.",
            f"Questions: {counts}." if counts else "",
            about_intervals([reading for _, _, reading in found]),
            "They are not adjusted for the number of buckets.",
            left_out([a.name for a in arms if not any(a is b for _, b, _ in found)], "no buckets"),
        ),
        chart=_chart(found, grouped),
        alt=f"{capital(label(measure))} from {first} to {last} popularity, {scale(unit).unit}: "
        f"{'; '.join(changes[:6])}.",
    )


def retrieval(
    arms: Sequence[Arm], given_context: Mapping[str, Reading] | None = None, measure: str = ""
) -> Figure | None:
    """Retrieval quality of the arms that retrieve; None where there are none.

    Args:
        given_context: label of an arm -> ``measure`` among the questions whose answer stood in
            the prompt's passages.
    """
    found = [
        (capital(label(name)), arm, reading)
        for name in RETRIEVAL
        for arm in arms
        if (reading := arm.read(name)) is not None
    ]
    if not found:
        return None
    retrieving = [arm for arm in arms if any(arm is other for _, other, _ in found)]
    conditional = f"{capital(label(measure))}, if so"
    given = given_context or {}
    found += [(conditional, arm, given[arm.label]) for arm in retrieving if arm.label in given]
    depths = sorted({f"{arm.name} k = {k}" for arm in retrieving for k in arm.texts("top_k")})
    unit = RETRIEVAL["recall_at_k"].unit
    recalls = [(arm, r) for name, arm, r in found if name == capital(label("recall_at_k"))]
    return Figure(
        name="retrieval",
        title="Retrieval quality",
        caption=sentences(
            "Arms that retrieve, over the questions whose gold documents or answers are known.",
            f"Passages retrieved: {', '.join(depths[:8])}." if depths else "",
            about_intervals([reading for _, _, reading in found]),
            "“If so”: among the questions whose answer stood in the prompt's passages."
            if given
            else "",
        ),
        chart=_chart(found, Grouped(arms, "recall_at_k", unit, "mean over questions, %")),
        alt="Recall@k: "
        + "; ".join(f"{arm.name} {shown(r.value, unit)} %" for arm, r in recalls[:6])
        + "."
        if recalls
        else "Retrieval quality by arm.",
    )


def _count(arms: Sequence[Arm], bucket: str) -> int | None:
    """Questions in a bucket, as the first row that tells has it."""
    for arm in arms:
        for row in arm.rows:
            entries = (row.get("by_bucket") or {}).get(bucket) or {}
            for entry in entries.values():
                if isinstance(entry, Mapping) and isinstance(entry.get("n"), int):
                    return int(entry["n"])
    return None


def _chart(found: Readings, grouped: Grouped) -> dict[str, object]:
    """Groups as rows, arms beside each other within a group."""
    by = scale(grouped.unit)
    rows: list[Record] = [
        record(arm, reading, by, group=group, said=said(reading, grouped.measure, grouped.unit))
        | ({"text": BY_CONSTRUCTION} if grouped.zero and arm.frozen else {})
        for group, arm, reading in found
    ]
    drawn = [row for row in rows if "text" not in row]
    frozen = [row for row in rows if "text" in row]
    groups = list(dict.fromkeys(row["group"] for row in rows))
    present = {row["arm"] for row in rows}
    names = [arm.name for arm in grouped.arms if arm.name in present]
    scaled, axis = value_axis(rows, grouped.title, by.unit == "%" and not grouped.zero)
    x = alt.X("value:Q", scale=scaled, axis=axis)
    y = alt.Y("group:N", sort=groups, title=None).axis(
        ticks=False, domain=False, grid=True, tickBand="extent"
    )
    offset = alt.YOffset("arm:N", sort=names, scale=alt.Scale(domain=names))
    layers = [
        alt.Chart(records([{"value": 0}])).mark_rule(style="zero").encode(x=x),
        alt.Chart(records(with_interval(drawn)))
        .mark_rule(style="whisker")
        .encode(x=alt.X("low:Q", scale=scaled, axis=axis), x2="high:Q", y=y, yOffset=offset),
        alt.Chart(records(rows))
        .mark_point(filled=True, size=80)
        .encode(
            x=x,
            y=y,
            yOffset=offset,
            color=hue(grouped.arms, legend=names),
            shape=shape(grouped.arms, legend=names),
            tooltip=tooltip("figure"),
        ),
        alt.Chart(records(frozen))
        .mark_text(style="note", align="left", dx=9)
        .encode(x=x, y=y, yOffset=offset, text="text:N"),
    ]
    return spec(layers if grouped.zero else layers[1:3], 22 * len(groups) * len(names))
