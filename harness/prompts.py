"""The one wording of each prompt, shared by every arm, in training and in answering.

A prompt is the system line, then the passages (if the arm retrieves), then the question. Only
the passages differ between arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.types import Passage, sha256_of

PROMPT_VERSION = 1
"""Part of every key and record: raise it when a wording below changes."""


@dataclass
class PromptConfig:
    """How a question is put to a model.

    Attributes:
        system: the instruction; with a chat template it is the system message.
        system_with_passages: used instead where the prompt holds passages.
        context_budget_tokens: most tokens of passages in a prompt, the same for every arm.
        max_new_tokens: longest answer.
        show_choices: list the options of a multiple-choice question in its prompt; they are scored
            by log-likelihood either way.
    """

    system: str = "Answer the question."
    system_with_passages: str = "Answer the question using the context."
    context_budget_tokens: int = 512
    max_new_tokens: int = 20
    show_choices: bool = False

    def __post_init__(self) -> None:
        if self.context_budget_tokens < 1 or self.max_new_tokens < 1:
            raise ConfigError(
                "prompt.context_budget_tokens and prompt.max_new_tokens are at least 1"
            )

    def sha256(self) -> str:
        """Hash of everything here that decides what a model is shown."""
        return sha256_of(
            [PROMPT_VERSION, self.system, self.system_with_passages, self.show_choices]
        )


@dataclass(frozen=True)
class Messages:
    """A prompt before the model's own template: an instruction and the user's part."""

    system: str
    user: str


def passage_text(passage: Passage) -> str:
    """A passage as it stands in a prompt; its token count is what the budget counts."""
    if passage.title and not passage.text.startswith(passage.title):
        return f"{passage.title}: {passage.text}"
    return passage.text


def build_messages(
    config: PromptConfig,
    question: str,
    passages: Sequence[Passage] = (),
    choices: Sequence[str] = (),
) -> Messages:
    """The prompt for ``question``: passages first, best first, then options, then the question.

    Passages stand before the question, as in Ovadia et al. 2024 (arXiv:2312.05934), behind
    "Context:", as in Soudani et al. 2024 (arXiv:2403.01432).
    """
    asked = f"Question: {question}"
    if choices and config.show_choices:
        asked += f"\nOptions: {'; '.join(choices)}"
    if not passages:
        return Messages(system=config.system, user=asked)
    context = "\n\n".join(passage_text(passage) for passage in passages)
    return Messages(system=config.system_with_passages, user=f"Context: {context}\n\n{asked}")
