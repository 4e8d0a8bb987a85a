"""Numbers as they are printed: in a readable unit, never rounded across what they are read against.

An interval that excludes 0 is not printed as touching it, nor one within the margin as leaving it:
digits are added until every printed end lies on the side where the end itself lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from harness.compare.result import Tested

EMPTY = "–"
"""An unknown or inapplicable figure: never zero."""

SMALLER = {
    "s": (("ms", 1e3), ("µs", 1e6)),
    "kWh": (("Wh", 1e3), ("mWh", 1e6), ("µWh", 1e9)),
    "kg": (("g", 1e3), ("mg", 1e6), ("µg", 1e9)),
}
"""The units that figures too small for theirs are printed in, and how many of them make one."""

KEPT = 0.1
"""The largest figure of a measure stays in its own unit from here up."""

MOST_DECIMALS = 15


@dataclass(frozen=True)
class Scale:
    """How a measure's figures are printed: multiplied by ``factor``, in ``unit`` ("" for none).

    ``fewest`` is the least number of decimals.
    """

    factor: float = 1.0
    unit: str = ""
    fewest: int = 0


@dataclass(frozen=True)
class Figures:
    """The figures of one test as text; EMPTY where there is none."""

    baseline: str
    arm: str
    difference: str
    interval: str
    level: str
    p: str
    smallest: str
    margin: str


def scale_of(unit: str, values: Iterable[float | None]) -> Scale:
    """The scale for figures of one measure: percent for shares, mWh for millionths of a kWh."""
    if unit.startswith("share"):
        return Scale(100.0, "%", fewest=1)
    if unit.startswith("mean"):  # of something between 0 and 1, such as F1
        return Scale(fewest=3)
    largest = max((abs(value) for value in values if _is_known(value)), default=0.0)
    symbol, *rest = unit.split(" ", 1)
    if 0 < largest < KEPT and symbol in SMALLER:
        smaller = SMALLER[symbol]
        symbol, factor = next((s for s in smaller if largest * s[1] >= 1), smaller[-1])
        return Scale(factor, " ".join((symbol, *rest)))
    return Scale(1.0, unit)


def figures_of(tested: Tested, scale: Scale, alpha: float) -> Figures:
    """The printed figures of a test, in agreement with its verdict at error rate ``alpha``."""
    low, high, difference, smallest, margin, *values = (
        scaled(value, scale)
        for value in (
            tested.low,
            tested.high,
            tested.difference,
            tested.smallest_effect,
            tested.margin,
            tested.baseline_value,
            tested.arm_value,
        )
    )
    landmarks = [0.0] if margin is None else [0.0, -margin, margin]
    places = decimals(scale, [low, high], [*values, difference], landmarks)
    enough = places if smallest is None else _apart([smallest], [0.0], places)
    return Figures(
        baseline=number(values[0], places),
        arm=number(values[1], places),
        difference=signed(difference, places),
        interval=interval(low, high, places),
        level=EMPTY if tested.confidence is None else percent(tested.confidence),
        p=p_value(tested.p_adjusted, alpha),
        smallest=EMPTY if smallest is None else number(_ceiling(smallest, enough), enough),
        margin=EMPTY if margin is None else f"{margin:g}",
    )


def decimals(
    scale: Scale,
    ends: Sequence[float | None],
    values: Sequence[float | None],
    landmarks: Sequence[float] = (0.0,),
) -> int:
    """Decimals for scaled figures: two digits of the interval's width and of the largest figure.

    Three of the largest where there is no interval. More where an end would otherwise be printed
    on or across a landmark that it is not on.
    """
    known = [end for end in ends if end is not None]
    width = max(known) - min(known) if known else 0.0
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    wanted = [scale.fewest]
    if width > 0:
        wanted.append(1 - _magnitude(width))
    if largest > 0 and not scale.fewest:
        wanted.append((1 if width > 0 else 2) - _magnitude(largest))
    return _apart(known, landmarks, min(max(wanted), MOST_DECIMALS))


def number(value: float | None, places: int) -> str:
    """The number with a true minus sign and grouped thousands; never "−0"."""
    return EMPTY if value is None else _sign_of_zero(f"{value:,.{places}f}")


def signed(value: float | None, places: int) -> str:
    """The same with its sign, which zero has not."""
    return EMPTY if value is None else _sign_of_zero(f"{value:+,.{places}f}")


def interval(low: float | None, high: float | None, places: int) -> str:
    """Both ends in brackets; EMPTY unless both are known."""
    if low is None or high is None:
        return EMPTY
    return f"[{signed(low, places)}, {signed(high, places)}]"


def percent(share: float) -> str:
    """A level of confidence, as "98.3 %"; as many digits as it takes not to reach 100."""
    places = next((p for p in range(4, MOST_DECIMALS) if float(f"{100 * share:.{p}g}") < 100), 4)
    return f"{100 * share:.{places}g} %"


def p_value(p: float | None, alpha: float) -> str:
    """A p-value to three decimals, more where they would put it on the wrong side of alpha."""
    if not _is_known(p):
        return EMPTY
    if p < 0.001 < alpha:
        return "<0.001"
    return f"{p:.{_apart([p], [alpha], 3)}f}"


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def scaled(value: float | None, scale: Scale) -> float | None:
    """The value in the scale's unit; None if it is no number."""
    # Rounded where floating point ends, so that 100 × 0.07 is 7 and not just above it.
    return None if not _is_known(value) else float(f"{value * scale.factor:.12g}")


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value))


def _apart(ends: Sequence[float], landmarks: Sequence[float], places: int) -> int:
    """Decimals, from ``places`` up, at which each end stays on its side of each landmark."""
    for more in range(places, MOST_DECIMALS):
        if all(
            _side(float(f"{end:.{more}f}"), mark) == _side(end, mark)
            for end in ends
            for mark in landmarks
        ):
            return more
    return MOST_DECIMALS


def _side(value: float, landmark: float) -> int:
    return (value > landmark) - (value < landmark)


def _ceiling(value: float, places: int) -> float:
    """The value rounded up: what could have been seen is never printed smaller than it is."""
    return math.ceil(float(f"{value * 10**places:.9g}")) / 10**places


def _sign_of_zero(text: str) -> str:
    if not text.strip("+-0.,"):
        return text.lstrip("+-")
    return text.replace("-", "−")
