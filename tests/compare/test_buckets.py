from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.compare.buckets import MOST_BUCKETS, bucketed, check_columns
from harness.compare.comparison import compare
from harness.compare.options import Options
from harness.compare.result import ByBucket, Comparison
from harness.compare.scorebook import Scored
from harness.errors import ConfigError
from tests.compare.folders import write_run


def split(column: str, values: list[Any], **others: list[Any]) -> list[str]:
    """The bucket of each question, "" for none."""
    columns: dict[str, list[object]] = {column: values, **others}
    count = len(values)
    found = bucketed(Scored([""] * count, [""] * count, {}, (0,), columns), column)
    return [found.order[code] if code >= 0 else "" for code in found.codes]


def order(values: list[Any]) -> tuple[str, ...]:
    count = len(values)
    return bucketed(Scored([""] * count, [""] * count, {}, (0,), {"x": values}), "x").order


def compared(folder: Path, fields: dict[str, dict[str, Any]], ours, theirs, by: str) -> Comparison:
    write_run(folder, ours, fields=fields)
    write_run(folder, theirs, fields=fields, arm="rag", retriever="bm25")
    return compare([folder], Options(by=(by,)))


def only(found: Comparison) -> ByBucket:
    (one,) = found.by
    return one


def test_popularity_is_split_by_the_buckets_that_the_task_stored():
    found = split("popularity", [1.0, 2.0, 3.0], bucket=["low", "high", ""])
    assert found == ["low", "high", ""]


def test_that_buckets_of_popularity_are_those_stored_is_said_with_the_method(tmp_path):
    fields = {
        f"q{n}": {"popularity": float(n), "bucket": "low" if n < 20 else "high"} for n in range(40)
    }
    ours = {f"q{n}": float(n % 3 == 0) for n in range(40)}
    theirs = {f"q{n}": float(n % 2) for n in range(40)}
    found = only(compared(tmp_path, fields, ours, theirs, "popularity"))
    assert found.method.endswith("; buckets as the task stored them")
    found = only(compared(tmp_path / "other", fields, ours, theirs, "bucket"))
    assert "stored" not in found.method


def test_popularity_without_stored_buckets_is_cut_into_terciles():
    values = [float(number) for number in range(12)]
    found = split("popularity", values, bucket=[""] * 12)
    assert found == ["low"] * 4 + ["middle"] * 4 + ["high"] * 4


def test_a_number_of_few_values_is_split_by_value_and_one_of_many_by_terciles():
    assert split("hops", [3, 1, 2, 1]) == ["3", "1", "2", "1"]
    assert set(split("hops", [*range(11)])) == {"low", "middle", "high"}


def test_missing_values_are_in_no_bucket():
    assert split("x", [*map(float, range(11)), None])[-1] == ""
    assert split("x", ["a", None, ""]) == ["a", "", ""]


def test_buckets_stand_by_rank_by_value_or_by_alphabet():
    assert order(["high", "low", "middle"]) == ("low", "middle", "high")
    assert order([10, 9, 1]) == ("1", "9", "10")
    assert order(["b", "a"]) == ("a", "b")


def test_large_numbers_are_not_rounded_into_one_bucket():
    assert order([38984796.0, 38984797.0]) == ("38984796", "38984797")


def test_lists_make_no_buckets():
    with pytest.raises(ConfigError, match="'gold' holds lists"):
        split("gold", [["a"], ["b"]])


def test_an_unknown_column_is_refused_with_those_that_are_there():
    with pytest.raises(ConfigError, match=r"'relatoin'; did you mean 'relation'\?; they have: rel"):
        check_columns(["relatoin"], ["relation", "bucket"])


def test_the_effect_in_each_bucket_is_of_its_questions_alone(tmp_path):
    fields = {f"q{n}": {"relation": "capital" if n < 20 else "anthem"} for n in range(40)}
    ours = {f"q{n}": 0.0 for n in range(40)}
    theirs = {f"q{n}": float(n < 15 or n >= 38) for n in range(40)}
    found = only(compared(tmp_path, fields, ours, theirs, "relation"))
    assert [(b.value, b.n, b.difference) for b in found.buckets] == [
        ("anthem", 20, 0.1),
        ("capital", 20, 0.75),
    ]
    anthem, capital = found.buckets
    assert anthem.low is not None and anthem.high is not None and capital.low is not None
    assert anthem.low < 0.1 < anthem.high < capital.low
    assert found.p is not None and found.p < 0.01
    assert found.p_adjusted == found.p  # the only interaction


def test_questions_without_a_bucket_are_counted(tmp_path):
    fields = {f"q{n}": {"relation": "ab"[n % 2] if n < 30 else ""} for n in range(40)}
    ours = {f"q{n}": float(n % 3 == 0) for n in range(40)}
    found = only(compared(tmp_path, fields, ours, ours, "relation"))
    assert (found.left_out, found.beyond) == (10, 0)
    assert found.not_shown == ("10 questions without a value of relation",)
    assert sum(bucket.n for bucket in found.buckets) == 30


def test_beyond_thirty_buckets_the_largest_are_shown_and_it_is_said(tmp_path):
    fields = {f"q{n}": {"relation": f"r{n % 40:02}" if n < 80 else "r39"} for n in range(90)}
    ours = {f"q{n}": float(n % 2) for n in range(90)}
    found = compared(tmp_path, fields, ours, ours, "relation")
    one = only(found)
    assert len(one.buckets) == MOST_BUCKETS
    assert one.buckets[-1].value == "r39"
    assert (one.buckets[-1].n, one.left_out, one.beyond) == (12, 0, 20)
    assert one.not_shown == ("20 questions of buckets beyond the 30 shown",)
    assert any("10 of 40 buckets are left out" in line for line in found.problems)


def test_a_column_that_differs_between_the_arms_is_said(tmp_path):
    ours = {f"q{n}": float(n % 2) for n in range(8)}
    write_run(tmp_path, ours, fields={q: {"tokens_in": 5} for q in ours})
    fields = {q: {"tokens_in": 5 + n % 2} for n, q in enumerate(ours)}
    write_run(tmp_path, ours, fields=fields, arm="rag", retriever="bm25")
    found = compare([tmp_path], Options(by=("tokens_in",)))
    assert [bucket.value for bucket in only(found).buckets] == ["5"]
    assert any("differs between the arms" in line for line in found.problems)


def test_without_predictions_the_split_is_refused_naming_what_is_there(tmp_path):
    write_run(tmp_path, None)
    write_run(tmp_path, None, arm="rag", retriever="bm25")
    with pytest.raises(ConfigError, match="no predictions"):
        compare([tmp_path], Options(by=("relation",)))


def test_where_one_arm_has_no_predictions_it_is_said(tmp_path):
    write_run(tmp_path, {"a": 1, "b": 0}, fields={"a": {"relation": "x"}})
    write_run(tmp_path, None, arm="rag", retriever="bm25", exact_match=0.5)
    found = compare([tmp_path], Options(by=("relation",)))
    assert found.by == ()
    assert any("not split, since an arm has no predictions" in line for line in found.problems)
