"""How a break-even held against its formula is shown: cells of its claim, a table, a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from harness.economics.told import count
from harness.report.drawing import Figure
from harness.report.encodings import hue_of, records, sentences, shape_of, spec
from harness.report.quantities import EMPTY, digits
from harness.report.tables import Cell, Heading, Table
from harness.reproduce.effects import Volume, Volumes
from harness.reproduce.verdict import Verdict

HEIGHT = 320
ROOM = 1.3
"""How far the axes reach past the outermost point, as a factor."""

Shown = tuple[Verdict, Volumes]


def claim_cells(one: Verdict) -> tuple[Cell, ...]:
    """Effect, least effect, how many, seeds and what was compared, of a ``VolumeRatio``."""
    claim, found = one.claim, one.effect
    allowed = Cell(f"within × {2**claim.least:.3g}")
    needed = f"{one.needed} needed" if one.needed else ""
    compared = f"queries at which {overtaking(one)}, measured / predicted"
    place = f"{claim.stage}: {', '.join(claim.tasks)}"
    if found is None or found.volumes is None:
        return (Cell(EMPTY), allowed, Cell(EMPTY, needed), Cell(EMPTY), Cell(compared, place))
    volumes = found.volumes
    effect = (
        f"{times(found.value)}: measured {queries(volumes.seconds)}, "
        f"predicted {count(volumes.predicted)} ({volumes.formula})"
    )
    detail = f"{times(found.low)} to {times(found.high)} in seconds"
    if volumes.kwh is not None:
        detail += f"; in kWh {queries(volumes.kwh)}, {_ends(volumes.kwh)}"
    return (
        Cell(effect, detail),
        allowed,
        Cell(f"{found.n} blocks", needed),
        Cell(str(found.seeds)),
        Cell(compared, f"{place}; {found.method}"),
    )


def overtaking(one: Verdict) -> str:
    """As "lora overtakes rag"."""
    return " overtakes ".join(one.claim.contrast.arms) if one.claim.contrast else ""


def times(ratio: float) -> str:
    """A log2 of a ratio as "× 0.65"; that of a volume without limit has none either."""
    return f"× {digits(2**ratio)}" if ratio < math.inf else "no limit"


def queries(volume: Volume) -> str:
    """The volume in queries, or that there is none because an arm is cheaper at every one."""
    if volume.queries == math.inf:
        return "never"
    return count(volume.queries) if volume.queries else "from the first on"


def volumes_table(verdicts: Sequence[Verdict], level: float) -> Table | None:
    """A row a formula: its parts, both volumes and their ratio; None where none was measured."""
    known = _known(verdicts)
    if not known:
        return None
    notes = [
        f"In brackets the interval at {100 * (1 - level):.4g} %: blocks drawn anew, whole. The "
        "claim is about seconds; energy is what the runs say that it is, counter or estimate."
    ]
    for one, volumes in known:
        notes += [f"{overtaking(one)}: {reason}." for reason in volumes.reasons]
    told = dict.fromkeys(text for _, volumes in known for text in volumes.told)
    return Table(
        "Break-even, measured and predicted",
        HEADINGS,
        tuple(_row(one, volumes) for one, volumes in known),
        (*notes, *(f"{text}." for text in told)),
    )


HEADINGS = (
    Heading("Overtakes", number=False),
    Heading("D", "trained tokens"),
    Heading("r", "more prompt tokens a query"),
    Heading("Predicted", "queries"),
    Heading("Measured in seconds", "queries"),
    Heading("Measured / predicted"),
    Heading("Measured in kWh", "queries"),
    Heading("Blocks"),
)


def _row(one: Verdict, volumes: Volumes) -> tuple[Cell, ...]:
    assert one.effect is not None
    ratio = one.effect
    kwh = volumes.kwh
    return (
        Cell(overtaking(one), one.claim.id),
        Cell(count(volumes.trained_tokens)),
        Cell(f"{volumes.extra_prompt_tokens:,.1f}"),
        Cell(count(volumes.predicted), volumes.formula),
        Cell(queries(volumes.seconds), _ends(volumes.seconds)),
        Cell(times(ratio.value), f"{times(ratio.low)} to {times(ratio.high)}"),
        Cell(EMPTY) if kwh is None else Cell(queries(kwh), _ends(kwh)),
        Cell(str(ratio.n)),
    )


def volumes_figure(verdicts: Sequence[Verdict]) -> Figure | None:
    """Measured against predicted volumes, beside the line where they are alike; None without any.

    A volume that is 0 or without limit has no place on a logarithmic axis: it is named instead.
    """
    known = _known(verdicts)
    drawn = [one for one in known if 0 < one[1].seconds.queries < math.inf]
    if not drawn:
        return None
    rows = [_point(one, volumes) for one, volumes in drawn]
    factor = 2 ** max(one.claim.least for one, _ in drawn)
    missing = [overtaking(one) for one, volumes in known if (one, volumes) not in drawn]
    said = "; ".join(f"{row['series']}: {row['said']}" for row in rows)
    return Figure(
        name="break_even",
        title="Break-even, measured against predicted",
        caption=sentences(
            "Line: measured as predicted. Shaded: within the factor that the claim allows. "
            "Whiskers: the interval over metered blocks, in seconds; one without an end is left "
            "out.",
            f"Left out, with no volume to draw: {', '.join(missing)}." if missing else "",
        ),
        chart=_chart(rows, factor),
        alt=f"Measured against predicted volumes of break-even. {said}.",
    )


def _point(one: Verdict, volumes: Volumes) -> dict[str, Any]:
    seconds = volumes.seconds
    bounded = seconds.low > 0 and seconds.high < math.inf
    return {
        "series": overtaking(one),
        "x": volumes.predicted,
        "value": seconds.queries,
        "low": seconds.low if bounded else None,
        "high": seconds.high if bounded else None,
        "said": f"{count(seconds.queries)} measured, {count(volumes.predicted)} predicted "
        f"({volumes.formula})",
    }


def _chart(rows: Sequence[dict[str, Any]], factor: float) -> dict[str, Any]:
    names = [row["series"] for row in rows]
    places = [row[key] for row in rows for key in ("x", "value", "low", "high") if row[key]]
    ends = (min(places) / ROOM, max(places) * ROOM)
    reach = alt.Scale(type="log", domain=list(ends), nice=False)
    along = alt.X("x:Q", title="predicted, queries", scale=reach)
    up = alt.Y("value:Q", title="measured, queries", scale=reach)
    hue = hue_of("series:N", names, alt.Legend(title=None))
    shape = shape_of("series:N", names, alt.Legend(title=None))
    alike = alt.Chart(
        records(
            [{"x": end, "value": end, "low": end / factor, "high": end * factor} for end in ends]
        )
    )
    points = alt.Chart(records(rows))
    whiskers = alt.Chart(records([row for row in rows if row["low"] is not None]))
    layers = [
        alike.mark_area(opacity=0.12, color="gray", clip=True).encode(
            x=along, y=alt.Y("low:Q", title="measured, queries", scale=reach), y2="high:Q"
        ),
        alike.mark_line(strokeWidth=1, color="gray").encode(x=along, y=up),
        whiskers.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
            x=along, y=alt.Y("low:Q", scale=reach), y2="high:Q", color=hue
        ),
        points.mark_point(filled=True, size=90).encode(
            x=along,
            y=up,
            color=hue,
            shape=shape,
            tooltip=[
                alt.Tooltip("series:N", title="overtaking"),
                alt.Tooltip("said:N", title="queries"),
            ],
        ),
    ]
    return spec(layers, HEIGHT)


def _known(verdicts: Sequence[Verdict]) -> list[Shown]:
    return [
        (one, one.effect.volumes)
        for one in verdicts
        if one.effect is not None and one.effect.volumes is not None
    ]


def _ends(volume: Volume) -> str:
    return f"{count(volume.low)} to {count(volume.high)}"
