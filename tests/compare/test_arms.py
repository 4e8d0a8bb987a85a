from __future__ import annotations

import pytest

from harness.compare.arms import line_up, shortened
from tests.compare.folders import OTHER_SPLIT, arms, frame, row

LORA = {"arm": "lora", "adapter": "lora", "rank": 16, "learning_rate": 0.001}


def test_runs_that_differ_only_by_seed_are_one_arm_in_order_of_seed():
    found = arms(row(seed=2), row(seed=0), row(seed=1))
    assert found["closed_book"].summary.seeds == (0, 1, 2)
    assert found["closed_book"].summary.run_ids == (
        "closed_book-s0",
        "closed_book-s1",
        "closed_book-s2",
    )


def test_a_setting_makes_another_arm_named_by_it():
    found = arms(row(**LORA), row(**LORA | {"rank": 8}, run_id="other"))
    assert list(found) == ["lora[rank=16]", "lora[rank=8]"]
    assert found["lora[rank=8]"].summary.settings == {"rank": "8"}


@pytest.mark.parametrize(
    "outcome",
    [
        {"epochs": 3.0},
        {"training_pairs": 17},
        {"trained_tokens": 999},
        {"device": "another"},
        {"notes": "a caveat"},
        {"parity": "other facts"},
    ],
)
def test_what_a_run_ends_up_with_makes_no_arm(outcome):
    assert list(arms(row(**LORA, epochs=4.0), row(**LORA | {"seed": 1} | outcome))) == ["lora"]


def test_top_k_chosen_on_validation_may_differ_between_seeds():
    chosen = {"arm": "rag", "retriever": "bm25", "top_k_chosen_by": "best on validation"}
    assert list(arms(row(**chosen, top_k=1), row(**chosen, top_k=3, seed=1))) == ["rag"]


def test_top_k_set_in_the_config_makes_an_arm():
    by_hand = {"arm": "rag", "retriever": "bm25", "top_k_chosen_by": "config"}
    found = arms(row(**by_hand, top_k=1), row(**by_hand, top_k=3, seed=1))
    assert list(found) == ["rag[top_k=1]", "rag[top_k=3]"]


def test_seeds_of_another_split_are_another_arm():
    found = arms(row(), row(seed=1, split_sha256=OTHER_SPLIT))
    assert list(found) == [
        "closed_book[split_sha256=1a2b1a2b…]",
        "closed_book[split_sha256=3c4d3c4d…]",
    ]


def test_a_failed_run_is_listed_and_counts_for_nothing():
    failed = row(**LORA | {"seed": 1}, status="failed", error="out of memory")
    found, problems = line_up(frame(row(**LORA), failed))
    assert [arm.label for arm in found] == ["lora"]
    assert found[0].summary.run_ids == ("lora-s0",)
    assert found[0].summary.failed == ("lora-s1",)
    assert found[0].summary.replicates == 1
    assert problems == ["lora: run lora-s1 failed and is left out: out of memory"]


def test_a_run_that_failed_before_its_settings_were_known_stays_with_its_arm():
    early = row(arm="lora", seed=1, split_sha256=None, status="failed", error="no network")
    found, _ = line_up(frame(early, row(**LORA)))
    assert [(arm.label, arm.summary.failed) for arm in found] == [("lora", ("lora-s1",))]


def test_an_arm_of_which_every_run_failed_is_shown_without_runs():
    found, _ = line_up(frame(row(), row(**LORA, status="failed", error="no disk")))
    lora = found[1].summary
    assert (lora.label, lora.run_ids, lora.replicates) == ("lora", (), 0)
    assert not lora.frozen


def test_of_a_seed_run_twice_the_latest_counts():
    early = row(run_id="early", created_at="2026-01-01T00:00:00+00:00", config_hash="aa")
    late = row(run_id="late", created_at="2026-01-02T00:00:00+00:00", config_hash="aa")
    found, problems = line_up(frame(late, early))
    assert found[0].summary.run_ids == ("late",)
    assert problems == ["closed_book: seed 0 was run 2 times; the latest counts (late), not early"]


def test_a_seed_run_with_other_settings_that_no_column_holds_is_said():
    early = row(run_id="early", created_at="2026-01-01T00:00:00+00:00", config_hash="aa")
    late = row(run_id="late", created_at="2026-01-02T00:00:00+00:00", config_hash="bb")
    _, problems = line_up(frame(early, late))
    assert "with settings that no column holds" in problems[0]


def test_arms_that_differ_by_epochs_alone_are_two():
    short = [row(**LORA | {"seed": s}, epochs=1.0, config_hash=f"a{s}") for s in (0, 1)]
    long = [
        row(**LORA | {"seed": s}, epochs=4.0, config_hash=f"b{s}", run_id=f"long-s{s}")
        for s in (0, 1)
    ]
    found = arms(*short, *long)
    assert list(found) == ["lora[epochs=1]", "lora[epochs=4]"]
    assert found["lora[epochs=4]"].summary.seeds == (0, 1)


def test_a_run_repeated_under_another_experiments_name_is_an_arm_of_both():
    one = row(**LORA, config_hash="aa", experiment="quickstart")
    again = row(**LORA, config_hash="aa", experiment="forget_less", run_id="again")
    found = arms(
        one | {"table": "results/quickstart/runs.csv"},
        again | {"table": "results/forget_less/runs.csv"},
    )
    assert list(found) == ["quickstart/lora", "forget_less/lora"]
    assert all(arm.summary.replicates == 1 for arm in found.values())


def test_runs_of_unknown_seed_all_count():
    imported = row(source="peft: a.json") | {"seed": None}
    found = arms(imported | {"run_id": "a"}, imported | {"run_id": "b"})
    assert found["closed_book"].summary.run_ids == ("a", "b")
    assert found["closed_book"].summary.seeds == (None, None)


def test_a_row_without_a_status_is_left_out_and_named():
    found, problems = line_up(frame(row(), row(seed=1) | {"status": None}))
    assert found[0].summary.run_ids == ("closed_book-s0",)
    assert problems == ["results/mine/runs.csv, line 3: no status, ok or failed: left out"]


def test_weights_are_frozen_without_an_adapter_unless_an_imported_row_is_silent():
    assert arms(row())["closed_book"].summary.frozen
    assert not arms(row(**LORA))["lora"].summary.frozen
    assert not arms(row(source="lm-eval: a.json"))["closed_book"].summary.frozen
    told = row(source="lm-eval: a.json", forgetting_by_construction=True)
    assert arms(told)["closed_book"].summary.frozen


def test_weights_are_not_taken_as_frozen_where_the_table_has_no_column_for_the_adapter():
    table = "results/mine/runs.csv"
    (arm,), _ = line_up(frame(row(), row(seed=1)), silent=[table])
    assert (arm.summary.frozen, arm.weights_known) == (False, False)
    told = [row(forgetting_by_construction=True), row(seed=1, forgetting_by_construction=True)]
    (arm,), _ = line_up(frame(*told), silent=[table])
    assert (arm.summary.frozen, arm.weights_known) == (True, True)


def test_hashes_are_cut_to_what_tells_them_apart_and_to_eight_digits_at_least():
    alike, unlike, other = "abcdefgh12" + "0" * 54, "abcdefgh13" + "0" * 54, "ff" * 32
    assert shortened([alike, unlike, other, None]) == {
        alike: "abcdefgh12…",
        unlike: "abcdefgh13…",
        other: "ffffffff…",
    }
    assert shortened(["main", "main"]) == {"main": "main"}


def test_arms_of_two_splits_whose_hashes_begin_alike_have_labels_of_their_own():
    found = arms(row(split_sha256="1" * 12 + "a" * 52), row(seed=1, split_sha256="1" * 64))
    assert list(found) == [
        f"closed_book[split_sha256={'1' * 12}a…]",
        f"closed_book[split_sha256={'1' * 13}…]",
    ]
