"""What a run cost, from its row: sums over phases, per question, and what is not known."""

from __future__ import annotations

import math

from harness.measures.costs import TIMED, costs
from harness.measures.definitions import COSTS

LORA = {
    "adapter": "lora",
    "n_test": 4,
    "prepare_seconds": 1.0,
    "train_seconds": 20.0,
    "prefill_seconds": 2.0,
    "decode_seconds": 6.0,
    "train_energy_kwh": 0.5,
    "prefill_tokens": 100,
    "peak_memory_gib": 3.0,
}


def test_every_cost_is_told_and_every_timed_one_is_a_cost():
    assert set(costs({})) == set(COSTS)
    assert set(TIMED) <= set(COSTS)
    assert all(value is None for value in costs({}).values())


def test_phases_are_summed_and_answers_divided_by_the_questions():
    found = costs(LORA)
    assert found["setup_seconds"] == 21.0
    assert found["answer_seconds"] == 2.0
    assert found["prompt_tokens"] == 25.0
    assert found["peak_memory_gib"] == 3.0


def test_an_arm_with_both_slots_empty_has_nothing_to_set_up():
    bare = {name: value for name, value in LORA.items() if name in ("n_test", "prefill_seconds")}
    assert costs(bare)["setup_seconds"] == 0.0
    assert costs(bare | {"source": "lm-eval"})["setup_seconds"] is None
    assert costs(bare | {"retriever": "dense"})["setup_seconds"] is None


def test_no_number_is_no_cost():
    for nothing in (None, math.nan, "3.0"):
        assert costs(LORA | {"peak_memory_gib": nothing})["peak_memory_gib"] is None
    assert costs(LORA | {"n_test": 0})["answer_seconds"] is None
