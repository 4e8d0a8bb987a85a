from collections import Counter

from harness.tasks.draw import sample_in_order, split_validation
from harness.tasks.popularity import tercile_buckets
from harness.types import Question


def questions(count):
    return [
        Question(f"q{n}", "?", ("a",), relation=f"r{n % 2}", bucket="low") for n in range(count)
    ]


def test_terciles_hold_equal_counts_and_leave_the_unknown_out():
    assert tercile_buckets([30, 1, None, 20, 2, 10, 300]) == [
        "high",
        "low",
        "",
        "middle",
        "low",
        "middle",
        "high",
    ]


def test_equal_popularities_share_a_bucket():
    assert tercile_buckets([5, 5, 5, 5]) == ["low"] * 4
    assert tercile_buckets([1, 2, 2]) == ["low", "middle", "middle"]
    assert tercile_buckets([None, None]) == ["", ""]


def test_a_sample_keeps_the_order_and_depends_on_the_seed_alone():
    items = questions(10)
    kept = sample_in_order(items, 4, seed=3)
    assert len(kept) == 4
    assert kept == sorted(kept, key=items.index) == sample_in_order(items, 4, seed=3)
    assert sample_in_order(items, None, 0) == sample_in_order(items, 10, 0) == items
    assert {tuple(q.id for q in sample_in_order(items, 4, seed)) for seed in range(5)} != {
        tuple(q.id for q in kept)
    }


def test_validation_is_drawn_evenly_over_relations():
    validation, test = split_validation(questions(20), 6, seed=0)
    assert Counter(question.relation for question in validation) == {"r0": 3, "r1": 3}
    assert sorted(q.id for q in validation + test) == sorted(q.id for q in questions(20))


def test_validation_never_takes_more_than_half():
    validation, test = split_validation(questions(5), 40, seed=0)
    assert (len(validation), len(test)) == (2, 3)
    assert split_validation(questions(5), 0, seed=0)[0] == []
