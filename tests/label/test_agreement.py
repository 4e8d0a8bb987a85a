"""Kappa, agreement and AUC against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.label.agreement import AUC_METHOD, KAPPA_METHOD, agreement, auc, kappa_of

YES, NO = True, False


def own(n: int) -> list[str]:
    return [f"q{number}" for number in range(n)]


def test_kappa_of_cohens_textbook_table():
    # 20 yes yes, 5 yes no, 10 no yes, 15 no no: agree 0.7, chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    first = [YES] * 25 + [NO] * 25
    second = [YES] * 20 + [NO] * 5 + [YES] * 10 + [NO] * 15
    found = agreement(first, second, own(50))
    assert found is not None and found.kappa is not None
    assert (found.both_yes, found.first_only, found.second_only, found.both_no) == (20, 5, 10, 15)
    assert found.agree.mean == pytest.approx(0.7)
    assert found.kappa.mean == pytest.approx(0.4)
    assert found.kappa.method == KAPPA_METHOD


def test_kappa_interval_of_four_items_computed_by_hand():
    # One item a cell, and half an item added: all cells 1.5, kappa 0. Without an item that agrees
    # the cells are 0.5, 1.5, 1.5, 1.5: agree 2/5, chance (3 * 3 + 2 * 2) / 25 = 13/25, so
    # kappa -1/4. Without one that disagrees: agree 3/5, chance 12/25, so kappa 3/13.
    found = agreement([YES, YES, NO, NO], [YES, NO, YES, NO], own(4))
    assert found is not None and found.kappa is not None
    left = [-1 / 4, 3 / 13, 3 / 13, -1 / 4]
    mean = sum(left) / 4
    error = math.sqrt(3 / 4 * sum((one - mean) ** 2 for one in left))
    half = 3.182446305284263 * error  # t with 3 degrees of freedom, 0.975
    assert found.kappa.mean == 0
    assert found.kappa.low == pytest.approx(max(-1, -half))
    assert found.kappa.high == pytest.approx(min(1, half))


def test_no_disagreement_is_not_certain():
    found = agreement([YES] * 10 + [NO] * 10, [YES] * 10 + [NO] * 10, own(20))
    assert found is not None and found.kappa is not None
    assert found.kappa.mean == 1 and found.kappa.high == 1
    # Wilson's lower end at 20 of 20 is 20 / (20 + 1.96^2) = 0.8389; by chance half agree.
    assert found.kappa.low == pytest.approx((20 / (20 + 1.959963984540054**2) - 0.5) / 0.5)


def test_kappa_is_unknown_where_both_always_say_the_same():
    found = agreement([YES] * 5, [YES] * 5, own(5))
    assert found is not None
    assert found.kappa is None and found.agree.mean == 1
    assert kappa_of(np.zeros(4)) is None


def test_kappa_is_zero_where_one_judge_never_varies():
    found = agreement([YES, YES, NO, NO], [YES] * 4, own(4))
    assert found is not None and found.kappa is not None
    assert found.kappa.mean == 0


def test_repeating_questions_widens_no_less_than_independent_ones():
    first, second = [YES, YES, NO, NO, YES, NO], [YES, NO, NO, YES, YES, NO]
    single = agreement(first, second, own(6))
    thrice = agreement(first * 3, second * 3, own(6) * 3)
    as_if = agreement(first * 3, second * 3, own(18))
    assert single and thrice and as_if and thrice.kappa and as_if.kappa
    assert thrice.kappa.clusters == 6 and thrice.kappa.n == 18
    assert thrice.kappa.low is not None and as_if.kappa.low is not None
    assert thrice.kappa.low < as_if.kappa.low


def test_one_cluster_has_no_interval():
    found = agreement([YES, NO], [YES, YES], ["a", "a"])
    assert found is not None and found.kappa is not None
    assert found.kappa.low is None and found.kappa.method.startswith("none")


def test_no_items_have_no_agreement_and_lengths_must_match():
    assert agreement([], [], []) is None
    with pytest.raises(ValueError, match="1, 2 verdicts"):
        agreement([YES], [YES, NO], ["a"])


def test_auc_counts_ties_half():
    # Pairs of 0.9 and 0.5 with 0.5 and 0.1: 1, 1, half, 1.
    found = auc([YES, YES, NO, NO], [0.9, 0.5, 0.5, 0.1], own(4))
    assert found is not None
    assert found.mean == pytest.approx(3.5 / 4)
    # Left out in turn: 3/4, 1, 1, 3/4. Error: sqrt(3/4 * 4 * (1/8)^2) = 0.2165.
    assert found.low == pytest.approx(0.875 - 3.182446305284263 * math.sqrt(3) / 8)
    assert found.high == 1 and found.method == AUC_METHOD


def test_auc_needs_both_kinds_and_a_perfect_one_has_no_interval():
    assert auc([YES, YES], [0.1, 0.2], own(2)) is None
    found = auc([YES, YES, NO, NO], [0.9, 0.8, 0.2, 0.1], own(4))
    assert found is not None and found.mean == 1
    assert found.low is None and found.method == "none: no cluster changes it"
