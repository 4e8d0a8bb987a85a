"""Which questions are listed, and what of them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import orjson
import pytest

from harness.compare.options import Options
from harness.report import explorer as module
from harness.report.explorer import explorer
from harness.report.gather import ReportData, gather
from harness.report.judging import sample

from .report_samples import write_results


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    folder = write_results(tmp_path_factory.mktemp("sample"))
    return gather([folder], Options())


def groups(differing: int, same: int) -> dict[tuple[bool, str], list[tuple[str, str]]]:
    found: dict[tuple[bool, str], list[tuple[str, str]]] = {}
    for kind, count in ((True, differing), (False, same)):
        for position in range(count):
            bucket = "low" if position % 4 == 0 else "high"
            found.setdefault((kind, bucket), []).append((f"{kind}", f"{bucket}{position}"))
    return found


def test_all_disagreements_are_kept_while_they_fit_in_three_quarters() -> None:
    drawn = sample(groups(60, 1000), 100, random.Random(0))
    assert len(drawn) == len(set(drawn)) == 100
    assert sum(task == "True" for task, _ in drawn) == 60


def test_too_many_disagreements_leave_a_quarter_for_the_others() -> None:
    drawn = sample(groups(1000, 1000), 100, random.Random(0))
    assert sum(task == "True" for task, _ in drawn) == 75


def test_buckets_keep_their_shares_from_the_first_question_on() -> None:
    drawn = sample(groups(4000, 0), 400, random.Random(0))
    for count in (40, 200, 400):
        low = sum(name.startswith("low") for _, name in drawn[:count])
        assert abs(low - count / 4) <= 1


def test_the_sample_is_the_same_every_time() -> None:
    assert sample(groups(50, 500), 100, random.Random(7)) == sample(
        groups(50, 500), 100, random.Random(7)
    )
    assert sample(groups(50, 500), 100, random.Random(7)) != sample(
        groups(50, 500), 100, random.Random(8)
    )


def test_few_questions_are_all_listed_in_their_order(data: ReportData) -> None:
    found = explorer(data)
    assert [record["id"] for record in found.records] == [f"q{i}" for i in range(40)]
    assert [arm["label"] for arm in found.arms] == ["closed_book", "rag", "lora"]
    assert found.note.startswith("40 of 40 questions are listed; ")
    assert found.judges == ("contains",)


def test_a_record_holds_question_gold_bucket_and_each_arms_answer(data: ReportData) -> None:
    record = explorer(data).records[2]
    assert record["question"] == "Who is mayor of town 2?"
    assert record["gold"] == ["Mayor 2", "M. 2"]
    assert record["bucket"] == "low"
    closed_book, rag, lora = record["answers"]
    assert [one["right"] for one in record["answers"]] == [False, True, True]
    assert closed_book["output"] == "Nobody 2"
    assert closed_book["passages"] == []
    assert rag["passages"] == [{"id": "town-2#0", "used": True, "score": 0.75}]
    assert lora["seeds"] == (3, 3)
    assert rag["seeds"] is None


def test_seeds_that_disagree_are_counted(data: ReportData) -> None:
    lora = [record["answers"][2] for record in explorer(data).records]
    assert [lora[i]["seeds"] for i in (28, 29, 30, 31)] == [(3, 3), (2, 3), (1, 3), (0, 3)]


def test_prompts_stand_once_and_are_named_by_position(data: ReportData) -> None:
    found = explorer(data)
    answer = found.records[5]["answers"][1]
    assert found.texts[answer["prompt"]] == "Town 5, rag: who?"
    assert len(found.texts) == len(set(found.texts)) == 120


def test_disagreements_are_counted_and_preferred_in_a_small_sample(data: ReportData) -> None:
    # Alike: 0, 10, 20 right in all; 31, 33, 35, 37, 39 wrong in all.
    found = explorer(data, questions=20)
    assert (found.total, found.disagreements, len(found.records)) == (40, 32, 20)
    assert found.disagreements_listed == 15
    assert "15 of 32 disagreements" in found.note
    ids = [int(record["id"][1:]) for record in found.records]
    assert ids == sorted(ids)


def test_the_records_stay_within_their_bytes(data: ReportData) -> None:
    found = explorer(data, longest=8000)
    assert 5 < len(found.records) < 40
    assert len(orjson.dumps(found.as_json())) < 9000
    used = {a["prompt"] for record in found.records for a in record["answers"] if a}
    assert used == set(range(len(found.texts)))


def test_hostile_answers_can_be_stored(data: ReportData) -> None:
    said = [record["answers"][1]["output"] for record in explorer(data).records]
    assert said[3].startswith("<script>")
    assert said[7] == "nul ␀ bell ␇ escape ␛"
    assert said[8] == "half a pair \ufffd here"
    assert said[5].endswith("[cut: 5,000 characters]")
    orjson.dumps(explorer(data).as_json())


def test_only_the_first_arms_are_listed_where_there_are_many(
    data: ReportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ARMS", 2)
    found = explorer(data)
    assert len(found.arms) == 2
    assert "the first 2 arms of 3" in found.note


def test_missing_predictions_of_one_arm_leave_the_others(tmp_path: Path) -> None:
    folder = write_results(tmp_path)
    (folder / "predictions" / "rag-s0-sample.jsonl").unlink()
    found = explorer(gather([folder], Options()))
    assert [arm["label"] for arm in found.arms] == ["closed_book", "lora"]


def test_a_damaged_line_leaves_one_answer_out(tmp_path: Path) -> None:
    folder = write_results(tmp_path)
    path = folder / "predictions" / "rag-s0-sample.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b"{broken\n", *lines[1:]]))
    data = gather([folder], Options())
    first = next(record for record in explorer(data).records if record["id"] == "q0")
    assert Counter(answer is None for answer in first["answers"]) == {False: 2, True: 1}
    assert any("line 1" in problem for problem in data.problems)
