"""Multiple choice: the option with the highest likelihood, or the letter that the model says.

A model behind a chat endpoint gives no likelihoods: the options then stand in its prompt, each with
a letter, and the letter of its answer counts. That measures something else (whether the model knows
*and* says it in the form asked for), so rows made so carry another version of the measure.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import replace

from harness.models.protocol import Model
from harness.prompts import Messages
from harness.types import Answer

LETTER_TOKENS = 8
"""Enough for "The answer is B." in most tokenizers."""

LETTER_VERSION = 100
"""Added to the version of a multiple-choice measure in a row whose options were read by letter."""

INSTRUCTION = "Answer with the letter of the right option only."


def with_letters(messages: Messages, choices: Sequence[str]) -> Messages:
    """The prompt with its options listed under letters, in their order."""
    listed = "\n".join(
        f"{letter}. {choice}"
        for letter, choice in zip(string.ascii_uppercase, choices, strict=False)
    )
    return replace(messages, user=f"{messages.user}\n{listed}\n{INSTRUCTION}")


def choose(model: Model, prompts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
    """Which option each prompt is answered with, as the answer's text.

    By letter, an answer that names no option keeps the text that the model gave, which is wrong.
    """
    if not model.gives_likelihoods:
        said = model.generate(prompts, LETTER_TOKENS)
        return [
            replace(one, text=read_letter(one.text, choices) or one.text)
            for one, choices in zip(said, options, strict=True)
        ]
    found = model.option_scores(prompts, options)
    answers = []
    lengths = model.prompt_tokens(prompts)
    for scores, choices, tokens in zip(found, options, lengths, strict=True):
        values = tuple(score.logp for score in scores)
        answers.append(Answer(choices[values.index(max(values))], tokens, 0, values))
    return answers


def read_letter(text: str, choices: Sequence[str]) -> str | None:
    """The option that an answer names: by its letter first, else by its own words; None if none.

    A letter counts where it begins the answer ("B", "(b)", "B. Paris"), or stands alone as a
    capital after "answer" or "option"; "A river" is no letter.
    """
    known = string.ascii_uppercase[: len(choices)]
    stripped = text.strip().strip("*`\"'")
    by_words = [choice for choice in choices if choice.strip().lower() == stripped.lower()]
    if by_words:
        return by_words[0]
    begins = re.match(rf"[(\[]?([{known}{known.lower()}])(?:[)\].:,]|\*\*|\s*$)", stripped)
    inside = re.search(rf"(?i:answer|option)(?:\s+is)?\s*:?\s*[(\[*]*([{known}])\b", stripped)
    found = begins or inside
    return choices[known.index(found.group(1).upper())] if found else None
