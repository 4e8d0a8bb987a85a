"""What of a predictions file is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.foreign import Problems
from harness.judge.questions import read_answers
from harness.models.requests import recorded
from harness.prompts import Messages, PromptConfig, build_messages, passages_in
from harness.types import Passage, TrainingPair

PASSAGES = [
    Passage("d#0", "d", "Its capital is Lima. Context: the coast.", "Peru"),
    Passage("d#1", "d", "Question: none.", "Peru"),
]


def write(path: Path, *lines: dict[str, Any]) -> Path:
    whole = [{"question": "Q?", "output": "A", "gold": ["A"], "metrics": {}} | one for one in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in whole))
    return path


@pytest.mark.parametrize("shots", [(), (TrainingPair("Old?", "Yes"),)])
def test_passages_are_read_from_the_prompt_as_they_stood_there(shots: Any):
    messages = build_messages(PromptConfig(), "Q?", PASSAGES, examples=shots)
    shown = "Peru: Its capital is Lima. Context: the coast.\n\nPeru: Question: none."
    assert passages_in(recorded(messages), "Q?") == shown


def test_a_prompt_without_passages_or_of_another_form_has_none():
    assert passages_in(recorded(build_messages(PromptConfig(), "Q?")), "Q?") == ""
    assert passages_in(recorded(Messages("Context: x", "Frage: Q?")), "Q?") == ""


def test_what_cannot_be_held_against_anything_is_not_judged_for_it(tmp_path: Path):
    prompt = recorded(build_messages(PromptConfig(), "Q?", PASSAGES[:1]))
    path = write(
        tmp_path / "p.jsonl",
        {"question_id": "plain", "gold": ["A", " ", "B "], "output": " A\n"},
        {"question_id": "passages", "prompt": prompt, "used_passage_ids": ["d#0"]},
        {"question_id": "unanswerable", "unanswerable": True, "gold": ["unknown"]},
        {"question_id": "options", "choices": ["A", "B"]},
        {"question_id": "none", "output": None},
    )
    problems = Problems()
    found = {one.question_id: one for one in read_answers(path, problems)}
    assert list(found) == ["plain", "passages", "unanswerable"]
    assert (found["plain"].reference, found["plain"].answer) == ("A\nB", "A")
    assert found["plain"].passages == ""
    assert found["passages"].passages == "Peru: Its capital is Lima. Context: the coast."
    assert found["unanswerable"].reference == ""
    assert problems.lines() == (
        f"{path}, line 5: no 'question' and 'output' (text); it is not judged",
    )


def test_a_limit_takes_the_same_questions_of_every_arm_in_their_order(tmp_path: Path):
    names = [f"q{n}" for n in range(20)]
    one = write(tmp_path / "a.jsonl", *({"question_id": name} for name in names))
    other = write(tmp_path / "b.jsonl", *({"question_id": name} for name in reversed(names)))
    first = [answer.question_id for answer in read_answers(one, Problems(), 5)]
    second = [answer.question_id for answer in read_answers(other, Problems(), 5)]
    assert len(first) == 5
    assert second == first[::-1]
    assert first == sorted(first, key=names.index)


def test_half_a_surrogate_pair_can_be_sent(tmp_path: Path):
    (one,) = read_answers(
        write(tmp_path / "p.jsonl", {"question_id": "q", "output": "a\ud800"}), Problems()
    )
    assert one.answer == "a\ufffd"
