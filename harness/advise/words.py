"""The advice in sentences, and its figures as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.advise.advice import Advice
from harness.advise.rule import AT_LEAST, Standing
from harness.advise.sensitivity import Bar, Flip
from harness.compare.render.figures import Scale, scale_of
from harness.economics.breakeven import UNITS
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
