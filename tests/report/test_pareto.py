"""Fronts of a few points, found by hand."""

from __future__ import annotations

import math

import pytest

from harness.report.pareto import front

LOWER_HIGHER = (False, True)
"""Cost and accuracy."""


def test_a_dominated_point_is_not_on_the_front():
    # The third costs more than the second and is right less often.
    assert front([(1, 0.2), (2, 0.8), (3, 0.7), (4, 0.9)], LOWER_HIGHER) == [0, 1, 3]


def test_directions_turn_the_front_round():
    points = [(1, 0.2), (2, 0.8), (3, 0.7), (4, 0.9)]
    assert front(points, (True, True)) == [3]
    assert front(points, (False, False)) == [0]
    # Dearer is better, wrong is better: 4 has the highest first value, 3 and 1 trade it for less.
    assert front(points, (True, False)) == [0, 2, 3]


def test_equal_points_are_on_the_front_together():
    assert front([(1, 0.5), (1, 0.5), (2, 0.5)], LOWER_HIGHER) == [0, 1]


def test_a_tie_on_one_axis_is_decided_by_the_other():
    assert front([(1, 0.5), (1, 0.6)], LOWER_HIGHER) == [1]
    assert front([(1, 0.5), (2, 0.5)], LOWER_HIGHER) == [0]


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf])
def test_a_point_with_a_missing_value_neither_leads_nor_dominates(missing: float | None):
    assert front([(missing, 1.0), (2, 0.5), (3, missing)], LOWER_HIGHER) == [1]


def test_negative_values_are_better_costs():
    # Forgetting below zero: the model got better at what it was not trained on.
    assert front([(-0.1, 0.5), (0.0, 0.5), (0.2, 0.9)], LOWER_HIGHER) == [0, 2]


def test_no_points_have_no_front_and_one_point_is_its_own():
    assert front([], LOWER_HIGHER) == []
    assert front([(5, 0.0)], LOWER_HIGHER) == [0]


def test_three_axes_are_compared_together():
    points = [(1, 0.5, 10), (1, 0.5, 20), (2, 0.9, 30)]
    assert front(points, (False, True, False)) == [0, 2]


def test_a_point_with_too_few_values_is_refused():
    with pytest.raises(ValueError, match=r"each point needs 2 values"):
        front([(1, 2, 3)], LOWER_HIGHER)
