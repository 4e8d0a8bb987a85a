"""Prompts from what was retrieved, answers metered by phase, stored and read back."""

from __future__ import annotations

import json

import pytest
import torch

from harness.answering import (
    answer,
    build_prompts,
    load_answers,
    passage_tokens,
    save_answers,
    timed_one_by_one,
)
from harness.errors import DataError
from harness.ledger import Ledger
from harness.metering.meter import Meter
from harness.prompts import PromptConfig
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage

ONE = Passage("d#0", "d", "Oslo one two")
TWO = Passage("e#0", "e", "Lima three four five six")
QUESTIONS = [Question("q1", "What is one", ("Oslo",)), Question("q2", "What is two", ("Lima",))]


class FixedRetriever:
    """Finds the same two passages for every question."""

    name = "fixed"
    passages = (ONE, TWO)

    def retrieve(self, questions, top_k):
        return [[ScoredPassage(ONE, 2.0), ScoredPassage(TWO, 1.0)][:top_k] for _ in questions]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(Meter(torch.device("cpu")))


def test_passages_enter_the_prompt_in_rank_order_within_the_budget(tiny):
    found = FixedRetriever().retrieve(QUESTIONS, 2)
    room = tiny.count_tokens(ONE.text) + tiny.count_tokens(TWO.text)
    (both, _) = build_prompts(tiny, PromptConfig(context_budget_tokens=room), QUESTIONS, found)
    assert both.prompt.index("Oslo one two") < both.prompt.index("Lima three")
    (first, _) = build_prompts(tiny, PromptConfig(context_budget_tokens=room - 1), QUESTIONS, found)
    assert "Lima" not in first.prompt
    assert [scored.passage.id for scored in first.used] == ["d#0"]
    assert len(first.retrieved) == 2


def test_retrieving_reading_and_generating_are_metered_apart(tiny, ledger):
    predictions = answer(
        tiny, PromptConfig(max_new_tokens=3), QUESTIONS, FixedRetriever(), 1, ledger
    )
    full = ledger.full()
    assert set(full) == {"retrieve", "prefill", "decode"}
    assert full["prefill"].tokens_in == sum(p.answer.tokens_in for p in predictions)
    assert full["decode"].tokens_out == sum(p.answer.tokens_out for p in predictions)
    assert full["prefill"].wall_seconds > 0
    assert full["decode"].wall_seconds > 0


def test_under_one_name_everything_is_metered_as_that(tiny, ledger):
    answer(
        tiny,
        PromptConfig(max_new_tokens=3),
        QUESTIONS,
        FixedRetriever(),
        1,
        ledger,
        ("tune", "tune", "tune"),
    )
    assert set(ledger.full()) == {"tune"}


def test_open_and_multiple_choice_questions_may_be_mixed(tiny, ledger):
    choice = Question("q3", "What is three", ("Rome",), choices=("Rome", "Cairo"))
    found = answer(
        tiny, PromptConfig(max_new_tokens=3), [QUESTIONS[0], choice, QUESTIONS[1]], None, 0, ledger
    )
    assert [p.question.id for p in found] == ["q1", "q3", "q2"]
    assert found[1].answer.text in choice.choices
    assert len(found[1].answer.option_scores) == 2
    assert found[0].answer.option_scores == ()


def test_a_sample_at_even_distances_is_timed_after_a_warm_up():
    questions = [Question(f"q{n}", "?", ("a",)) for n in range(10)]
    asked: list[str] = []

    def one(question: Question) -> Prediction:
        asked.append(question.id)
        return Prediction(question, "", Answer("", 1, 1))

    seconds = timed_one_by_one(one, questions, count=5, warmup=2)
    assert asked == ["q0", "q2", "q0", "q2", "q4", "q6", "q8"]
    assert list(seconds) == ["q0", "q2", "q4", "q6", "q8"]
    assert timed_one_by_one(one, questions, count=0, warmup=2) == {}
    assert len(timed_one_by_one(one, questions[:2], count=5, warmup=0)) == 2


def test_stored_answers_come_back_whole(tmp_path):
    predictions = [
        Prediction(
            QUESTIONS[0],
            "prompt é",
            Answer("Oslo", 5, 2, (-1.5, -2.0)),
            (ScoredPassage(ONE, 0.5), ScoredPassage(TWO, 0.25)),
            ("d#0",),
            0.125,
        ),
        Prediction(QUESTIONS[1], "p", Answer("", 1, 0)),
    ]
    save_answers(tmp_path / "a.json", predictions)
    passages = {passage.id: passage for passage in (ONE, TWO)}
    assert load_answers(tmp_path / "a.json", QUESTIONS, passages) == predictions


def test_answers_about_other_questions_are_refused(tmp_path):
    save_answers(tmp_path / "a.json", [Prediction(QUESTIONS[0], "p", Answer("", 1, 0))])
    with pytest.raises(DataError, match="about other questions"):
        load_answers(tmp_path / "a.json", QUESTIONS[1:], {})
    assert json.loads((tmp_path / "a.json").read_text())[0]["question"] == "q1"


def test_only_passages_that_stand_in_the_prompt_are_counted():
    found = (ScoredPassage(ONE, 1.0), ScoredPassage(TWO, 0.5))
    prediction = Prediction(QUESTIONS[0], "p", Answer("", 1, 0), found, ("d#0",))
    assert passage_tokens(lambda text: len(text.split()), [prediction]) == 3
