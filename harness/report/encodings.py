"""What all charts share: arms by hue and shape, axes in a unit, captions, and the finished spec."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from harness.measures.definitions import FORGETTING
from harness.report.placement import text_width
from harness.report.quantities import Scale, label, scale, shown, shown_interval
from harness.report.readings import Arm, Reading
from harness.report.theme import SHAPES

Record = dict[str, Any]

SMALL_SCREEN = 340.0
"""Pixels that a legend may take in width."""

LONGEST_LINE = 50
"""Letters of an axis title."""


def records(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows as a chart's data; what is None is left out of its row."""
    return alt.InlineData(
        values=[{key: value for key, value in row.items() if value is not None} for row in rows]
    )


def record(arm: Arm, reading: Reading, by: Scale, **more: Any) -> Record:
    """One arm's figure in the unit of ``by``, as one row of a chart's data."""
    ends = {
        "low": None if reading.low is None else reading.low * by.factor,
        "high": None if reading.high is None else reading.high * by.factor,
    }
    return {"arm": arm.name, "value": reading.value * by.factor, **ends, **more}


def with_interval(rows: Sequence[Record]) -> list[Record]:
    """The rows whose interval is known."""
    return [row for row in rows if row.get("low") is not None and row.get("high") is not None]


def about_intervals(readings: Sequence[Reading]) -> str:
    """What the whiskers are; "" where there are none."""
    known = [reading for reading in readings if reading.low is not None]
    if not known:
        return ""
    if all(reading.exact for reading in known):
        return "Whiskers: 95 % intervals over questions, for the weights at hand."
    return (
        "Whiskers: 95 % intervals over questions, for the weights at hand; with several seeds the "
        "mean of the seeds' intervals, which is never narrower than that of their mean."
    )


def ends(rows: Sequence[Record]) -> list[float]:
    """Every value and end of an interval."""
    return [
        row[key] for row in rows for key in ("low", "value", "high") if row.get(key) is not None
    ]


def hue(arms: Sequence[Arm], legend: Sequence[str] = ()) -> alt.Color:
    """Colour by arm, the same in every chart that is given all arms. ``legend``: names in it."""
    return hue_of("arm:N", [arm.name for arm in arms], _legend(legend))


def shape(arms: Sequence[Arm], legend: Sequence[str] = ()) -> alt.Shape:
    """Shape by arm, the second channel beside the hue."""
    return shape_of("arm:N", [arm.name for arm in arms], _legend(legend))


def hue_of(field: str, names: Sequence[str], legend: alt.Legend | None) -> alt.Color:
    """Colour by ``field``, in the order of ``names``."""
    listed = list(names)
    return alt.Color(field, scale=alt.Scale(domain=listed), sort=listed, legend=legend)


def shape_of(field: str, names: Sequence[str], legend: alt.Legend | None) -> alt.Shape:
    """Shape by ``field``, in the order of ``names``; after the last shape the first comes again."""
    listed = list(names)
    used = [SHAPES[position % len(SHAPES)] for position in range(len(listed))]
    scaled = alt.Scale(domain=listed, range=used)
    return alt.Shape(field, scale=scaled, sort=listed, legend=legend)


def _legend(names: Sequence[str]) -> alt.Legend | None:
    if not names:
        return None
    return alt.Legend(title=None, values=list(names), columns=columns(names))


def columns(names: Sequence[str]) -> int:
    """How many names a line of a legend has, so that it fits a small screen."""
    symbol = 26
    return max(1, int(SMALL_SCREEN / (max(map(text_width, names)) + symbol)))


def lines(title: str) -> list[str]:
    """An axis title on lines that fit a small screen; what is in brackets stays together."""
    whole = re.sub(r"\([^)]*\)", lambda found: found[0].replace(" ", "\u00a0"), title)
    wrapped = textwrap.wrap(whole, LONGEST_LINE, break_long_words=False)
    return [line.replace("\u00a0", " ") for line in wrapped]


def tooltip(value: str) -> list[alt.Tooltip]:
    """Arm and ``said``, the figure as text, under the title ``value``."""
    return [alt.Tooltip("arm:N", title="arm"), alt.Tooltip("said:N", title=value)]


def said(reading: Reading, measure: str, unit: str) -> str:
    """A figure with its interval and unit, as "74.6 (65.5 to 81.9) %"."""
    interval = shown_interval(reading.low, reading.high, unit)
    shown_unit = "points" if _is_points(measure, unit) else scale(unit).unit
    return (
        f"{shown(reading.value, unit)}{f' ({interval})' if interval else ''} {shown_unit}".strip()
    )


def named(measure: str, unit: str, remark: str = "") -> str:
    """An axis title with its unit, as "total energy, Wh (estimated)"."""
    shown_unit = "percentage points" if _is_points(measure, unit) else scale(unit).unit
    title = f"{label(measure)}, {shown_unit or 'no unit stated'}"
    return f"{title} ({remark})" if remark else title


def _is_points(measure: str, unit: str) -> bool:
    """Whether the figure is a difference of shares, of which "%" would say too much."""
    return measure in FORGETTING and scale(unit).unit == "%"


def share_scale(rows: Sequence[Record]) -> tuple[alt.Scale, list[float]]:
    """A scale for percentages and its ticks: from 0, or above it where all are far away.

    It reaches a little past both ends, so that a point on an end and its text are seen whole.
    """
    least = min(ends(rows))
    low = 0 if least < 50 else int(10 * ((least - 4) // 10))
    room = (100 - low) * 0.04
    step = 10 if low else 20
    ticks = [float(tick) for tick in range(low, 101, step)]
    return alt.Scale(domain=[low - room, 100 + room], nice=False, zero=False), ticks


def value_axis(rows: Sequence[Record], title: str, percent: bool) -> tuple[alt.Scale, alt.Axis]:
    """Scale and axis for a measure's values, as the horizontal axis of a chart."""
    if percent and min(ends(rows)) >= 0 and max(ends(rows)) <= 100.001:
        along, ticks = share_scale(rows)
        return along, alt.Axis(title=lines(title), values=ticks, format="d")
    return alt.Scale(zero=False, padding=30), alt.Axis(title=lines(title), tickCount=6)


def left_out(arms: Sequence[str], why: str) -> str:
    """A sentence that names arms a chart cannot show; empty if there are none."""
    if not arms:
        return ""
    more = f" and {len(arms) - 8} more" if len(arms) > 8 else ""
    return f"Left out ({why}): {', '.join(arms[:8])}{more}."


def sentences(*parts: str) -> str:
    """The parts that are not empty, joined."""
    return " ".join(part for part in parts if part)


def file_safe(text: str) -> str:
    """The text with everything but ASCII letters, digits and '_' made '_'; at most 60 letters."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)[:60].strip("_") or "unnamed"


def capital(text: str) -> str:
    """The text with a capital first letter, unless it is a name such as nDCG."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def spec(layers: Sequence[Any], height: float) -> dict[str, Any]:
    """The layers as one chart without config.

    Altair has checked each part when it was made; checking the whole again takes as long as all
    the rest, so tests do it. The height is in pixels: a height by steps makes Vega-Lite warn on
    the console of the page.
    """
    chart = alt.layer(*layers).properties(width="container", height=round(height))
    made: dict[str, Any] = chart.to_dict(validate=False)
    made.pop("config", None)
    return made
