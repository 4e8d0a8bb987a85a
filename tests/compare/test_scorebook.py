from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.compare.arms import Arm, line_up
from harness.compare.scorebook import Scorebook
from harness.results import read_results
from tests.compare.folders import write_lines, write_run

LORA = {"arm": "lora", "adapter": "lora"}


def only_arm(folder: Path) -> Arm:
    (arm,) = line_up(read_results([folder]).frame)[0]
    return arm


def test_runs_are_stacked_by_question_whatever_their_order(tmp_path):
    write_run(tmp_path, {"a": 1, "b": 0}, **LORA)
    write_run(tmp_path, {"b": 1, "a": 0}, **LORA, seed=1)
    scored = Scorebook().answers(only_arm(tmp_path))
    assert scored is not None
    assert (scored.ids, scored.seeds) == (["a", "b"], (0, 1))
    assert scored.measures["exact_match"].tolist() == [[1, 0], [0, 1]]


def test_a_question_that_a_run_lacks_is_left_out_and_counted(tmp_path):
    write_run(tmp_path, {"a": 1, "b": 0, "c": 1}, **LORA)
    write_run(tmp_path, {"a": 1, "c": 0}, **LORA, seed=1)
    scored = Scorebook().answers(only_arm(tmp_path))
    assert scored is not None
    assert scored.ids == ["a", "c"]
    assert scored.marks == ("1 question not answered by every run of lora left out",)


def test_a_measure_that_one_run_lacks_has_no_score_there(tmp_path):
    write_run(tmp_path, {"a": {"f1": 0.5, "contains": 1.0}}, **LORA)
    write_run(tmp_path, {"a": {"contains": 1.0}}, **LORA, seed=1)
    scored = Scorebook().answers(only_arm(tmp_path))
    assert scored is not None
    assert np.isnan(scored.measures["f1"]).tolist() == [[False, True]]


def test_seeds_of_a_frozen_arm_that_answered_alike_are_one_replicate(tmp_path):
    for seed in range(3):
        write_run(tmp_path, {"a": 1, "b": 0}, seed=seed)
    scored = Scorebook().answers(only_arm(tmp_path))
    assert scored is not None
    assert scored.measures["exact_match"].shape == (2, 1)
    assert scored.marks == ()


def test_seeds_of_a_frozen_arm_that_answered_differently_count_and_are_marked(tmp_path):
    write_run(tmp_path, {"a": 1, "b": 0})
    write_run(tmp_path, {"a": 0, "b": 0}, seed=1)
    scored = Scorebook().answers(only_arm(tmp_path))
    assert scored is not None
    assert scored.measures["exact_match"].shape == (2, 2)
    assert "frozen, yet its runs answered differently" in scored.marks[0]


def test_trained_seeds_that_answered_alike_all_count(tmp_path):
    for seed in range(3):
        write_run(tmp_path, {"a": 1, "b": 0}, **LORA, seed=seed)
    scored = Scorebook().answers(only_arm(tmp_path))
    assert scored is not None
    assert scored.measures["exact_match"].shape == (2, 3)


def test_missing_predictions_of_one_run_are_said_and_the_others_count(tmp_path):
    write_run(tmp_path, {"a": 1}, **LORA)
    write_run(tmp_path, None, **LORA, seed=1)
    book = Scorebook()
    scored = book.answers(only_arm(tmp_path))
    assert scored is not None
    assert scored.seeds == (0,)
    assert book.problems == ["lora: no predictions of 1 of its 2 runs (lora-s1); the others count"]


def test_an_arm_without_predictions_has_no_scores_and_it_is_said_once(tmp_path):
    write_run(tmp_path, None, **LORA)
    book, arm = Scorebook(), only_arm(tmp_path)
    assert book.answers(arm) is None
    assert book.answers(arm) is None
    assert len(book.problems) == 1


def test_broken_lines_are_left_out_and_named(tmp_path):
    run_id = write_run(tmp_path, {"a": 1, "b": 0}, **LORA)
    good = (tmp_path / "predictions" / f"{run_id}.jsonl").read_text().splitlines()
    write_lines(tmp_path, run_id, [good[0], "{broken", good[1]])
    book = Scorebook()
    scored = book.answers(only_arm(tmp_path))
    assert scored is not None
    assert scored.ids == ["a", "b"]
    assert "line 2" in book.problems[0]


def test_a_file_of_nothing_but_damage_is_no_predictions(tmp_path):
    run_id = write_run(tmp_path, {"a": 1}, **LORA)
    write_lines(tmp_path, run_id, ["{broken"])
    book = Scorebook()
    assert book.answers(only_arm(tmp_path)) is None
    assert "line 1" in book.problems[0]


def test_harm_is_stacked_by_item_and_absent_files_are_no_problem(tmp_path):
    write_run(tmp_path, {"a": 1}, **LORA, harm={"x": 1.0, "y": 0.0})
    write_run(tmp_path, {"a": 1}, **LORA, seed=1, harm={"y": -1.0, "x": 0.0})
    book = Scorebook()
    harm = book.harm(only_arm(tmp_path))["forgetting_facts_options"]
    assert (harm.ids, harm.measures["forgetting_facts_options"].tolist()) == (
        ["x", "y"],
        [[1, 0], [0, -1]],
    )
    other = tmp_path / "other"
    write_run(other, {"a": 1}, **LORA)
    assert Scorebook().harm(only_arm(other)) == {}
    assert book.problems == []
