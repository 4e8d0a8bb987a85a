"""``harness label score``: people's verdicts against measures, by arm, and between labelers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, HarnessError, RecordError
from harness.label.command import main
from harness.label.sheet import read_sheet

from .folders import add_run, fill, rows_of


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """One arm is right to the letter in two of four, the other says all in other words."""
    folder = tmp_path / "mine"
    add_run(folder, "lora", {"q0": "right", "q1": "right", "q2": "bad", "q3": "bad"})
    add_run(folder, "rag", {f"q{n}": "it is right" for n in range(4)})
    assert main(["export", str(folder), "--out", str(tmp_path / "sheet.csv")]) == 0
    return folder


LORA = {("q0", "right"): "yes", ("q1", "right"): "yes", ("q2", "bad"): "no", ("q3", "bad"): "no"}
RAG = {(f"q{n}", "it is right"): "yes" for n in range(4)}


def scored(mine: Path, capsys: pytest.CaptureFixture[str], *sheets: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["score", *map(str, sheets), "--results", str(mine), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def labelled(mine: Path, name: str, verdicts: dict[tuple[str, str], str]) -> Path:
    return fill(mine.parent / "sheet.csv", mine.parent / name, verdicts)


def test_people_are_held_against_each_measure(mine: Path, capsys):
    found = scored(mine, capsys, labelled(mine, "a.csv", LORA | RAG))
    # Yes yes 2, yes no 4 (other words), no no 2: agree 1/2, chance (6*2 + 2*6)/64 = 3/8.
    exact = found["agreement"]["exact_match"]
    assert (exact["both_yes"], exact["first_only"], exact["second_only"]) == (2, 4, 0)
    assert (exact["both_no"], exact["n"], exact["agree"]["mean"]) == (2, 8, 0.5)
    assert exact["kappa"]["mean"] == pytest.approx(0.2)
    assert exact["kappa"]["clusters"] == 4
    assert set(found["agreement"]) == {"exact_match", "f1 >= 0.5"}
    # Of 6 correct answers 2 score 1, 4 score 0, the two wrong ones 0: (2 * 1 + 4 * 0.5) / 6.
    assert found["ranking"]["f1"]["mean"] == pytest.approx(4 / 6)


def test_each_arm_has_its_share_by_people_and_by_measure(mine: Path, capsys):
    found = scored(mine, capsys, labelled(mine, "a.csv", LORA | RAG))
    shares = {(one["arm"], one["by"]): one["share"] for one in found["shares"]}
    assert shares["lora", "people"]["mean"] == 0.5 == shares["lora", "exact_match"]["mean"]
    assert shares["rag", "people"]["mean"] == 1.0
    assert shares["rag", "exact_match"]["mean"] == 0.0
    # Wilson: 4 of 4 is from 4 / (4 + 1.96^2) to 1.
    assert shares["rag", "people"]["low"] == pytest.approx(4 / (4 + 1.959963984540054**2))
    assert shares["rag", "people"]["high"] == 1.0


def test_disagreements_are_shown_in_the_sheets_order(mine: Path, capsys):
    sheet = labelled(mine, "a.csv", LORA | RAG)
    found = scored(mine, capsys, sheet)
    lines = [
        number
        for number, row in enumerate(rows_of(sheet), start=2)
        if row["answer"] == "it is right"
    ]
    assert found["disagreed"] == 4
    assert [one["place"] for one in found["disagreements"]] == [f"{sheet}, line {n}" for n in lines]
    assert {tuple(one["arms"]) for one in found["disagreements"]} == {("rag",)}


def test_ten_disagreements_are_shown(tmp_path: Path, capsys):
    add_run(tmp_path / "mine", "rag", {f"q{n}": f"said {n}" for n in range(12)})
    main(["export", str(tmp_path / "mine"), "--out", str(tmp_path / "sheet.csv")])
    verdicts = {(f"q{n}", f"said {n}"): "yes" for n in range(12)}
    found = scored(tmp_path / "mine", capsys, labelled(tmp_path / "mine", "a.csv", verdicts))
    assert (found["disagreed"], len(found["disagreements"])) == (12, 10)
    assert found["agreement"]["exact_match"]["kappa"]["mean"] == 0


def test_unsure_and_empty_are_counted_and_left_out(mine: Path, capsys):
    sheet = labelled(mine, "a.csv", {**LORA, ("q0", "right"): " UNSURE", ("q2", "bad"): "No "})
    found = scored(mine, capsys, sheet)
    assert found["files"] == [{"file": str(sheet), "yes": 1, "no": 2, "unsure": 1, "empty": 4}]
    assert (found["items"], found["agreement"]["exact_match"]["n"]) == (3, 3)


def test_two_labelers_are_compared_and_a_tie_counts_for_neither(mine: Path, capsys):
    first = labelled(mine, "a.csv", LORA | RAG)
    second = labelled(mine, "b.csv", LORA | RAG | {("q0", "right"): "no"})
    found = scored(mine, capsys, first, second)
    # Yes yes 5, yes no 1, no no 2: agree 7/8, chance (6*5 + 2*3)/64 = 9/16, kappa 5/7.
    between = found["between"][f"{first} and {second}"]
    assert between["kappa"]["mean"] == pytest.approx(5 / 7)
    assert (found["ties"], found["items"]) == (1, 7)


def test_of_three_labelers_the_majority_counts(mine: Path, capsys):
    sheets = [
        labelled(mine, f"{name}.csv", {("q0", "right"): verdict, ("q2", "bad"): "no"})
        for name, verdict in (("a", "yes"), ("b", "no"), ("c", "yes"))
    ]
    found = scored(mine, capsys, *sheets)
    assert len(found["between"]) == 3
    assert found["agreement"]["exact_match"]["both_yes"] == 1
    assert found["ties"] == 0


def test_an_answer_of_two_arms_counts_for_both(tmp_path: Path, capsys):
    folder = tmp_path / "mine"
    add_run(folder, "lora", {"q0": "right"})
    add_run(folder, "rag", {"q0": "right"})
    main(["export", str(folder), "--out", str(tmp_path / "sheet.csv")])
    found = scored(folder, capsys, labelled(folder, "a.csv", {("q0", "right"): "yes"}))
    assert found["items"] == 1
    people = [one["arm"] for one in found["shares"] if one["by"] == "people"]
    assert people == ["lora", "rag"]


def test_a_measure_where_less_is_better_is_turned_round(tmp_path: Path, capsys):
    folder = tmp_path / "mine"
    given = {
        f"q{n}": {"output": text, "metrics": {"false_answer": wrong, "false_refusal": 0.0}}
        for n, (text, wrong) in enumerate([("Paris", 1.0), ("no answer", 0.0)])
    }
    add_run(folder, "rag", given)
    main(["export", str(folder), "--out", str(tmp_path / "sheet.csv")])
    verdicts = {("q0", "Paris"): "no", ("q1", "no answer"): "yes"}
    found = scored(folder, capsys, labelled(folder, "a.csv", verdicts))
    assert list(found["agreement"]) == ["not false_answer"]
    assert found["agreement"]["not false_answer"]["agree"]["mean"] == 1.0


def test_the_judges_verdicts_are_a_measure_and_its_bad_lines_are_named(mine: Path, capsys):
    judge_folder = mine / "judged" / "small-1a2b3c4d"
    judge_folder.mkdir(parents=True)
    lines = [
        {"question_id": "q0", "correct": True, "reason": "says so"},
        {"question_id": "q1", "correct": None},
        {"question_id": "q2", "correct": "maybe"},
        {"question_id": "q3", "correct": True},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "no JSON\n"
    (judge_folder / "lora-s0.jsonl").write_text(text)
    sheet = labelled(mine, "a.csv", LORA | RAG)
    capsys.readouterr()
    assert main(["score", str(sheet), "--results", str(mine), "--json"]) == 0
    captured = capsys.readouterr()
    judge = json.loads(captured.out)["agreement"]["judge small-1a2b3c4d"]
    assert (judge["n"], judge["both_yes"], judge["second_only"]) == (2, 1, 1)
    assert "lora-s0.jsonl, line 3: no 'question_id' (text) with 'correct'" in captured.err
    assert "lora-s0.jsonl, line 5: no JSON" in captured.err


def test_a_terminal_is_shown_tables(mine: Path, capsys):
    sheet = labelled(mine, "a.csv", LORA | RAG)
    assert main(["score", str(sheet), "--results", str(mine)]) == 0
    shown = capsys.readouterr().out
    assert "6 yes, 2 no, 0 unsure, 0 empty" in shown
    assert "exact_match  0.200" in shown
    assert "Items that people see otherwise than a measure: 4\n" in shown


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_sheets_are_read_as_spreadsheets_save_them(tmp_path: Path, delimiter: str, encoding: str):
    path = tmp_path / "saved.csv"
    text = 'Item;question;Correct;comment\r\na1;"one\r\ntwo";YES;"für"\r\n;;;\r\na2;x;unsure;\r\n'
    path.write_bytes(text.replace(";", delimiter).encode(encoding))
    first, second = read_sheet(path)
    assert (first.item, first.line, first.correct, first.comment) == ("a1", 2, True, "für")
    assert (second.item, second.line, second.given, second.correct) == ("a2", 5, True, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("item,correct\n", "no item is labelled"),
        ("item,correct\na1,\n", "no item is labelled"),
        ("item,verdict\na1,yes\n", "the first line should name the columns"),
        ("item,correct\na1,yes\na2,perhaps\n", "line 3: column 'correct' is 'perhaps'; it is one"),
        ("item,correct\na1,yes\na1,no\n", "line 3: item 'a1' stood in line 2"),
        ("item,correct\n,yes\n", "line 2: column 'item' is empty"),
    ],
)
def test_what_is_no_sheet_is_one_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DataError) as raised:
        read_sheet(path)
    assert message in str(raised.value) and str(path) in str(raised.value)


def test_an_unknown_item_is_named_with_its_line(mine: Path, tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("item,correct\na0123,yes\n")
    with pytest.raises(DataError, match="line 2: item 'a0123' is on no sheet that was exported"):
        main(["score", str(path), "--results", str(mine)])


def test_only_unsure_leaves_nothing_to_score(mine: Path):
    sheet = labelled(mine, "a.csv", {("q0", "right"): "unsure"})
    with pytest.raises(DataError, match="nothing to score"):
        main(["score", str(sheet), "--results", str(mine)])


def test_results_that_have_changed_are_refused(mine: Path):
    sheet = labelled(mine, "a.csv", LORA | RAG)
    path = mine / "predictions" / "rag-s0.jsonl"
    path.write_text(path.read_text().replace("it is right", "it was right", 1))
    with pytest.raises(RecordError, match=r"run rag-s0 does not answer question 'q0'.*changed"):
        main(["score", str(sheet), "--results", str(mine)])
    path.unlink()
    with pytest.raises(RecordError, match=r"rag-s0\.jsonl is not there: the results have changed"):
        main(["score", str(sheet), "--results", str(mine)])


def test_an_arm_that_ran_since_changes_nothing(mine: Path, capsys):
    sheet = labelled(mine, "a.csv", LORA | RAG)
    before = scored(mine, capsys, sheet)
    add_run(mine, "few_shot", {"q0": "right"})
    assert scored(mine, capsys, sheet) == before


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "items": 3}'])
def test_a_damaged_or_missing_key_is_one_line(mine: Path, text: str):
    sheet = labelled(mine, "a.csv", LORA)
    (key,) = (mine / "labels").iterdir()
    key.write_text(text)
    with pytest.raises(HarnessError, match="is not a key as harness label export writes it"):
        main(["score", str(sheet), "--results", str(mine)])
    key.unlink()
    with pytest.raises(HarnessError, match="holds no key"):
        main(["score", str(sheet), "--results", str(mine)])
