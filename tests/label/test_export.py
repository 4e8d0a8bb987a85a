"""``harness label export``: a blind, fair and reproducible sheet."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError, HarnessError
from harness.label.answers import Answered, Shown
from harness.label.command import main
from harness.label.draw import draw
from harness.label.sheet import NO_GOLD, read_sheet

from .folders import add_run, rows_of


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    add_run(folder, "closed_book", {f"q{n}": f"wrong {n}" for n in range(20)})
    add_run(folder, "rag", {f"q{n}": "right" for n in range(20)})
    return folder


def exported(folder: Path, name: str, *arguments: str) -> Path:
    out = folder.parent / name
    assert main(["export", str(folder), "--out", str(out), *arguments]) == 0
    return out


def answers(arm: str, run_id: str, texts: dict[str, str]) -> list[Answered]:
    return [
        Answered(run_id, name, name, Shown(f"{name}?", ("right",), text), {})
        for name, text in texts.items()
    ]


def test_a_sheet_says_nothing_of_arms_models_and_measures(mine: Path):
    out = exported(mine, "labels.csv", "--n", "10")
    rows = rows_of(out)
    assert list(rows[0]) == ["item", "question", "gold", "answer", "correct", "comment"]
    assert len(rows) == 10
    assert {row["correct"] + row["comment"] for row in rows} == {""}
    text = out.read_text(encoding="utf-8-sig")
    assert not any(word in text for word in ("rag", "closed_book", "tiny", "exact_match", "-s0"))


def test_arms_have_equal_shares_in_mixed_order(mine: Path):
    rows = rows_of(exported(mine, "labels.csv", "--n", "20"))
    right = [row["answer"] == "right" for row in rows]
    assert sum(right) == 10
    assert right not in (sorted(right), sorted(right, reverse=True), [right[0], not right[0]] * 10)


def test_an_arm_of_three_runs_has_no_larger_share_than_an_arm_of_one():
    arms = {
        "a": {"a-s0": answers("a", "a-s0", {f"q{n}": f"a {n}" for n in range(30)})},
        "b": {
            f"b-s{s}": answers("b", f"b-s{s}", {f"q{n}": f"b {s} {n}" for n in range(30)})
            for s in range(3)
        },
    }
    _, items = draw(arms, 18, 0)
    assert Counter(one.run_id for item in items for one in item.drawn) == {
        "a-s0": 9,
        "b-s0": 3,
        "b-s1": 3,
        "b-s2": 3,
    }


def test_equal_answers_to_a_question_are_asked_once_and_count_for_both():
    arms = {
        "a": {"a-s0": answers("a", "a-s0", {"q1": "same", "q2": "one"})},
        "b": {"b-s0": answers("b", "b-s0", {"q1": "same", "q2": "other"})},
    }
    _, items = draw(arms, 100, 0)
    assert sorted(item.shown.answer for item in items) == ["one", "other", "same"]
    (same,) = [item for item in items if item.shown.answer == "same"]
    assert {one.run_id for one in same.drawn} == {"a-s0", "b-s0"}


def test_the_same_seed_gives_the_same_sheet_and_another_seed_another(mine: Path):
    first = exported(mine, "one.csv", "--n", "10").read_bytes()
    assert exported(mine, "two.csv", "--n", "10").read_bytes() == first
    assert exported(mine, "three.csv", "--n", "10", "--seed", "1").read_bytes() != first


def test_item_names_are_no_numbers_for_a_spreadsheet(mine: Path):
    for row in rows_of(exported(mine, "labels.csv")):
        assert row["item"][0] == "a" and row["item"].isalnum()


def test_the_key_lies_beside_the_results(mine: Path):
    exported(mine, "labels.csv", "--n", "2")
    (key,) = (mine / "labels").iterdir()
    told = json.loads(key.read_text())
    assert told["arms"] == {"closed_book": ["closed_book-s0"], "rag": ["rag-s0"]}
    drawn = [one for item in told["items"].values() for one in item["drawn"]]
    assert sorted(run_id for run_id, _ in drawn) == ["closed_book-s0", "rag-s0"]


def test_fewer_answers_than_lines_are_all_asked(mine: Path, capsys):
    assert len(rows_of(exported(mine, "labels.csv", "--n", "500"))) == 40
    assert "there are only 40 different answers" in capsys.readouterr().err


def test_cells_are_harmless_and_read_back(tmp_path: Path):
    texts = {"q0": "=1+1", "q1": "+2", "q2": "-3", "q3": "@x", "q4": "'=y", "q5": 'a,"b"\nc'}
    add_run(tmp_path / "mine", "rag", texts)
    out = exported(tmp_path / "mine", "labels.csv")
    found = {row["question"]: row["answer"] for row in rows_of(out)}
    assert found == {
        "What is q0?": "'=1+1",
        "What is q1?": "'+2",
        "What is q2?": "'-3",
        "What is q3?": "'@x",
        "What is q4?": "''=y",
        "What is q5?": 'a,"b"\nc',
    }
    out.write_text(out.read_text("utf-8-sig").replace("''=y,,", "''=y,no,'=why"), encoding="utf-8")
    assert [label.comment for label in read_sheet(out) if label.given] == ["=why"]


def test_options_and_unanswerable_questions_are_told(tmp_path: Path):
    add_run(
        tmp_path / "mine",
        "rag",
        {"q0": {"output": "a", "choices": ["a", "b"]}, "q1": {"output": "", "gold": []}},
    )
    rows = {row["question"]: row for row in rows_of(exported(tmp_path / "mine", "l.csv"))}
    assert rows["What is q0?\nOptions: a; b"]["gold"] == "right"
    assert rows["What is q1?"]["gold"] == NO_GOLD


def test_passages_are_shown_on_request_and_said_to_unblind(tmp_path: Path, capsys):
    prompt = "<s>Context: One text.\n\nAnother.\n\nQuestion: What is q0?</s>"
    fields = {"output": "x", "prompt": prompt, "used_passage_ids": ["d#0", "e#0"]}
    add_run(tmp_path / "mine", "rag", {"q0": fields})
    add_run(tmp_path / "mine", "closed_book", {"q0": {"output": "x", "prompt": "Question:"}})
    assert "passages" not in rows_of(exported(tmp_path / "mine", "without.csv"))[0]
    rows = rows_of(exported(tmp_path / "mine", "with.csv", "--with-passages"))
    assert sorted(row["passages"] for row in rows) == ["", "One text.\n\nAnother."]
    assert "not blind" in capsys.readouterr().err


def test_a_sheet_is_never_written_over(mine: Path):
    out = exported(mine, "labels.csv")
    before = out.read_bytes()
    with pytest.raises(DataError, match="is there already and may hold labels"):
        main(["export", str(mine), "--out", str(out)])
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "not one of export, score"),
        (["exprot"], "did you mean 'export'"),
        (["export", "x"], "--out"),
        (["export", "x", "--out", "y.csv", "--n", "0"], "--n is 0; it is at least 1"),
        (["export", "x", "--out", "y.csv", "--seed", "-1"], "--seed is -1"),
        (["score", "no.csv", "--results", "x"], "no.csv: there is no such file"),
        (["score", "no.csv", "--results", "x", "--threshold", "2"], "--threshold is 2"),
    ],
)
def test_wrong_arguments_are_one_line(arguments: list[str], message: str):
    with pytest.raises(ConfigError) as raised:
        main(arguments)
    assert message in str(raised.value)


def test_several_experiments_and_none_are_refused(mine: Path, tmp_path: Path):
    add_run(tmp_path / "other", "rag", {"q0": "right"})
    with pytest.raises(HarnessError, match="holds several experiments; name one"):
        main(["export", str(tmp_path), "--out", str(tmp_path / "l.csv")])
    with pytest.raises(HarnessError):
        main(["export", str(tmp_path / "absent"), "--out", str(tmp_path / "l.csv")])
