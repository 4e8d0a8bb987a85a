from __future__ import annotations

from typing import Any

import pytest

from harness.compare.arms import Arm
from harness.compare.comparable import (
    cost_notes,
    marks,
    other_version,
    refusal,
    untested_cost,
    version_note,
)
from tests.compare.folders import OTHER_SPLIT, arms, row

WATTS = {"cpu": {"value": 8.0, "unit": "W"}, "memory": {"value": 20.0, "unit": "W"}}


def pair_of(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[Arm, Arm]:
    found = arms(row(arm="a", **ours), row(arm="b", **theirs))
    return found["a"], found["b"]


def test_equal_rows_are_compared_without_a_word():
    both = pair_of({}, {})
    assert refusal(*both) == ""
    assert marks(*both) == []


def test_a_limit_that_cut_one_arm_alone_is_marked():
    both = pair_of({"wrong_at_limit": 0.01}, {"wrong_at_limit": 0.21})
    mark = "21% of the answers of b were cut at max_new_tokens and count as wrong, of a 1%"
    assert marks(*both) == [mark]
    assert marks(*pair_of({"wrong_at_limit": 0.2}, {"wrong_at_limit": 0.21})) == []
    assert marks(*pair_of({}, {"wrong_at_limit": 0.21})) == []


@pytest.mark.parametrize(
    ("row", "marked"),
    [
        ({"train_dtype": "bfloat16"}, True),  # from before update_dtype was recorded
        ({"train_dtype": "bfloat16", "update_dtype": "bfloat16"}, True),
        ({"train_dtype": "bfloat16", "update_dtype": "float32"}, False),
        ({"train_dtype": "float32"}, False),
        ({"train_dtype": "bfloat16", "train_quantization": "nf4"}, False),
    ],
)
def test_an_arm_whose_small_updates_were_rounded_away_is_marked(row, marked):
    found = [mark for mark in marks(*pair_of(row, row)) if "updates in 16 bits" in mark]
    assert [mark.split()[0] for mark in found] == (["a", "b"] if marked else [])


def test_another_task_is_refused():
    assert refusal(*pair_of({}, {"task": "capitals"})) == "other task: facts against capitals"


def test_another_split_is_refused():
    found = refusal(*pair_of({}, {"split_sha256": OTHER_SPLIT}))
    assert found == "other test questions: split 1a2b1a2b… against 3c4d3c4d…"


def test_an_unknown_split_is_not_refused_but_marked():
    both = pair_of({}, {"split_sha256": None})
    assert refusal(*both) == ""
    assert marks(*both) == ["test split of b not known: questions are matched by id"]


@pytest.mark.parametrize(
    ("theirs", "mark"),
    [
        ({"model": "large"}, "other model: tiny against large"),
        ({"corpus_sha256": "d0" * 32}, "another corpus: c0c0c0c0… against d0d0d0d0…"),
        ({"max_new_tokens": 5}, "other settings: max_new_tokens 20 against 5"),
        ({"device": "GPU"}, "another device: costs that depend on it are not tested"),
        ({"parity": "other facts"}, "other parity: same facts against other facts"),
    ],
)
def test_what_differs_is_marked(theirs, mark):
    ours = {"max_new_tokens": 20, "device": "CPU", "parity": "same facts"}
    assert marks(*pair_of(ours, ours | theirs)) == [mark]


def test_a_setting_that_one_arm_has_no_use_for_is_no_difference():
    assert marks(*pair_of({}, {"adapter": "lora", "rank": 8})) == []


def test_other_seeds_of_trained_arms_are_marked():
    lora = {"adapter": "lora"}
    found = arms(row(arm="a", **lora), row(arm="a", seed=1, **lora), row(arm="b", **lora))
    assert marks(found["a"], found["b"]) == ["other seeds: 0, 1 against 0"]


def test_another_version_of_a_measure_is_named_and_only_for_that_measure():
    both = pair_of(
        {"metric_versions": {"f1": 1, "contains": 1}}, {"metric_versions": {"f1": 2, "contains": 1}}
    )
    assert other_version(*both, "f1") == "another version of f1: 1 against 2"
    assert other_version(*both, "contains") == ""


def test_an_unknown_version_is_noted_not_refused():
    both = pair_of({"metric_versions": {"f1": 1}}, {})
    assert other_version(*both, "f1") == ""
    assert version_note(*both, "f1") == "version of f1 not known for b"
    assert version_note(*pair_of({}, {}), "f1") == ""


def test_an_arm_scored_by_two_versions_is_not_compared():
    found = arms(
        row(arm="a", metric_versions={"f1": 1}),
        row(arm="a", seed=1, metric_versions={"f1": 2}),
        row(arm="b"),
    )
    assert other_version(found["a"], found["b"], "f1") == "runs of a hold versions 1, 2 of f1"


def test_timings_of_another_device_are_not_tested_and_tokens_are():
    both = pair_of({"device": "CPU"}, {"device": "GPU"})
    assert untested_cost(*both, "answer_seconds") == "another device: CPU against GPU"
    assert untested_cost(*both, "peak_memory_gib") == "another device: CPU against GPU"
    assert untested_cost(*both, "prompt_tokens") == ""


def test_energy_from_another_source_or_other_watts_is_not_tested_and_time_is():
    both = pair_of({"energy_source": "counter"}, {"energy_source": "estimate"})
    assert (
        untested_cost(*both, "total_energy_kwh")
        == "another energy source: counter against estimate"
    )
    assert untested_cost(*both, "setup_seconds") == ""
    watts = pair_of(
        {"cost_assumptions": WATTS},
        {"cost_assumptions": WATTS | {"cpu": {"value": 65.0, "unit": "W"}}},
    )
    assert (
        untested_cost(*watts, "answer_energy_kwh")
        == "another assumption, cpu: 8.0 W against 65.0 W"
    )


def test_another_carbon_intensity_concerns_emissions_alone():
    both = pair_of({"carbon_intensity_kg_per_kwh": 0.475}, {"carbon_intensity_kg_per_kwh": 0.05})
    assert untested_cost(*both, "emissions_kg") == (
        "another assumption, kg CO2e per kWh: 0.475 against 0.05"
    )
    assert untested_cost(*both, "total_energy_kwh") == ""


def test_a_shared_device_and_unknown_sources_are_noted():
    both = pair_of({"device": "CPU", "device_exclusive": False}, {"device": "CPU"})
    assert cost_notes(*both, "answer_seconds") == ["other processes used the device while a ran"]
    assert "energy source of b not known" in cost_notes(*both, "total_energy_kwh")
    assert cost_notes(*both, "prompt_tokens") == []


def test_an_imported_arm_that_does_not_say_what_was_trained_is_marked():
    imported = "b was imported from peft: a.json"
    assert marks(*pair_of({}, {"source": "peft: a.json"})) == [
        imported,
        "whether b was trained is not known: not taken as frozen",
    ]
    assert marks(*pair_of({}, {"source": "peft: a.json", "adapter": "lora"}))[-1] == imported
