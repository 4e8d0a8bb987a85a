from __future__ import annotations

import pytest

from harness.compare.contrasts import choose, restricted
from harness.errors import ConfigError
from tests.compare.folders import arms, row

LATER = "results/later/runs.csv"
SLOTS = {
    "closed_book": {},
    "rag": {"retriever": "bm25"},
    "lora": {"adapter": "lora"},
    "rag_lora": {"retriever": "bm25", "adapter": "lora"},
}


def four(**values):
    return [row(arm=name, **slots, **values) for name, slots in SLOTS.items()]


def names(pairs):
    return [(baseline.label, arm.label) for baseline, arm in pairs]


def test_few_arms_are_compared_in_all_pairs_the_fuller_against_the_barer():
    found, problems = choose(list(arms(*reversed(four())).values()), None)
    assert names(found) == [
        ("closed_book", "rag"),
        ("closed_book", "lora"),
        ("closed_book", "rag_lora"),
        ("rag", "lora"),
        ("rag", "rag_lora"),
        ("lora", "rag_lora"),
    ]
    assert problems == []


def test_many_arms_are_compared_with_the_bare_model_and_it_is_said():
    more = [row(arm=f"lora_{rank}", adapter="lora", rank=rank) for rank in (4, 8)]
    found, problems = choose(list(arms(*more, *four()).values()), None)
    assert len(found) == 5
    assert {baseline for baseline, _ in names(found)} == {"closed_book"}
    assert "--baseline ARM" in problems[0]


def test_many_arms_without_a_bare_model_are_compared_with_the_first():
    many = [row(arm=f"lora_{rank}", adapter="lora", rank=rank) for rank in range(1, 8)]
    found, _ = choose(list(arms(*many).values()), None)
    assert names(found)[0] == ("lora_1", "lora_2")
    assert len(found) == 6


def test_many_arms_on_two_tasks_have_the_bare_model_of_their_own_task():
    other = [one | {"run_id": f"{one['run_id']}-b"} for one in four(task="capitals")]
    found, _ = choose(list(arms(*four(), *other).values()), None)
    assert ("facts/closed_book", "facts/rag") in names(found)
    assert ("capitals/closed_book", "capitals/rag") in names(found)
    assert len(found) == 12  # all six pairs of each task, none across


def test_a_baseline_is_set_against_every_other_arm():
    found, _ = choose(list(arms(*four()).values()), "rag")
    assert names(found) == [("rag", "closed_book"), ("rag", "lora"), ("rag", "rag_lora")]


def test_tables_of_other_arms_are_pooled_unless_a_gate_asks():
    replay = row(arm="lora_replay", adapter="lora", replay_share=0.3, experiment="later")
    later = [{**four(experiment="later")[2], "table": LATER}, {**replay, "table": LATER}]
    both = list(arms(*four()[:3], *later).values())
    found, _ = choose(both, None)
    assert ("mine/lora", "lora_replay") in names(found)
    assert len(found) == 10  # all pairs of five
    gated, problems = choose(both, None, gated=True)
    assert names(gated) == [("mine/lora", "later/lora")]
    assert "lora_replay" in problems[0]


def test_arms_of_one_name_in_two_tables_are_lined_up_and_nothing_else():
    later = [one | {"table": LATER} for one in four(experiment="later")[1:3]]
    found, problems = choose(list(arms(*four(), *later).values()), None)
    assert names(found) == [("mine/rag", "later/rag"), ("mine/lora", "later/lora")]
    assert problems == [
        "closed_book, rag_lora: in one of the tables only, so not compared; "
        "name an arm to compare with by --baseline ARM"
    ]


def test_variants_are_lined_up_with_the_one_of_their_settings():
    def variants(**values):
        return [
            row(arm="lora", adapter="lora", rank=r, run_id=f"lora-{r}", **values) for r in (8, 16)
        ]

    later = [one | {"table": LATER} for one in reversed(variants(experiment="later"))]
    found, _ = choose(list(arms(*variants(), *later).values()), None)
    assert names(found) == [
        ("mine/lora[rank=16]", "later/lora[rank=16]"),
        ("mine/lora[rank=8]", "later/lora[rank=8]"),
    ]


def test_tables_without_a_common_arm_are_compared_in_pairs():
    other = row(arm="rag", retriever="bm25", experiment="later") | {"table": LATER}
    found, _ = choose(list(arms(row(), other).values()), None)
    assert names(found) == [("closed_book", "rag")]


def test_a_baseline_in_two_tables_is_that_of_the_first():
    later = [one | {"table": LATER} for one in four(experiment="later")[:2]]
    found, _ = choose(list(arms(*four()[:2], *later).values()), "closed_book")
    assert names(found) == [
        ("mine/closed_book", "mine/rag"),
        ("mine/closed_book", "later/closed_book"),
        ("mine/closed_book", "later/rag"),
    ]


def test_an_unknown_baseline_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no arm 'rag_lara'; did you mean 'rag_lora'\?"):
        choose(list(arms(*four()).values()), "rag_lara")


def test_a_baseline_whose_runs_failed_is_refused():
    failed = row(arm="rag", status="failed", error="no disk")
    with pytest.raises(ConfigError, match="no run of 'rag' finished"):
        choose(list(arms(row(), failed).values()), "rag")


def test_one_arm_alone_is_said_to_have_nothing_to_be_compared_with():
    assert choose(list(arms(row()).values()), None) == (
        [],
        ["fewer than two arms with finished runs: nothing to compare"],
    )


def test_restricting_keeps_the_named_arms_and_the_baseline():
    found = restricted(list(arms(*four()).values()), ("lora",), "rag")
    assert [arm.label for arm in found] == ["rag", "lora"]
    with pytest.raises(ConfigError, match=r"--arms: no arm 'loro'; did you mean 'lora'"):
        restricted(found, ("loro",), None)
