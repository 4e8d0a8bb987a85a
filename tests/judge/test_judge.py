"""``harness judge`` against a real server on loopback: verdicts, agreement, faults, going on."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_server import MODEL, FakeOpenAI, Fault, asked, serving

from harness.cli import main
from harness.models.requests import recorded
from harness.prompts import PromptConfig, build_messages
from harness.record import append_row
from harness.row import new_row
from harness.types import Passage

PASSAGE = Passage("d#0", "d", "Lima is the capital of Peru.")


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with serving(FakeOpenAI(reply=judging(lambda answer: "right" in answer))) as fake:
        yield fake


def part(body: dict[str, Any], name: str) -> str:
    """What stands between the marks of one part of the judge's prompt."""
    return asked(body).split(f"<{name} ")[1].split(">\n")[1].split("\n</")[0]


def swapped(body: dict[str, Any]) -> bool:
    text = asked(body)
    other = "<passages " if "<passages " in text else "<reference "
    return text.index("<answer ") < text.index(other)


def judging(rule: Callable[[str], bool]) -> Callable[[dict[str, Any]], str]:
    """Replies that follow a rule on the answer, whatever is asked."""

    def reply(body: dict[str, Any]) -> str:
        grounded = "<passages " in asked(body)
        yes, no = ("GROUNDED", "UNGROUNDED") if grounded else ("CORRECT", "INCORRECT")
        return yes if rule(part(body, "answer")) else no

    return reply


def experiment(folder: Path, **arms: list[str]) -> Path:
    """A finished experiment: of each arm its answers; arms called rag were shown a passage."""
    for arm, answers in arms.items():
        append_row(
            folder / "runs.csv",
            new_row(
                run_id=f"{arm}-s0",
                experiment="made",
                arm=arm,
                task="toy",
                model="tiny",
                seed=0,
                status="ok",
            ),
        )
        (folder / "predictions").mkdir(exist_ok=True)
        shown = [PASSAGE] if arm.startswith("rag") else []
        lines = [
            {
                "question_id": f"q{n}",
                "question": f"Question {n}?",
                "gold": ["Lima"],
                "cluster": "",
                "prompt": recorded(build_messages(PromptConfig(), f"Question {n}?", shown)),
                "used_passage_ids": [one.id for one in shown],
                "output": answer,
                "metrics": {},
            }
            for n, answer in enumerate(answers)
        ]
        path = folder / "predictions" / f"{arm}-s0.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def judge(folder: Path, server: FakeOpenAI, *more: str) -> int:
    quick = () if "--retries" in more else ("--retries", "0")
    return main(["judge", str(folder), "--url", server.base_url, "--model", MODEL, *quick, *more])


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "judged.csv").open(encoding="utf-8", newline="") as file:
        return {row["run_id"]: row for row in csv.DictReader(file)}


def lines(folder: Path, run_id: str) -> list[dict[str, Any]]:
    (path,) = folder.glob(f"judged/*/{run_id}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_verdicts_shares_and_costs_of_each_run(tmp_path: Path, server: FakeOpenAI, capsys):
    folder = experiment(
        tmp_path / "made",
        closed_book=["right, said", "wrong, said"],
        rag=["right", "right, too", "wrong"],
    )
    prices = ("--price-in", "2", "--price-out", "10")
    assert judge(folder, server, "--repeats", "2", *prices) == 0
    rows = table(folder)
    closed, rag = rows["closed_book-s0"], rows["rag-s0"]
    assert (closed["arm"], closed["task"], closed["questions"]) == ("closed_book", "toy", "2")
    # Two repeats and one swapped, of each question; grounded as well where passages were shown.
    assert (closed["replies"], rag["replies"], len(server.bodies)) == ("6", "18", 24)
    assert (float(closed["correct"]), closed["correct_n"]) == (0.5, "2")
    assert (closed["grounded"], closed["grounded_n"]) == ("", "0")
    assert float(rag["correct"]) == float(rag["grounded"]) == pytest.approx(2 / 3)
    # Wilson's interval of 2 in 3 (z = 1.96).
    assert float(rag["correct_low"]) == pytest.approx(0.2077, abs=1e-4)
    assert float(rag["correct_high"]) == pytest.approx(0.9385, abs=1e-4)
    for name in ("repeats", "order"):
        assert (rag[f"grounded_{name}_agreement"], rag[f"grounded_{name}_n"]) == ("1.0", "3")
    # The server counts characters of the prompt and one word of each reply.
    tokens = sum(len(asked(body)) for body in server.bodies)
    assert int(closed["tokens_in"]) + int(rag["tokens_in"]) == tokens
    assert rag["tokens_out"] == "18"
    assert float(rag["cost_usd"]) == pytest.approx((int(rag["tokens_in"]) * 2 + 18 * 10) / 1e6)
    assert float(rag["seconds"]) > 0
    assert (rag["unparsed"], rag["prompt_version"], rag["judge_model"]) == ("0", "1", MODEL)
    found = lines(folder, "rag-s0")
    assert [(one["correct"], one["grounded"]) for one in found] == [
        *([(True, True)] * 2),
        (False, False),
    ]
    assert [(r["aspect"], r["swapped"], r["repeat"]) for r in found[0]["replies"]] == [
        *(("correct", False, 0), ("correct", False, 1), ("correct", True, 0)),
        *(("grounded", False, 0), ("grounded", False, 1), ("grounded", True, 0)),
    ]
    assert found[0]["replies"][0]["reply"] == "CORRECT"
    assert "correct 66.7 % [20.8, 93.9] of 3" in capsys.readouterr().out


def test_disagreement_on_repeats_and_on_order_is_told(tmp_path: Path, server: FakeOpenAI):
    seen: dict[str, int] = {}

    def reply(body: dict[str, Any]) -> str:
        answer = part(body, "answer")
        if answer == "by order":
            return "INCORRECT" if swapped(body) else "CORRECT"
        if answer == "by turn" and not swapped(body):
            seen[answer] = seen.get(answer, 0) + 1
            return "CORRECT" if seen[answer] == 1 else "INCORRECT"
        return "CORRECT"

    server.reply = reply
    folder = experiment(tmp_path / "made", arm=["by order", "by turn", "same", "same"])
    assert judge(folder, server, "--repeats", "2", "--concurrency", "1") == 0
    row = table(folder)["arm-s0"]
    assert row["correct"] == "1.0"
    assert (row["correct_repeats_agreement"], row["correct_order_agreement"]) == ("0.75", "0.75")


def test_without_repeats_there_is_no_agreement_on_them(tmp_path: Path, server: FakeOpenAI):
    folder = experiment(tmp_path / "made", arm=["right"])
    assert judge(folder, server) == 0
    row = table(folder)["arm-s0"]
    assert (row["correct_repeats_agreement"], row["correct_repeats_n"]) == ("", "0")
    assert (row["correct_order_agreement"], row["cost_usd"]) == ("1.0", "")


def test_a_reply_that_is_no_verdict_is_counted_and_asked_again(tmp_path: Path, server: FakeOpenAI):
    plain = server.reply
    server.reply = lambda body: "I cannot say" if "odd" in asked(body) else plain(body)
    folder = experiment(tmp_path / "made", arm=["right", "odd", "wrong"])
    assert judge(folder, server) == 0
    row = table(folder)["arm-s0"]
    # Both orders of the one are no verdict; the share is over the other two.
    assert (row["unparsed"], row["correct_n"], row["correct"]) == ("2", "2", "0.5")
    assert row["correct_order_n"] == "2"
    assert [one["correct"] for one in lines(folder, "arm-s0")] == [True, None, False]
    assert lines(folder, "arm-s0")[1]["replies"][0]["reply"] == "I cannot say"
    server.reply, server.bodies = plain, []
    assert judge(folder, server) == 0
    assert len(server.bodies) == 2
    row = table(folder)["arm-s0"]
    assert (row["unparsed"], row["correct_n"], row["replies_reused"]) == ("0", "3", "4")


def test_a_judge_that_only_talks_is_given_up_after_its_first_replies(
    tmp_path: Path, server: FakeOpenAI, capsys
):
    server.reply = lambda body: "Well, that depends."
    folder = experiment(tmp_path / "made", arm=["right"] * 30)
    assert judge(folder, server) == 2
    assert len(server.bodies) == 8
    assert not (folder / "judged.csv").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert "gave no verdict in its first 8 replies (the first was 'Well, that depends.'" in line


def test_after_a_fault_what_was_judged_is_kept_and_the_rest_asked(
    tmp_path: Path, server: FakeOpenAI, capsys
):
    folder = experiment(tmp_path / "made", first=["right"], second=["right", "wrong", "bad"])
    server.fault_for = lambda body: Fault(500) if "bad" in asked(body) else None
    assert judge(folder, server, "--concurrency", "1") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "answered 500 (scripted 500)" in line
    assert "run the same again to go on" in line
    assert list(table(folder)) == ["first-s0"]
    server.fault_for, server.bodies = lambda body: None, []
    before = table(folder)["first-s0"]["seconds"]
    assert judge(folder, server) == 0
    # Two orders of the answer that failed; what had come is not asked for again.
    assert [part(body, "answer") for body in server.bodies] == ["bad", "bad"]
    rows = table(folder)
    assert rows["second-s0"]["replies_reused"] == "4"
    assert float(rows["second-s0"]["correct"]) == pytest.approx(1 / 3)
    assert rows["first-s0"]["seconds"] == before


@pytest.mark.parametrize(
    ("fault", "flags", "told"),
    [
        (Fault(delay=2.0), ("--timeout", "0.2"), "--timeout=0.2; raise it, or lower --concurrency"),
        (Fault(401), (), "refused access (401): check --api-key-env"),
        (Fault(429), (), "lower --concurrency or set --requests-per-minute"),
        (Fault(body="<html>"), (), "the endpoint"),
    ],
)
def test_a_server_at_fault_is_one_line_that_names_the_flags(
    tmp_path: Path, server: FakeOpenAI, capsys, fault: Fault, flags: tuple[str, ...], told: str
):
    server.fault_for = lambda body: fault
    assert judge(experiment(tmp_path / "made", arm=["right"]), server, *flags) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert "model." not in line


def test_the_key_is_sent_and_never_written(
    tmp_path: Path, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, capsys
):
    folder = experiment(tmp_path / "made", arm=["right"])
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    assert judge(folder, server, "--api-key-env", "JUDGE_KEY") == 0
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) >= 4
    assert not any(b"sk-secret" in path.read_bytes() for path in written)
    told = capsys.readouterr()
    assert "sk-secret" not in told.out + told.err


def test_the_difference_from_a_baseline_is_taken_question_by_question(
    tmp_path: Path, server: FakeOpenAI
):
    plain = server.reply
    server.reply = lambda body: "Hm" if "odd" in asked(body) else plain(body)
    folder = experiment(
        tmp_path / "made",
        arm=["right", "right", "right", "odd"],
        base=["right", "wrong", "wrong", "wrong"],
    )
    assert judge(folder, server, "--baseline", "base") == 0
    rows = table(folder)
    assert (rows["arm-s0"]["baseline"], rows["base-s0"]["baseline"]) == ("base", "")
    # Of the three with a verdict on both, two were gained.
    assert rows["arm-s0"]["correct_difference_n"] == "3"
    assert float(rows["arm-s0"]["correct_difference"]) == pytest.approx(2 / 3)
    assert rows["base-s0"]["correct_difference"] == ""


def test_an_answer_that_two_arms_gave_is_judged_once(tmp_path: Path, server: FakeOpenAI):
    folder = experiment(tmp_path / "made", one=["right", "wrong"], two=["right", "right"])
    assert judge(folder, server) == 0
    # Four answers, of which two are to the first question and the same; two orders each.
    assert len(server.bodies) == 6
    rows = table(folder)
    assert (rows["one-s0"]["replies_reused"], rows["two-s0"]["replies_reused"]) == ("0", "2")
    assert (rows["one-s0"]["correct"], rows["two-s0"]["correct"]) == ("0.5", "1.0")


def test_two_judges_of_one_run_stand_side_by_side(tmp_path: Path, server: FakeOpenAI):
    folder = experiment(tmp_path / "made", arm=["right"])
    with serving(FakeOpenAI(reply=judging(lambda answer: False))) as other:
        assert judge(folder, server) == judge(folder, other) == 0
        assert len(other.bodies) == 2
    with (folder / "judged.csv").open(encoding="utf-8", newline="") as file:
        assert [row["correct"] for row in csv.DictReader(file)] == ["1.0", "0.0"]
    assert len(list(folder.glob("judged/*/arm-s0.jsonl"))) == 2


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--arm", "ram"), "--arm ram: .* no finished run of that arm; did you mean 'arm'"),
        (("--repeats", "0"), "--repeats is 0"),
        (("--price-in", "nan"), "--price-in is nan"),
        (("--price-in", "-1"), "--price-in is -1"),
        (("--api-key-env", "sk-my-key"), "--api-key-env is the name of an environment variable"),
        (("--url", "here"), "--url is no address"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_is_asked(
    tmp_path: Path, server: FakeOpenAI, capsys, flags: tuple[str, ...], told: str
):
    assert judge(experiment(tmp_path / "made", arm=["right"]), server, *flags) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(told, line)
    assert server.bodies == []


def test_a_run_without_predictions_is_told_and_the_others_are_judged(
    tmp_path: Path, server: FakeOpenAI, capsys
):
    folder = experiment(tmp_path / "made", gone=["right"], there=["right"])
    (folder / "predictions" / "gone-s0.jsonl").unlink()
    assert judge(folder, server) == 0
    assert list(table(folder)) == ["there-s0"]
    assert "gone-s0: not judged:" in capsys.readouterr().err


def test_a_table_of_something_else_is_left_alone(tmp_path: Path, server: FakeOpenAI, capsys):
    folder = experiment(tmp_path / "made", arm=["right"])
    (folder / "judged.csv").write_text("a,b\n1,2\n")
    assert judge(folder, server) == 2
    assert "is no table that this version of harness judge wrote" in capsys.readouterr().err
    assert (folder / "judged.csv").read_text() == "a,b\n1,2\n"
