from __future__ import annotations

import pytest

from harness.compare.estimate import Reported
from harness.compare.measured import Report, checked, default_primary, measures_of
from harness.errors import ConfigError
from tests.compare.folders import arms, row

ACC = {"value": 0.6, "low": 0.5, "high": 0.7, "higher_is_better": True, "unit": "share", "n": 90}


def report(*rows) -> Report:
    (arm,) = arms(*rows).values()
    return Report(arm)


def test_imported_measures_keep_their_own_unit_and_direction():
    known = measures_of(list(arms(row(other_measures={"acc": ACC})).values()))
    assert (known["acc"].unit, known["acc"].higher_is_better) == ("share", True)


def test_an_imported_measure_without_a_direction_has_none():
    known = measures_of(list(arms(row(other_measures={"odd": {"value": 1}})).values()))
    assert known["odd"].higher_is_better is None


def test_an_imported_measure_cannot_turn_one_of_ours_round():
    told = {"f1": {"value": 0.1, "higher_is_better": False}}
    assert measures_of(list(arms(row(other_measures=told)).values()))["f1"].higher_is_better is True


@pytest.mark.parametrize(
    ("has", "primary"),
    [
        ([{"exact_match", "contains"}, {"contains"}], ("contains",)),
        ([{"exact_match", "multiple_choice"}, {"multiple_choice"}], ("multiple_choice",)),
        ([{"f1"}, {"f1"}], ("f1",)),
        ([{"f1", "contains"}, {"f1"}], ("f1",)),  # what all have goes first
        ([{"contains"}, {"acc"}], ("contains",)),
        ([{"acc"}, {"acc"}], ("acc",)),
        ([set(), set()], ()),
    ],
)
def test_the_default_primary_measure_is_the_first_choice_that_all_have(has, primary):
    known = [*measures_of([]), "acc"]
    assert default_primary(known, has) == primary


def test_an_unknown_measure_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"--measures: no measure 'contians'; did you mean 'con"):
        checked(["contians"], measures_of([]), "--measures")


def test_a_cost_cannot_be_primary():
    with pytest.raises(ConfigError, match="'emissions_kg' is a cost"):
        checked(["emissions_kg"], measures_of([]), "--primary", costs=False)
    checked(["emissions_kg"], measures_of([]), "--measures")


def test_a_reported_figure_has_its_interval_and_number_of_questions():
    found = report(row(f1=0.5, f1_low=0.4, f1_high=0.7, n_test=80))
    assert found.interval("f1") == Reported(0.5, 0.4, 0.7, 80)


def test_intervals_of_several_seeds_are_averaged_not_narrowed():
    lora = {"arm": "lora", "adapter": "lora", "n_test": 80}
    found = report(
        row(**lora, f1=0.5, f1_low=0.4, f1_high=0.6),
        row(**lora, seed=1, f1=0.6, f1_low=0.5, f1_high=0.7),
    ).interval("f1")
    assert isinstance(found, Reported)
    assert (found.mean, found.low, found.high) == pytest.approx((0.55, 0.45, 0.65))


def test_the_items_of_a_probe_and_of_retrieval_are_their_own_number():
    values = {"n_test": 80, "forgetting_facts_options_n": 200, "retrieval_n": 70}
    for name in ("forgetting_facts_options", "mrr"):
        values |= {name: 0.1, f"{name}_low": 0.0, f"{name}_high": 0.2}
    found = report(row(**values))
    assert [found.interval(n).n for n in ("forgetting_facts_options", "mrr")] == [200, 70]


def test_an_imported_figure_is_read_from_other_measures():
    assert report(row(other_measures={"acc": ACC})).interval("acc") == Reported(0.6, 0.5, 0.7, 90)


@pytest.mark.parametrize("told", ["0.6", {"value": "0.6"}, {"value": True}, {}, 3])
def test_an_imported_measure_that_holds_no_number_is_none(told):
    assert report(row(other_measures={"acc": told})).mean("acc") is None


def test_a_figure_without_an_interval_says_so():
    found = report(row(f1=0.5))
    assert found.interval("f1") == "closed_book has neither predictions nor an interval for f1"
    assert found.interval("mrr") == "closed_book has no mrr"
    assert found.mean("f1") == 0.5
