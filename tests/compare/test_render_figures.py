"""Printed numbers: readable units, and rounding that never contradicts a verdict."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.render.figures import (
    Scale,
    decimals,
    figures_of,
    interval,
    number,
    p_value,
    percent,
    scale_of,
    scaled,
    signed,
)

from .made import RAG, not_shown, not_tested, shown

PERCENT = Scale(100.0, "%", 1)


@pytest.mark.parametrize(
    ("unit", "values", "factor", "printed"),
    [
        ("share of open answerable questions", [0.3], 100, "%"),
        ("mean over open answerable questions", [0.3], 1, ""),
        ("s", [0.68, 0.02], 1, "s"),
        ("s", [0.02, None], 1e3, "ms"),
        ("kWh", [0.00174], 1e3, "Wh"),
        ("kWh per question", [1.5e-6], 1e6, "mWh per question"),
        ("kg CO2e", [0.0008], 1e6, "mg CO2e"),
        ("kWh", [0.0, None, math.nan], 1, "kWh"),
        ("GiB", [0.001], 1, "GiB"),
        ("", [0.001], 1, ""),
    ],
)
def test_units(unit: str, values: list, factor: float, printed: str):
    scale = scale_of(unit, values)
    assert (scale.factor, scale.unit) == (factor, printed)


def test_shares_are_percent_and_their_differences_points():
    figures = figures_of(shown(RAG, "contains"), PERCENT, 0.05)
    assert (figures.baseline, figures.arm, figures.difference) == ("10.0", "43.3", "+33.3")
    assert (figures.interval, figures.level, figures.p) == ("[+28.1, +38.5]", "97.5 %", "<0.001")


def test_an_interval_that_excludes_zero_is_never_printed_as_touching_it():
    figures = figures_of(shown(RAG, "contains", low=0.0001, high=0.05), PERCENT, 0.05)
    assert figures.interval == "[+0.01, +5.00]"
    figures = figures_of(shown(RAG, "contains", low=-0.3, high=-0.0000042), PERCENT, 0.05)
    assert figures.interval == "[−30.0000, −0.0004]"


def test_an_interval_within_the_margin_is_not_printed_as_reaching_it():
    # 1.96 points would be printed as 2.0 with one decimal.
    tested = not_shown(RAG, "contains", low=-0.01, high=0.0196, margin=0.02, equivalent=True)
    assert figures_of(tested, PERCENT, 0.05).interval == "[−1.00, +1.96]"


def test_an_end_on_zero_stays_there():
    figures = figures_of(not_shown(RAG, "contains", low=0.0, high=0.04), PERCENT, 0.05)
    assert figures.interval == "[0.0, +4.0]"


@given(st.floats(-1, 1, allow_subnormal=False), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_printed_ends_lie_where_the_ends_do(low: float, width: float, margin: float):
    low, high = (scaled(end, PERCENT) or 0.0 for end in (low, low + width))
    if 0 < min(abs(low), abs(high)) < 1e-12:
        return  # nothing that a study could measure
    marks = [0.0, 100 * margin, -100 * margin]
    places = decimals(PERCENT, [low, high], [], marks)
    text = interval(low, high, places).replace("−", "-").replace(",", " ").strip("[]").split()
    for printed, end in zip(map(float, text), (low, high), strict=True):
        for mark in marks:
            if abs(end - mark) > 1e-12:
                assert (printed > mark) == (end > mark)
                assert (printed < mark) == (end < mark)


def test_what_could_have_been_seen_is_rounded_up():
    assert figures_of(not_shown(RAG, "f1"), PERCENT, 0.05).smallest == "3.2"  # 3.12
    exact = not_shown(RAG, "f1", smallest_effect=0.03)
    assert figures_of(exact, PERCENT, 0.05).smallest == "3.0"


def test_figures_keep_two_digits_under_a_wide_interval():
    tested = not_shown(
        RAG, "x", baseline_value=0.497, arm_value=1.5, difference=1.003, low=-4.0, high=6.0
    )
    figures = figures_of(tested, Scale(), 0.05)
    assert (figures.baseline, figures.arm, figures.interval) == ("0.5", "1.5", "[−4.0, +6.0]")


def test_without_an_interval_three_digits_are_printed():
    tested = not_tested(RAG, "x", "one run", baseline_value=0.0928, arm_value=0.1692)
    figures = figures_of(tested, Scale(), 0.05)
    assert (figures.baseline, figures.arm) == ("0.093", "0.169")


def test_null_is_a_dash_and_zero_is_a_zero():
    nothing = not_tested(
        RAG, "x", "no figures", baseline_value=None, arm_value=math.nan, difference=0.0
    )
    figures = figures_of(nothing, PERCENT, 0.05)
    assert (figures.baseline, figures.arm, figures.difference) == ("–", "–", "0.0")
    assert (figures.interval, figures.level, figures.p, figures.smallest) == ("–", "–", "–", "–")


def test_zero_has_no_sign_and_minus_is_a_minus():
    assert [signed(value, 1) for value in (0.0, -0.01, 1.25, -2.0)] == [
        "0.0",
        "0.0",
        "+1.2",
        "−2.0",
    ]
    assert [number(value, 0) for value in (-0.4, 1234567.0, -1000.0)] == [
        "0",
        "1,234,567",
        "−1,000",
    ]


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0000001, "<0.001"),
        (0.0312, "0.031"),
        (0.04997, "0.04997"),  # not 0.050: it is significant
        (0.05003, "0.05003"),
        (1.0, "1.000"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_p_values_stay_on_their_side_of_alpha(p: float | None, text: str):
    assert p_value(p, 0.05) == text


def test_a_tiny_p_is_written_out_where_alpha_is_tinier():
    assert p_value(0.0002, 0.0001) == "0.0002"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.95, "95 %"), (1 - 0.05 / 6, "99.17 %"), (1 - 0.05 / 3, "98.33 %"), (0.999999, "99.9999 %")],
)
def test_levels(share: float, text: str):
    assert percent(share) == text
