"""Figures in the unit people think in, with the digits that count."""

from __future__ import annotations

import pytest

from harness.report.quantities import (
    difference_unit,
    digits,
    label,
    shown,
    shown_difference,
    shown_interval,
)

SHARE = "share of probe questions"


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.7456, SHARE, "74.6"),
        (-0.05, SHARE, "−5.0"),
        (0.0, SHARE, "0.0"),
        (-1e-15, SHARE, "0.0"),
        (0.0928, "s per question", "92.8"),
        (0.000394, "kWh", "0.394"),
        (1.3e-6, "kWh per question", "1.30"),
        (183.4, "s", "183"),
        (12345.6, "s", "12,346"),
        (3.81594, "nats per token", "3.816"),
        (None, SHARE, "–"),
        (float("nan"), SHARE, "–"),
        (float("inf"), "s", "–"),
    ],
)
def test_a_figure_is_shown_in_its_unit(value: float | None, unit: str, expected: str) -> None:
    assert shown(value, unit) == expected


def test_differences_of_shares_are_points_with_a_sign() -> None:
    assert shown_difference(0.25, SHARE) == "+25.0"
    assert shown_difference(-0.25, SHARE) == "−25.0"
    assert shown_difference(0.0, SHARE) == "0.0"
    assert difference_unit(SHARE) == "points"
    assert difference_unit("nats per token") == "nats per token"


def test_an_interval_end_that_is_not_zero_is_not_rounded_to_zero() -> None:
    assert shown_interval(0.0002, 0.3, SHARE, sign=True) == "+0.02 to +30.0"
    assert shown_interval(-0.0002, 0.3, SHARE, sign=True) == "−0.02 to +30.0"
    assert shown_interval(None, 0.3, SHARE) == ""


def test_three_digits_count() -> None:
    assert [digits(x) for x in (0, 0.01234, 4.5678, 99.95, 123.4, 5e-6)] == [
        "0",
        "0.0123",
        "4.57",
        "100.0",
        "123",
        "5.00e-06",
    ]


def test_an_unknown_measure_keeps_its_name() -> None:
    assert label("acc,none") == "acc,none"
