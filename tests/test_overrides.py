"""What the command line asks for is checked before anything runs; each mistake is one line."""

from pathlib import Path

import pytest

from harness.config import CONF
from harness.errors import ConfigError
from harness.overrides import MOST_JOBS_CHECKED, Composer, check


def message_for(*overrides: str, multirun: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        check(overrides, multirun)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_misspelt_setting_gets_the_right_one():
    assert message_for("method=rag", "retriever.topk=5") == (
        "unknown setting 'retriever.topk'; did you mean 'retriever.top_k'?"
    )


def test_a_setting_without_its_section_gets_the_whole_name():
    assert "did you mean 'retriever.top_k'?" in message_for("method=rag", "top_k=5")
    assert "did you mean 'method'?" in message_for("metod=rag")


def test_a_setting_like_no_other_gets_the_way_to_list_them():
    assert "harness run --cfg job" in message_for("zzzzz=1")


def test_an_added_setting_is_refused_too():
    assert "unknown setting 'foo'" in message_for("+foo=1")


@pytest.mark.parametrize(
    ("group", "wrong", "right"),
    [
        ("method", "ragg", "rag"),
        ("experiment", "quikstart", "quickstart"),
        ("task", "world_fact", "world_facts"),
        ("retriever", "densse", "dense"),
    ],
)
def test_an_unknown_choice_gets_the_nearest_and_all(group: str, wrong: str, right: str):
    message = message_for(f"{group}={wrong}")
    assert message.startswith(f"unknown {group} '{wrong}'; did you mean '{right}'? One of: ")
    assert right in message.split("One of: ")[1].split(", ")
    assert "base_" not in message


def test_an_unknown_choice_within_a_sweep_is_found():
    assert "unknown method 'ragg'" in message_for("method=rag,ragg", multirun=True)


def test_a_null_choice_is_refused():
    assert "unknown retriever 'null'" in message_for("method=rag", "retriever=null")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed=abc", "cannot set 'seed=abc': the value is not a whole number"),
        ("seed=1.5", "cannot set 'seed=1.5': the value is not a whole number"),
        ("task.phrasings=x", "cannot set 'task.phrasings=x': the value is not a whole number"),
        ("cost.pue=x", "cannot set 'cost.pue=x': the value is not a number"),
        ("cost.gpu=maybe", "cannot set 'cost.gpu=maybe': the value is not true, false or null"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(override: str, expected: str):
    assert message_for(override) == expected


def test_a_wrong_value_within_a_sweep_is_named():
    assert "'seed=abc'" in message_for("seed=0,abc", multirun=True)


@pytest.mark.parametrize("text", ["a b", "x=[1,", "retriever", "=3"])
def test_what_is_no_override_is_refused(text: str):
    assert message_for(text).startswith(f"cannot read '{text}'")


def test_several_values_need_a_multirun():
    assert "add -m" in message_for("seed=0,1,2")
    assert [config.seed for config in check(["seed=0,1,2"], multirun=True).configs] == [0, 1, 2]


def test_a_multirun_experiment_takes_more_values_without_a_flag():
    configs = check(["experiment=quickstart", "seed=0,1"], multirun=False).configs
    assert len(configs) == 8
    assert {config.seed for config in configs} == {0, 1}


def test_the_command_lines_methods_replace_the_experiments():
    configs = check(["experiment=quickstart", "method=rag"], multirun=False).configs
    assert [config.arm for config in configs] == ["rag"]
    configs = check(["experiment=quickstart", "method=lora,rag_bm25"], multirun=False).configs
    assert [config.arm for config in configs] == ["lora", "rag_bm25"]


def test_a_setting_goes_to_the_arms_that_have_its_slot():
    configs = check(["experiment=quickstart", "retriever.top_k=5", "adapter.rank=4"], False).configs
    assert [c.retriever and c.retriever.top_k for c in configs] == [None, 5, None, 5]
    assert [c.adapter and c.adapter.rank for c in configs] == [None, None, 4, 4]


def test_a_setting_that_no_arm_has_a_slot_for_is_refused():
    assert message_for("method=rag", "adapter.rank=8").startswith(
        "'adapter.rank=8' would do nothing"
    )


def test_an_arm_cannot_be_recorded_under_another_arms_name():
    assert "name the arm with arm=" in message_for("method=closed_book", "retriever=bm25")
    assert "name the arm with arm=" in message_for("method=rag", "retriever=none")
    (config,) = check(["retriever=bm25", "arm=mine"], multirun=False).configs
    assert config.arm == "mine"


def test_settings_that_do_not_fit_one_another_are_refused_before_anything_runs():
    assert "retriever.top_k is 0" in message_for(
        "method=closed_book,rag", "retriever.top_k=0", multirun=True
    )
    assert "has no retriever" in message_for("method=lora", "adapter.train_passages=gold")


def test_a_large_sweep_is_checked_at_a_sample():
    plan = check([f"seed=range({MOST_JOBS_CHECKED * 3})"], multirun=True)
    assert plan.jobs == MOST_JOBS_CHECKED * 3
    assert [config.seed for config in plan.configs] == list(range(0, plan.jobs, 3))


def test_a_folder_of_the_users_adds_choices_and_a_missing_one_is_named(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /method: rag\n  - _self_\nexperiment: mine\n"
    )
    (config,) = check(["experiment=mine"], multirun=False, extra_folder=tmp_path).configs
    assert (config.experiment, config.arm) == ("mine", "rag")
    with pytest.raises(ConfigError, match="is not a folder"):
        check([], multirun=False, extra_folder=tmp_path / "absent")


def test_a_file_that_the_harness_own_would_hide_is_refused(tmp_path: Path):
    method = tmp_path / "method"
    method.mkdir()
    (method / "rag.yaml").write_text("# @package _global_\narm: mine\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Composer(tmp_path)
    told = str(caught.value)
    assert "method/rag.yaml would not be read" in told and "give yours another name" in told
    assert "\n" not in told
    # A copy says what the harness says, and a name of its own is read.
    (method / "rag.yaml").write_bytes((CONF / "method" / "rag.yaml").read_bytes())
    (method / "mine.yaml").write_text("# @package _global_\narm: mine\n", encoding="utf-8")
    assert "mine" in Composer(tmp_path).choices("method")
