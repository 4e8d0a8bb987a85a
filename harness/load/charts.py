"""Load curves as charts: latency, quality of experience and throughput against the rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import altair as alt

from harness.load.curve import Row
from harness.record import replacing
from harness.report.drawing import Figure, to_svg
from harness.report.encodings import columns, hue_of, lines, records, sentences, shape_of, spec

HEIGHT = 300

ROOM = 1.15
"""How far beyond the outermost points the axes go."""


@dataclass(frozen=True)
class _Curve:
    """What is drawn: a column of a row, and how."""

    name: str
    column: str
    title: str
    axis: str
    log: bool = False
    factor: float = 1.0


CURVES = (
    _Curve("latency", "latency_p95_seconds", "Latency", "95th percentile of latency, s", True),
    _Curve("latency_p50", "latency_p50_seconds", "Median latency", "median latency, s", True),
    _Curve("qoe", "qoe_mean", "Quality of experience", "mean QoE of answered requests"),
    _Curve(
        "throughput", "throughput_requests_per_second", "Throughput", "answered requests a second"
    ),
    _Curve("energy", "energy_kwh_per_request", "Energy", "energy of a request, mWh", factor=1e6),
)


def write_curves(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Draw what is known of the rows, of any arms, as SVG files in ``folder``; their paths.

    Each length of answer has files of its own. One of other rows, whose figure is not known of
    these, goes.
    """
    written = []
    lengths = sorted({row["answer_tokens"] for row in rows})
    for length, curve in product(lengths, CURVES):
        figure = _figure(curve, [row for row in rows if row["answer_tokens"] == length])
        path = folder / f"{curve.name}_{length}_tokens.svg"
        if figure is None:
            path.unlink(missing_ok=True)
            continue
        with replacing(path) as file:
            file.write(to_svg(figure))
        written.append(path)
    return written


def _figure(curve: _Curve, rows: Sequence[Row]) -> Figure | None:
    points = [
        {
            "series": _series(row),
            "rate": row["rate_per_second"],
            "value": row[curve.column] * curve.factor,
        }
        for row in rows
        if row[curve.column] is not None
    ]
    if not points:
        return None
    left = len(rows) - len(points)
    names = list(dict.fromkeys(_series(row) for row in rows))
    title = f"{curve.title} against rate"
    caption = sentences(
        "Poisson arrivals, the same for every arm; times count from the intended sending.",
        f"{left} of {len(rows)} rates have no such figure." if left else "",
    )
    # The file stands alone, so the words go into it.
    heading = {"text": title, "subtitle": caption, "anchor": "start"}
    return Figure(
        name=curve.name,
        title=title,
        caption=caption,
        chart={**_chart(curve, points, names), "title": heading},
        alt=f"{curve.title} of {', '.join(names)} at {len({p['rate'] for p in points})} rates.",
    )


def _series(row: Row) -> str:
    where = f" at {row['model']}" if row["endpoint"] else ""
    return f"{row['arm']}{where}, {row['answer_tokens']} tokens"


def _chart(curve: _Curve, points: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    rates = sorted({point["rate"] for point in points})
    across = alt.Scale(type="log", domain=[rates[0] / ROOM, rates[-1] * ROOM], nice=False)
    along = alt.X("rate:Q", scale=across)
    along = along.axis(title="requests a second", values=rates, format="~g")
    most = max(point["value"] for point in points) * ROOM or 1.0
    least = min(point["value"] for point in points) / ROOM
    if curve.log:
        scale = alt.Scale(type="log", domain=[least, most], nice=False)
    else:
        scale = alt.Scale(domain=[0, most], nice=False)
    up = alt.Y("value:Q", scale=scale, axis=alt.Axis(title=lines(curve.axis), tickCount=6))
    legend = alt.Legend(title=None, columns=columns(names))
    hue = hue_of("series:N", names, legend)
    shape = shape_of("series:N", names, legend)
    base = alt.Chart(records(points)).encode(x=along, y=up, color=hue)
    marks = base.mark_point(filled=True, size=70).encode(shape=shape)
    return spec([base.mark_line(), marks], HEIGHT)
