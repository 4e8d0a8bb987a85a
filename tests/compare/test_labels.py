from __future__ import annotations

from typing import Any

from harness.compare.labels import labels


def arm(name: str = "lora", **values: Any) -> dict[str, Any]:
    base = {"arm": name, "experiment": "mine", "task": "facts", "model": "tiny"}
    return base | {"table": "results/mine/runs.csv", "rank": 16, "alpha": 32.0} | values


def test_a_name_that_stands_once_is_the_label():
    assert labels([arm("rag"), arm("lora", model="other")]) == ["rag", "lora"]


def test_namesakes_are_told_apart_by_the_first_thing_that_is_enough():
    other = {"table": "results/later/runs.csv", "rank": 8}
    assert labels([arm(), arm(experiment="later", **other)]) == ["mine/lora", "later/lora"]
    assert labels([arm(), arm(**other)]) == ["mine/lora", "later/lora"]  # by folder
    assert labels([arm(), arm(task="capitals")]) == ["facts/lora", "capitals/lora"]
    assert labels([arm(), arm(model="large")]) == ["tiny/lora", "large/lora"]


def test_folders_of_one_name_are_told_apart_by_more_of_their_path():
    tables = ["before/quickstart/runs.csv", "after/quickstart/runs.csv"]
    found = labels([arm(table=table) for table in tables])
    assert found == ["before/quickstart/lora", "after/quickstart/lora"]


def test_tables_with_names_of_their_own_give_those():
    assert labels([arm(table="a/old.csv"), arm(table="a/new.csv")]) == ["old/lora", "new/lora"]


def test_settings_stand_behind_only_as_far_as_needed():
    found = labels([arm(), arm(rank=8, alpha=16.0), arm(rank=None)])
    assert found == ["lora[rank=16]", "lora[rank=8]", "lora[rank=none]"]


def test_several_differences_join_where_none_is_enough():
    found = labels([arm(), arm(rank=8), arm(model="large"), arm(model="large", rank=8)])
    assert found == [
        "tiny/lora[rank=16]",
        "tiny/lora[rank=8]",
        "large/lora[rank=16]",
        "large/lora[rank=8]",
    ]


def test_labels_that_would_be_the_same_are_numbered():
    assert labels([arm(), arm()]) == ["lora #1", "lora #2"]
