"""One wording for every arm: only the passages differ."""

import pytest

from harness.errors import ConfigError
from harness.prompts import Messages, PromptConfig, build_messages, passage_text
from harness.types import Passage

CONFIG = PromptConfig(system="Say it.", system_with_passages="Read it.")
ONE = Passage("d#0", "d", "The mayor is Ann.", "Oslo")
TWO = Passage("e#0", "e", "Oslo: already titled.", "Oslo")


def test_without_passages_it_is_the_question_alone():
    assert build_messages(CONFIG, "Who?") == Messages("Say it.", "Question: Who?")


def test_passages_stand_before_the_question_in_rank_order():
    assert build_messages(CONFIG, "Who?", [ONE, TWO]) == Messages(
        "Read it.",
        "Context: Oslo: The mayor is Ann.\n\nOslo: already titled.\n\nQuestion: Who?",
    )


def test_a_title_is_not_said_twice():
    assert passage_text(TWO) == "Oslo: already titled."
    assert passage_text(Passage("x", "x", "text")) == "text"


def test_options_are_shown_only_if_asked_for():
    assert build_messages(CONFIG, "Who?", choices=["A", "B"]).user == "Question: Who?"
    shown = PromptConfig(show_choices=True)
    assert build_messages(shown, "Who?", choices=["A", "B"]).user == "Question: Who?\nOptions: A; B"


def test_what_a_model_is_shown_decides_the_hash():
    same = PromptConfig(system="Say it.", system_with_passages="Read it.", max_new_tokens=99)
    assert same.sha256() == CONFIG.sha256()
    assert PromptConfig(system="Say.").sha256() != CONFIG.sha256()


@pytest.mark.parametrize("field", ["context_budget_tokens", "max_new_tokens"])
def test_limits_below_one_are_refused(field):
    with pytest.raises(ConfigError, match="at least 1"):
        PromptConfig(**{field: 0})
