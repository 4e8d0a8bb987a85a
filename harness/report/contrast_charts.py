"""Differences between arms as a forest plot, with the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from harness.compare.result import (
    ESTIMANDS,
    NOT_SHOWN,
    NOT_TESTED,
    Tested,
)
from harness.report.drawing import Figure
from harness.report.encodings import Record, capital, file_safe, lines, records, sentences, spec
from harness.report.quantities import (
    difference_unit,
    digits,
    label,
    scale,
    shown_difference,
    shown_interval,
)
from harness.report.readings import number

MOST_ROWS = 40
LONGEST_VERDICT = 110
SHAPES = ("circle", "diamond")


def contrasts(results: Sequence[Tested], measure: str, names: Mapping[str, str]) -> Figure | None:
    """The differences of one measure with their intervals; None where no interval is known.

    Args:
        names: label of an arm -> its name in charts; contrasts of other arms are left out.
    """
    chosen = [
        tested
        for tested in results
        if tested.measure == measure
        and {tested.contrast.arm, tested.contrast.baseline} <= names.keys()
    ]
    drawn = chosen[:MOST_ROWS]
    if not drawn:
        return None
    unit = drawn[0].unit
    baselines = {tested.contrast.baseline for tested in drawn}
    versus = f" from {names[next(iter(baselines))]}" if len(baselines) == 1 else ""
    rows = [_row(tested, names, bool(versus)) for tested in drawn]
    if not any("value" in row for row in rows):
        return None
    levels = sorted({tested.confidence for tested in drawn if tested.confidence is not None})
    higher = drawn[0].higher_is_better
    better = {True: "right of 0 is better", False: "left of 0 is better", None: ""}[higher]
    points = f"{'percentage ' * (scale(unit).unit == '%')}{difference_unit(unit)}"
    title = f"difference in {label(measure)}{versus}, {points or 'no unit stated'}"
    return Figure(
        name=f"contrasts_{file_safe(measure)}",
        title=f"Differences in {label(measure)}",
        caption=sentences(
            "Arm − baseline." if not versus else f"Arm − {names[next(iter(baselines))]}.",
            f"Intervals: {_percents(levels)}, the level at which each was tested with all others "
            "of its family (Holm); an interval that holds 0 shows no difference."
            if levels
            else "",
            *(f"{capital(name)}: {ESTIMANDS[name]}." for name in _estimands(drawn)),
            f"The first {MOST_ROWS} of {len(chosen)} are drawn." if len(chosen) > MOST_ROWS else "",
        ),
        chart=_chart(rows, f"{title} ({better})" if better else title, _estimands(drawn)),
        alt=f"Differences in {label(measure)}: "
        + "; ".join(f"{row['contrast']}, {' '.join(row['text'])}" for row in rows[:8])
        + ".",
    )


def _estimands(drawn: Sequence[Tested]) -> list[str]:
    return [name for name in ESTIMANDS if any(tested.estimand == name for tested in drawn)]


def _row(tested: Tested, names: Mapping[str, str], one_baseline: bool) -> Record:
    contrast = names[tested.contrast.arm]
    if not one_baseline:
        contrast += f" − {names[tested.contrast.baseline]}"
    factor = scale(tested.unit).factor
    text = lines(f"{tested.estimand}: {_verdict(tested)}")
    row: Record = {
        "contrast": contrast,
        "estimand": tested.estimand,
        "text": text,
        "lines": len(text),
    }
    difference, low, high = (number(v) for v in (tested.difference, tested.low, tested.high))
    if difference is not None and low is not None and high is not None:
        interval = shown_interval(low, high, tested.unit, sign=True)
        row |= {
            "value": difference * factor,
            "low": low * factor,
            "high": high * factor,
            "said": f"{shown_difference(difference, tested.unit)} ({interval})",
        }
    return row


def _verdict(tested: Tested) -> str:
    """The verdict as text, in the unit of the axis, cut to one line."""
    text = tested.verdict
    if tested.verdict == NOT_SHOWN and tested.smallest_effect is not None:
        least = digits(tested.smallest_effect * scale(tested.unit).factor)
        text = f"{NOT_SHOWN} (could have seen ≥ {least} {difference_unit(tested.unit)})"
    elif tested.verdict == NOT_TESTED or tested.equivalent:
        text = tested.says
    return text if len(text) <= LONGEST_VERDICT else f"{text[: LONGEST_VERDICT - 1]}…"


def _percents(levels: Sequence[float]) -> str:
    ends = dict.fromkeys(f"{100 * level:.3g} %" for level in (levels[0], levels[-1]))
    return " to ".join(ends)


def _chart(rows: Sequence[Record], title: str, estimands: Sequence[str]) -> dict[str, object]:
    known = [row for row in rows if "value" in row]
    values = [row[key] for row in known for key in ("low", "value", "high")] + [0.0]
    room = (max(values) - min(values)) * 0.05 or 1.0
    scaled = alt.Scale(domain=[min(values) - room, max(values) + room], nice=False, zero=False)
    axis = alt.Axis(title=lines(title), tickCount=7)
    x = alt.X("value:Q", scale=scaled, axis=axis)
    names = list(dict.fromkeys(row["contrast"] for row in rows))
    y = alt.Y("contrast:N", sort=names, title=None).axis(
        ticks=False, domain=False, grid=True, tickBand="extent", labelPadding=8
    )
    offset = alt.YOffset("estimand:N", sort=estimands, scale=alt.Scale(domain=list(estimands)))
    forms = alt.Shape(
        "estimand:N",
        scale=alt.Scale(domain=list(estimands), range=list(SHAPES[: len(estimands)])),
        legend=None,
    )
    layers = [
        alt.Chart(records([{"value": 0}])).mark_rule(style="zero").encode(x=x),
        alt.Chart(records(known))
        .mark_rule(style="whisker")
        .encode(x=alt.X("low:Q", scale=scaled, axis=axis), x2="high:Q", y=y, yOffset=offset),
        alt.Chart(records(known))
        .mark_point(filled=True, size=80)
        .encode(
            x=x,
            y=y,
            yOffset=offset,
            shape=forms,
            tooltip=[
                alt.Tooltip("contrast:N", title="arm"),
                alt.Tooltip("said:N", title="difference"),
                alt.Tooltip("text:N", title="verdict"),
            ],
        ),
        *(
            alt.Chart(records([row for row in rows if row["lines"] == count]))
            .mark_text(style=style, align="left", dy=-6 - 14 * count, baseline="top")
            .encode(x=alt.value(4), y=y, yOffset=offset, text="text:N")
            for count in sorted({row["lines"] for row in rows})
            for style in ("halo", "label")
        ),
    ]
    most_lines = max(row["lines"] for row in rows)
    return spec(layers, (34 + 17 * most_lines) * len(names) * len(estimands))
