"""The advice in sections of sentences and tables, which terminal and Markdown both draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.advise.advice import Advice, reading_of
from harness.advise.readings import Reading
from harness.advise.rule import AT_LEAST, Standing
from harness.advise.sensitivity import Bar, Flip
from harness.advise.situation import UNITS
from harness.advise.volumes import Stretch
from harness.compare.render.figures import Scale, scale_of
from harness.compare.render.grid import Grid, Section, plain
from harness.economics.stated import Assumption
from harness.report.quantities import EMPTY, MINUS, digits

LIMIT_UNITS = {
    "accuracy": "share",
    "forgetting": "share",
    "latency": "s",
    "memory": "GiB",
    "carbon": "kg a year",
}
NO_ARM = "no arm"
OFF_THE_FRONT = "; an arm that fails a limit does as well or better in all else"
MOST_FLIPS = 3


def sections(advice: Advice, stated: Sequence[Assumption] = ()) -> tuple[Section, ...]:
    """The advice, what it rests on, and what would change it.

    Args:
        stated: prices and figures of the machine that the user gave, with their sources.
    """
    assumed = Section("Figures it rests on", grids=(_stated_grid(stated),) if stated else ())
    return (
        Section("Advice", tuple(plain(one) for one in in_short(advice))),
        Section("What to know", tuple(plain(one) for one in advice.remarks)),
        Section("The arms", grids=(_arms_grid(advice), *_limits_grids(advice))),
        Section("By volume", grids=(_volumes_grid(advice),)),
        Section(
            "What would change the advice",
            text=(_about_tornado(advice),),
            grids=(_tornado_grid(advice),),
        ),
        *((assumed,) if assumed else ()),
    )


def in_short(advice: Advice) -> list[str]:
    """The advice in sentences, the answer first; without what is to be known of it."""
    lines = [_the_advice(advice), *_runner_up(advice)]
    if advice.best is None:
        lines += _binding(advice)
    return [*lines, *_either(advice), _how_sure(advice), *_flips(advice)]


def situation_text(advice: Advice) -> str:
    """What the advice is for, as "1,000 queries a month for 12 months, 1 update a month"."""
    one = advice.situation
    updates = f"{one.updates_per_month:g} a month" if one.updates_per_month else "none"
    changed = (
        f", each changing {one.changed_share * 100:g} % of the corpus"
        if one.updates_per_month
        else ""
    )
    return (
        f"{count(one.queries_per_month)} queries a month for {one.months:g} "
        f"month{'' if one.months == 1 else 's'}; "
        f"updates: {updates}{changed}"
    )


def ranked_unit(advice: Advice) -> str:
    """The unit of what arms are ranked by."""
    each = " per correct answer" if advice.situation.per_correct else ""
    return f"{UNITS[advice.situation.unit]}{each}"


def ranked_scale(advice: Advice, values: Sequence[float | None]) -> Scale:
    """How figures of what arms are ranked by are shown."""
    return scale_of(ranked_unit(advice), [None if v is None else abs(v) for v in values])


def count(value: float) -> str:
    """A number of queries: whole from ten up."""
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if value >= 10 else digits(value)


def signed(value: float | None, scale: Scale) -> str:
    """A difference in the unit of ``scale``, with its sign."""
    if value is None:
        return EMPTY
    sign = MINUS if value < 0 else "+"
    return f"{sign}{digits(abs(value) * scale.factor)}"


def limit_text(name: str, value: float | None) -> str:
    """A value of what a limit is set on, with its unit."""
    if value is None:
        return "unknown"
    if LIMIT_UNITS[name] == "share":
        return f"{value * 100:.1f} %".replace("-", MINUS)
    return f"{digits(value)} {LIMIT_UNITS[name]}"


def limit_name(advice: Advice, name: str) -> str:
    """A limit's name; carbon from an estimated energy says so."""
    energy = name == "carbon" and any(arm.estimated for arm in advice.arms)
    return f"{name} (estimated)" if energy else name


def assumption_text(bar: Bar, value: float) -> str:
    """A value of an assumption: counts whole, others with up to three digits."""
    if "queries" in bar.assumption.name:
        return count(value)
    text = digits(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _the_advice(advice: Advice) -> str:
    where = situation_text(advice)
    best = advice.best
    if best is None:
        return f"No arm meets the limits ({where})."
    meeting = sum(not one.fails and one.ranked_by is not None for one in advice.standings)
    limits = advice.situation.limits.given()
    among = f"of the {meeting} arms that meet the limits" if limits else f"of {meeting} arms"
    if meeting == 1 and limits:
        among = "the only arm that meets the limits"
    by = "a correct answer costs least" if advice.situation.per_correct else "it costs least"
    why = among if among.startswith("the only") else f"{by} {among}"
    front = "" if best.arm in advice.front else OFF_THE_FRONT
    return f"{best.arm} is advised ({where}): {why}. {_figures(advice, best)}{front}."


def _figures(advice: Advice, one: Standing) -> str:
    total = scale_of(UNITS[advice.situation.unit], [one.cost])
    estimated = " (estimated)" if advice.estimated else ""
    parts = [f"{digits((one.cost or 0) * total.factor)} {total.unit}{estimated} in all"]
    if advice.situation.per_correct and one.ranked_by is not None:
        each = scale_of(UNITS[advice.situation.unit], [one.ranked_by])
        parts.append(f"{digits(one.ranked_by * each.factor)} {each.unit} a correct answer")
    if one.figures.accuracy is not None:
        parts.append(f"right in {one.figures.accuracy * 100:.1f} %")
    return ", ".join(parts)


def _runner_up(advice: Advice) -> list[str]:
    if advice.other is None:
        return ["There is no other arm to set against it."] if advice.best else []
    other = advice.other
    failing = f"; it fails: {', '.join(other.fails)}" if other.fails else ""
    role = "Runner-up" if advice.best and not other.fails else "Nearest otherwise"
    return [f"{role}: {other.arm}. {_figures(advice, other)}{failing}."]


def _binding(advice: Advice) -> list[str]:
    if not advice.relaxations:
        return ["No change of the limits admits an arm: what they limit is not known of any."]
    limits = advice.situation.limits.given()
    lines = []
    for one in advice.relaxations:
        asked = " and ".join(
            f"{name} {'down' if name in AT_LEAST else 'up'} to {limit_text(name, value)} (from "
            f"{limit_text(name, limits[name])})"
            for name, value in one.to.items()
        )
        binds = "binds" if len(one.to) == 1 else "bind together"
        lines.append(f"{' and '.join(one.to)} {binds}: {asked} would admit {one.arm}.")
    return lines


def _either(advice: Advice) -> list[str]:
    best, other, found = advice.best, advice.other, advice.against
    if best is None or other is None or found is None:
        return []
    pair = f"{best.arm} and {other.arm}"
    if found.p is None:
        accuracy = f"whether {pair} differ in accuracy is not known ({found.method})"
    elif found.p > 0.05:
        accuracy = f"{pair} are not shown to differ in accuracy (p = {found.p:.2g})"
    else:
        accuracy = f"{pair} differ in accuracy (p = {found.p:.1g})"
    if found.cost_low is None or found.cost_high is None:
        return [f"{accuracy}; each cost was read once, so noise in the costs is not known."]
    scale = scale_of(UNITS[advice.situation.unit], [found.cost_low, found.cost_high])
    costs = f"{other.arm} costs {_more(found.cost_low, found.cost_high, scale)} (95 % of draws)"
    if found.either and not other.fails:
        return [f"Either will do: {accuracy}, and {costs}."]
    return [f"{accuracy}; {costs}."]


def _more(low: float, high: float, scale: Scale) -> str:
    """An interval of what is more, as "1.2 to 3.4 Wh more", or less where all of it is."""
    if high < 0:
        return _more(-high, -low, scale).replace("more", "less")
    ends = (signed(end, scale).removeprefix("+") for end in (low, high))
    return f"{' to '.join(ends)} {scale.unit} more"


def _how_sure(advice: Advice) -> str:
    shares = advice.certainty.shares
    said = ", ".join(f"{arm or NO_ARM} {_percent(share)}" for arm, share in shares.items())
    return f"How sure: advised in {advice.certainty.draws:,} draws of questions and runs: {said}."


def _percent(share: float) -> str:
    """The share in percent; what is not all is never printed as all, nor something as nothing."""
    if 0.995 <= share < 1:
        return "over 99 %"
    return "under 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def _flips(advice: Advice) -> list[str]:
    """The assumptions whose own range changes the advice."""
    inside = [bar for bar in advice.bars if _changes(bar, advice)]
    if not inside:
        return ["No assumption changes the advice within its range, taken one at a time."]
    said = [f"{bar.assumption.name} ({flips_text(bar)})" for bar in inside[:MOST_FLIPS]]
    more = f" and {len(inside) - MOST_FLIPS} more" if len(inside) > MOST_FLIPS else ""
    return [f"What would change it, within its range: {'; '.join(said)}{more}."]


def _changes(bar: Bar, advice: Advice) -> bool:
    best = advice.best.arm if advice.best else None
    return bar.at_low != best or bar.at_high != best


def flips_text(bar: Bar, if_never: str = "never") -> str:
    """Where the advice changes, as "below 1,234: rag"."""

    def said(word: str, flip: Flip) -> str:
        return f"{word} {assumption_text(bar, flip.value)}: {flip.to or NO_ARM}"

    flips = [(word, f) for word, f in (("below", bar.below), ("above", bar.above)) if f]
    return ", ".join(said(word, flip) for word, flip in flips) or if_never


def _arms_grid(advice: Advice) -> Grid:
    unit = UNITS[advice.situation.unit]
    total = scale_of(unit, [one.cost for one in advice.standings])
    each = ranked_scale(advice, [one.ranked_by for one in advice.standings])
    per_correct = advice.situation.per_correct
    estimated = " (estimated)" if advice.estimated else ""
    headings = (
        "arm",
        f"cost in all, {total.unit}{estimated}",
        *((f"cost, {each.unit}{estimated}",) if per_correct else ()),
        "right, %",
        "largest loss, points" if advice.arms[0].asked.probe is None else "loss",
        f"latency {_percentile(advice)}, s",
        "memory, GiB",
        "on the front",
        "place",
    )
    places = {one.arm: str(place) for place, one in enumerate(_by_place(advice), start=1)}
    lines = []
    for arm, one in zip(advice.arms, advice.standings, strict=True):
        lines.append(
            (
                one.arm,
                _times(one.cost, total),
                *((_times(one.ranked_by, each),) if per_correct else ()),
                _interval(arm.accuracy, 100),
                "0, frozen" if arm.arm.summary.frozen else _interval(arm.forgetting, 100),
                _interval(arm.latency, 1),
                _interval(arm.memory, 1),
                "yes" if one.arm in advice.front else "no",
                places.get(one.arm, "fails " + ", ".join(one.fails) if one.fails else EMPTY),
            )
        )
    note = f"{advice.arms[0].correct} says what is right; in brackets the 95 % interval"
    # Figures with their intervals may be folded; the costs before them may not.
    figures = range(1, 3 if per_correct else 2)
    words = frozenset(range(len(headings))) - set(figures)
    return Grid("", headings, tuple(lines), words, (note,))


def _by_place(advice: Advice) -> Iterator[Standing]:
    from harness.advise.rule import ranking

    yield from ranking(advice.standings)


def _percentile(advice: Advice) -> str:
    return advice.arms[0].asked.latency.removeprefix("latency_").removesuffix("_seconds")


def _limits_grids(advice: Advice) -> list[Grid]:
    limits = advice.situation.limits.given()
    if not limits:
        return []
    lines = []
    for arm in advice.arms:
        cells = [arm.name]
        for name in limits:
            reading = reading_of(arm, name, advice.situation)
            value = limit_text(name, None if reading is None else reading.value)
            cells.append(f"{value}: {advice.verdicts[arm.name][name]}".replace("unknown: ", ""))
        lines.append(tuple(cells))
    headings = (
        "arm",
        *(
            f"{limit_name(advice, name)} {'≥' if name in AT_LEAST else '≤'} "
            f"{limit_text(name, bound)}"
            for name, bound in limits.items()
        ),
    )
    note = "not surely: the 95 % interval reaches across the limit"
    return [Grid("Limits", headings, tuple(lines), frozenset(range(len(headings))), (note,))]


def _volumes_grid(advice: Advice) -> Grid:
    def shown(one: Stretch) -> str:
        if one.high == math.inf:
            return f"above {count(one.low)}" if one.low else "any"
        return f"{count(one.low)} to {count(one.high)}" if one.low else f"below {count(one.high)}"

    lines = tuple((shown(one), one.arm or NO_ARM) for one in advice.stretches)
    return Grid("", ("queries a month", "advised"), lines, frozenset({0, 1}))


def _about_tornado(advice: Advice) -> str:
    if advice.best is None:
        return "Each assumption by itself: where an arm would meet the limits."
    if advice.other is None:
        return "Each assumption by itself: where another arm, or none, would be advised."
    return (
        f"Each assumption by itself: what {advice.other.arm} costs more than {advice.best.arm} at "
        "both ends of its range, and where the advice changes."
    )


def _tornado_grid(advice: Advice) -> Grid:
    if advice.best is None or advice.other is None:
        return _flips_grid(advice)
    scale = ranked_scale(advice, [end for bar in advice.bars for end in (bar.low, bar.high)])
    lines = tuple(
        (
            *_assumption_cells(bar),
            signed(bar.low, scale),
            signed(bar.high, scale),
            digits(bar.swing * scale.factor) if bar.low is not None else EMPTY,
            flips_text(bar),
        )
        for bar in advice.bars
    )
    headings = (
        "assumption",
        "value",
        "range",
        f"at the low end, {scale.unit}",
        f"at the high end, {scale.unit}",
        "swing",
        "the advice changes",
    )
    return Grid("", headings, lines, frozenset({0, 1, 2, 6}))


def _flips_grid(advice: Advice) -> Grid:
    """The same without differences, where there are no two arms to take one of."""
    lines = tuple((*_assumption_cells(bar), flips_text(bar)) for bar in advice.bars)
    headings = ("assumption", "value", "range", "the advice changes")
    return Grid("", headings, lines, frozenset(range(len(headings))))


def _assumption_cells(bar: Bar) -> tuple[str, str, str]:
    one = bar.assumption
    return (
        one.name,
        f"{assumption_text(bar, one.value)} {one.unit}".strip(),
        f"{assumption_text(bar, one.low)} to {assumption_text(bar, one.high)} ({one.said})",
    )


def _stated_grid(stated: Sequence[Assumption]) -> Grid:
    lines = tuple(
        (plain(one.name), digits(one.value), one.unit, plain(one.source), one.date)
        for one in stated
    )
    headings = ("figure", "value", "unit", "source", "date")
    return Grid("", headings, lines, frozenset({0, 2, 3, 4}))


def _times(value: float | None, scale: Scale) -> str:
    return EMPTY if value is None else digits(value * scale.factor)


def _interval(reading: Reading | None, factor: float) -> str:
    if reading is None:
        return EMPTY

    def shown(value: float) -> str:
        scaled = value * factor
        text = f"{abs(scaled):.1f}" if factor == 100 else digits(abs(scaled))
        return f"{MINUS if scaled < 0 and text.strip('0.') else ''}{text}"

    if reading.low is None or reading.high is None:
        return shown(reading.value)
    return f"{shown(reading.value)} ({shown(reading.low)} to {shown(reading.high)})"
