"""What all charts share: arms by hue and shape, axes in a unit, and the finished spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from harness.report.quantities import Scale, label, scale
from harness.report.readings import Arm, Reading
from harness.report.theme import SHAPES

Record = dict[str, Any]

INTERVALS = (
    "Whiskers: 95 % intervals over questions; with several seeds the mean of the seeds' intervals, "
    "which is never narrower than that of their mean."
)


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


def hue(arms: Sequence[Arm], legend: bool) -> alt.Color:
    """Colour by arm: an arm has the same hue in every chart."""
    shown = alt.Legend(title=None) if legend else None
    names = [arm.name for arm in arms]
    return alt.Color("arm:N", scale=alt.Scale(domain=names), sort=names, legend=shown)


def shape(arms: Sequence[Arm], legend: bool) -> alt.Shape:
    """Shape by arm, the second channel beside the hue."""
    shown = alt.Legend(title=None) if legend else None
    names = [arm.name for arm in arms]
    used = [SHAPES[position % len(SHAPES)] for position in range(len(names))]
    return alt.Shape("arm:N", scale=alt.Scale(domain=names, range=used), legend=shown)


def named(measure: str, unit: str, remark: str = "") -> str:
    """An axis title with its unit, as "total energy (Wh, estimated)"."""
    shown = ", ".join(part for part in (scale(unit).unit or "no unit stated", remark) if part)
    return f"{label(measure)} ({shown})"


def share_domain(rows: Sequence[Record]) -> list[float] | None:
    """The part of 0 to 100 % that holds all values and intervals; 0 is kept where it is near."""
    ends = [
        row[key] for row in rows for key in ("low", "value", "high") if row.get(key) is not None
    ]
    least, most = min(ends), max(ends)
    if least < 0 or most > 100:
        return None
    low = 0.0 if least < 50 else 10 * ((least - 4) // 10)
    return [low, 100.0]


def spec(chart: alt.LayerChart | alt.Chart) -> dict[str, Any]:
    """The chart, checked against Vega-Lite's schema, as wide as its container, without config."""
    made: dict[str, Any] = chart.properties(width="container").to_dict()
    made.pop("config", None)
    return made | {"autosize": {"type": "fit-x", "contains": "padding"}}
