from __future__ import annotations

import pytest

from harness.compare.family import Entry
from harness.compare.result import Contrast
from harness.compare.run_costs import cost_entries, readings
from harness.measures.definitions import COSTS
from tests.compare.folders import arms, row

LORA = {"arm": "lora", "adapter": "lora", "n_test": 10}


def seeds(seconds, reused=((), (), ()), **values):
    return [
        row(**LORA | {"seed": seed} | values, decode_seconds=one, reused=list(kinds))
        for seed, (one, kinds) in enumerate(zip(seconds, reused, strict=True))
    ]


def entry(name: str, *rows) -> Entry:
    ours, theirs = arms(*rows).values()
    contrast = Contrast(ours.label, theirs.label)
    (found,) = cost_entries(contrast, (ours, theirs), (readings(ours), readings(theirs)), [name])
    return found


def test_every_run_that_made_its_answers_is_a_reading():
    (arm,) = arms(*seeds((10.0, 20.0, 30.0))).values()
    found = readings(arm)["answer_seconds"]
    assert found.own == (1.0, 2.0, 3.0)  # a question of ten
    assert found.mean == pytest.approx(2.0)


def test_a_run_that_reused_its_answers_is_no_reading_of_its_own():
    kinds = ((), ("answers", "probes"), ("answers",))
    (arm,) = arms(*seeds((10.0, 10.0, 10.0), kinds)).values()
    found = readings(arm)["answer_seconds"]
    assert found.values == (1.0, 1.0, 1.0)
    assert found.own == (1.0,)


def test_a_reused_adapter_is_no_reading_of_the_setup_but_one_of_the_answers():
    kinds = (("adapter",),) * 3
    (arm,) = arms(*seeds((10.0, 20.0, 30.0), kinds, train_seconds=5.0)).values()
    found = readings(arm)
    assert found["setup_seconds"].own == (5.0,)
    assert len(found["answer_seconds"].own) == 3


def test_probes_are_in_no_cost_so_reusing_them_costs_no_reading():
    (arm,) = arms(*seeds((1.0, 2.0, 3.0), (("probes",),) * 3, total_energy_kwh=1.0)).values()
    assert len(readings(arm)["total_energy_kwh"].own) == 3


def test_three_readings_each_are_tested():
    found = entry(
        "answer_seconds",
        *seeds((10.0, 11.0, 12.0)),
        *seeds((50.0, 51.0, 52.0), arm="slow"),
    )
    assert found.estimate is not None
    assert found.estimate.difference == pytest.approx(4.0)
    assert found.higher_is_better is False


def test_too_few_readings_show_their_values_and_why():
    kinds = ((), ("answers",), ("answers",))
    found = entry(
        "answer_seconds",
        *seeds((10.0, 10.0, 10.0), kinds),
        *seeds((50.0, 51.0, 52.0), arm="slow"),
    )
    assert found.estimate is None
    assert found.reason == "1 reading of an arm, 3 needed"
    assert (found.baseline_value, found.arm_value) == (pytest.approx(1.0), pytest.approx(5.1))
    assert found.notes[-1] == "lora: 1 reading in 3 runs, which reused answers"


def test_another_device_is_the_reason_and_values_are_shown():
    found = entry(
        "answer_seconds",
        *seeds((10.0, 11.0, 12.0), device="CPU"),
        *seeds((1.0, 1.1, 1.2), arm="fast", device="GPU"),
    )
    assert found.reason == "another device: CPU against GPU"
    assert found.arm_value == pytest.approx(0.11)


def test_a_cost_that_one_arm_does_not_know_is_said():
    found = entry("total_energy_kwh", row(**LORA, total_energy_kwh=2.0), row(arm="silent"))
    assert found.reason == "silent has no total_energy_kwh"
    assert (found.baseline_value, found.arm_value) == (None, 2.0)  # no adapter comes first


def test_a_cost_that_neither_knows_is_left_out():
    one, other = arms(row(**LORA), row(arm="silent")).values()
    contrast = Contrast(one.label, other.label)
    assert cost_entries(contrast, (one, other), (readings(one), readings(other)), [*COSTS]) == []
