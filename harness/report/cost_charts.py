"""Where time and energy went, phase by phase."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from harness.columns import PHASES, phase_columns
from harness.report.drawing import Figure
from harness.report.encodings import Record, columns, lines, records, sentences, spec
from harness.report.placement import text_width
from harness.report.quantities import digits, scale
from harness.report.readings import Arm

MEASURING = {"probe": "probe*", "latency": "latency*"}
"""Phases that measure an arm rather than make or serve it, as the legend names them."""

COST, APART = "the arm's cost", "measuring it"
SECONDS, ENERGY = 0, 3
"""Positions in ``phase_columns``."""

INNER = 430.0
"""Pixels of the plot that a bar's own text must fit into, on a page of middling width."""

INK = {"load": "on_blue", "prefill": "on_ink"}
"""Style of the text on a bar whose hue is not light."""


def time_by_phase(arms: Sequence[Arm]) -> Figure | None:
    """Wall seconds by phase; None where none are known."""
    return _figure(arms, SECONDS, "time_by_phase", "Where time went", "wall time", "s", "")


def energy_by_phase(arms: Sequence[Arm]) -> Figure | None:
    """Energy by phase; None where none is known."""
    sources = set().union(*(arm.texts("energy_source") for arm in arms)) if arms else set()
    remark = {True: "estimated", False: ""}["estimate" in sources]
    if remark and len(sources) > 1:
        remark = "partly estimated"
    return _figure(arms, ENERGY, "energy_by_phase", "Where energy went", "energy", "kWh", remark)


def _figure(
    arms: Sequence[Arm],
    quantity: int,
    name: str,
    title: str,
    what: str,
    unit: str,
    remark: str,
) -> Figure | None:
    by = scale(unit)
    bars = [bar for arm in arms for bar in _bars(arm, quantity, by.factor)]
    if not any(bar["end"] > 0 for bar in bars):
        return None
    totals = [bar for bar in bars if bar["last"]]
    for total in totals:
        total["text"] = f"{digits(total['end'])} {by.unit}"
    spent = [bar for bar in totals if bar["kind"] == COST]
    ranked = sorted(spent or totals, key=lambda bar: bar["end"])
    most = max(bars, key=lambda bar: bar["end"] - bar["start"] if bar["kind"] == COST else -1.0)
    return Figure(
        name=name,
        title=f"{title}, by phase",
        caption=sentences(
            "Mean over seeds; work that was reused counts what it first took.",
            "*Thin bars: probes and the batch-1 latency sample, which measure an arm and are no "
            "part of its cost."
            if any(bar["kind"] == APART for bar in bars)
            else "",
            f"Energy is {remark}." if remark else "",
        ),
        chart=_chart(arms, bars, f"{what}, {by.unit}{f' ({remark})' if remark else ''}"),
        alt=f"{what.capitalize()} from {ranked[0]['text']} ({ranked[0]['arm']}) to "
        f"{ranked[-1]['text']} ({ranked[-1]['arm']}); the largest part is {most['phase']} of "
        f"{most['arm']}.",
    )


def _bars(arm: Arm, quantity: int, factor: float) -> list[Record]:
    """The arm's phases laid end to end; those that measure it in a bar of their own."""
    bars: list[Record] = []
    for kind in (COST, APART):
        end, row = 0.0, []
        for phase in PHASES:
            value = arm.mean(phase_columns(phase)[quantity])
            if value is None or value < 0 or (phase in MEASURING) != (kind == APART):
                continue
            start, end = end, end + value * factor
            shown = MEASURING.get(phase, phase)
            row.append(
                {"arm": arm.name, "kind": kind, "phase": shown, "start": start, "end": end}
                | {"last": False, "key": phase}
            )
        if row:
            row[-1]["last"] = True
        bars += row
    return bars


def _chart(arms: Sequence[Arm], bars: Sequence[Record], title: str) -> dict[str, object]:
    most = max(bar["end"] for bar in bars)
    phases = [MEASURING.get(phase, phase) for phase in PHASES]
    present = [phase for phase in phases if any(bar["phase"] == phase for bar in bars)]
    kinds = [kind for kind in (COST, APART) if any(bar["kind"] == kind for bar in bars)]
    names = [arm.name for arm in arms if any(bar["arm"] == arm.name for bar in bars)]
    for bar in bars:
        bar["middle"] = (bar["start"] + bar["end"]) / 2
    axis = alt.Axis(title=lines(title), tickCount=6)
    scaled = alt.Scale(domain=[0, most * 1.16], nice=False)
    x = alt.X("start:Q", scale=scaled, axis=axis)
    y = alt.Y("arm:N", sort=names, title=None).axis(ticks=False, domain=False)
    offset = alt.YOffset("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, paddingInner=0.1))
    hue = alt.Color(
        "phase:N",
        scale=alt.Scale(domain=phases),
        sort=phases,
        legend=alt.Legend(
            title=None, values=present, symbolType="square", columns=columns(present)
        ),
    )
    layers = [
        alt.Chart(records(rows))
        .mark_bar(size=size, stroke="#7F7F7F", strokeWidth=0.5)
        .encode(x=x, x2="end:Q", y=y, yOffset=offset, color=hue)
        for kind, size in ((COST, 18), (APART, 7))
        if (rows := [bar for bar in bars if bar["kind"] == kind])
    ]
    wide = [
        bar
        for bar in bars
        if bar["kind"] == COST
        and text_width(bar["phase"]) + 6 < (bar["end"] - bar["start"]) / most * INNER
    ]
    styles = dict.fromkeys(INK.get(bar["key"], "on_hue") for bar in wide)
    layers += [
        alt.Chart(records([bar for bar in wide if INK.get(bar["key"], "on_hue") == style]))
        .mark_text(style=style)
        .encode(x=alt.X("middle:Q", scale=scaled, axis=axis), y=y, yOffset=offset, text="phase:N")
        for style in styles
    ]
    layers.append(
        alt.Chart(records([bar for bar in bars if bar["last"]]))
        .mark_text(style="note", align="left", dx=5)
        .encode(x=alt.X("end:Q", scale=scaled, axis=axis), y=y, yOffset=offset, text="text:N")
    )
    return spec(layers, 26 * len(names) * len(kinds))
