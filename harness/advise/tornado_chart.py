"""The tornado: what the runner-up costs more at both ends of each assumption's range."""

from __future__ import annotations

from typing import Any

import altair as alt

from harness.advise.advice import Advice
from harness.advise.sensitivity import Bar
from harness.advise.words import (
    NO_ARM,
    assumption_text,
    flips_text,
    ranked_scale,
    signed,
    situation_text,
)
from harness.report.drawing import Figure
from harness.report.encodings import lines, records, sentences, spec

LOW, HIGH = "at the low end of the range", "at the high end"
ROW_HEIGHT = 46
MOST_BARS = 20


def tornado_figure(advice: Advice) -> Figure | None:
    """The chart; None where there is no difference to draw."""
    best, other = advice.best, advice.other
    if best is None or other is None or best.ranked_by is None or other.ranked_by is None:
        return None
    known = [bar for bar in advice.bars if bar.low is not None and bar.high is not None]
    drawn = [bar for bar in known if bar.swing > 0 or {bar.at_low, bar.at_high} != {best.arm}]
    bars = drawn[:MOST_BARS]
    if not bars:
        return None
    base = other.ranked_by - best.ranked_by
    scale = ranked_scale(advice, [base, *(end for bar in bars for end in (bar.low, bar.high))])
    rows = [row for bar in bars for row in _rows(bar, base * scale.factor, scale.factor, best.arm)]
    estimated = " (estimated)" if advice.estimated else ""
    title = f"what {other.arm} costs more than {best.arm}, {scale.unit}{estimated}"
    left_out = [bar.assumption.name for bar in advice.bars if bar not in bars]
    return Figure(
        name="tornado",
        title=f"What the advice of {best.arm} over {other.arm} rests on",
        caption=sentences(
            f"{situation_text(advice)}. One assumption at a time; the line is where all are as "
            f"stated. Left of 0 {other.arm} is the cheaper. A diamond: another arm, or none, is "
            "advised at that end.",
            f"Not drawn (nothing changes, or nothing is known): {', '.join(left_out)}."
            if left_out
            else "",
        ),
        chart=_chart(rows, bars, base * scale.factor, title),
        alt=f"{other.arm} costs {signed(base, scale).removeprefix('+')} {scale.unit} more than "
        f"{best.arm}; largest swing: {bars[0].assumption.name}.",
    )


def _rows(bar: Bar, base: float, factor: float, best: str) -> list[dict[str, Any]]:
    one = bar.assumption
    least = min(end for end in (bar.low, bar.high) if end is not None)
    level = bar.low == bar.high
    ends = ((LOW, one.low, bar.low, bar.at_low), (HIGH, one.high, bar.high, bar.at_high))
    return [
        {
            "assumption": one.name,
            "end": end,
            "base": base,
            "value": None if difference is None else difference * factor,
            "text": assumption_text(bar, value),
            "changes": arm != best,
            "advised": arm or NO_ARM,
            "right": difference is not None and (difference > least or (level and end == HIGH)),
            "remark": f"now {assumption_text(bar, one.value)} {one.unit}".strip()
            + f"; {flips_text(bar, 'the advice stays')}",
        }
        for end, value, difference, arm in ends
    ]


def _chart(rows: list[dict[str, Any]], bars: list[Bar], base: float, title: str) -> dict[str, Any]:
    known = [row for row in rows if row["value"] is not None]
    values = [0.0, base, *(row["value"] for row in known)]
    room = (max(values) - min(values)) * 0.12 or 1.0
    along = alt.Scale(domain=[min(values) - room, max(values) + room], nice=False, zero=False)
    x = alt.X("value:Q", scale=along, axis=alt.Axis(title=lines(title), tickCount=6))
    names = [bar.assumption.name for bar in bars]
    y = alt.Y("assumption:N", sort=names, title=None).axis(
        ticks=False, domain=False, grid=True, tickBand="extent", labelPadding=8
    )
    # Blue and orange are told apart with any colour blindness; the ends are written out as well.
    hue = alt.Color(
        "end:N",
        scale=alt.Scale(domain=[LOW, HIGH]),
        legend=alt.Legend(title=None, columns=2, symbolType="square"),
    )
    data = alt.Chart(records(known))
    layers = [
        data.mark_bar(height=16, yOffset=8).encode(x=x, x2="base:Q", y=y, color=hue),
        alt.Chart(records([{"value": 0.0}])).mark_rule(style="zero").encode(x=x),
        alt.Chart(records([{"value": base}])).mark_rule(style="front").encode(x=x),
    ]
    for right in (True, False):
        ends = alt.Chart(records([row for row in known if row["right"] == right]))
        layers += [
            ends.mark_text(
                style=style, dy=8, dx=8 if right else -8, align="left" if right else "right"
            ).encode(x=x, y=y, text="text:N")
            for style in ("halo", "label")
        ]
    flipping = alt.Chart(records([row for row in known if row["changes"]]))
    layers.append(
        flipping.mark_point(
            shape="diamond", filled=True, size=110, style="label", yOffset=8
        ).encode(x=x, y=y, tooltip=[alt.Tooltip("advised:N", title="advised there")])
    )
    remarks = alt.Chart(records([row for row in rows if row["end"] == LOW]))
    layers += [
        remarks.mark_text(style=style, align="left", dy=-11).encode(
            x=alt.value(4), y=y, text="remark:N"
        )
        for style in ("halo", "note")
    ]
    return spec(layers, ROW_HEIGHT * len(names))
