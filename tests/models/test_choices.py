"""Options under letters, and reading the letter that a model said."""

from __future__ import annotations

import pytest

from harness.models.choices import choose, read_letter, with_letters
from harness.models.protocol import OptionScore
from harness.prompts import Messages
from harness.types import Answer

CITIES = ("Paris", "Rome", "A river", "Bern")


def test_options_stand_under_letters_in_their_order():
    shown = with_letters(Messages("Answer.", "Question: where?"), CITIES[:2])
    assert shown == Messages(
        "Answer.",
        "Question: where?\nA. Paris\nB. Rome\nAnswer with the letter of the right option only.",
    )


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("B", "Rome"),
        ("b", "Rome"),
        ("(B)", "Rome"),
        ("B.", "Rome"),
        ("B) Rome", "Rome"),
        ("**B**", "Rome"),
        ("B: the capital", "Rome"),
        ("The answer is D.", "Bern"),
        ("Answer: C", "A river"),
        ("option (A)", "Paris"),
        ("Rome", "Rome"),
        ("a river", "A river"),
        ("A river", "A river"),
        # Words that begin like an option's letter name none.
        ("A big river", None),
        ("Berlin", None),
        ("E", None),
        ("answer a question", None),
        ("", None),
    ],
)
def test_the_letter_said_is_read(said: str, option: str | None):
    assert read_letter(said, CITIES) == option


class Says:
    """A model with or without likelihoods."""

    def __init__(self, gives_likelihoods: bool) -> None:
        self.gives_likelihoods = gives_likelihoods

    def generate(self, prompts, max_new_tokens):
        return [Answer("B.", 7, 2), Answer("who knows", 8, 3)]

    def option_scores(self, prompts, options):
        return [[OptionScore(-3.0, 1), OptionScore(-1.0, 2)] for _ in prompts]

    def prompt_tokens(self, prompts):
        return [5, None]


def test_without_likelihoods_the_letter_chooses_and_no_letter_is_no_option():
    chosen = choose(Says(False), ["p", "q"], [CITIES[:2], CITIES[:2]])  # type: ignore[arg-type]
    assert chosen == [Answer("Rome", 7, 2), Answer("who knows", 8, 3)]


def test_with_likelihoods_the_highest_chooses():
    chosen = choose(Says(True), ["p", "q"], [CITIES[:2], CITIES[:2]])  # type: ignore[arg-type]
    assert chosen == [Answer("Rome", 5, 0, (-3.0, -1.0)), Answer("Rome", None, 0, (-3.0, -1.0))]
