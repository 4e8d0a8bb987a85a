"""The one wording of each prompt, shared by every arm, in training and in answering.

A prompt is the system line, then few-shot examples (if asked for), then the passages (if the arm
retrieves), then the question. Only examples and passages differ between arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.types import Passage, TrainingPair, sha256_of

PROMPT_VERSION = 1
"""Part of every key and record: raise it when a wording below changes."""


@dataclass
class PromptConfig:
    """How a question is put to a model.

    Attributes:
        system: the instruction; with a chat template it is the system message.
        system_with_passages: used instead where the prompt holds passages.
        context_budget_tokens: most tokens of passages in a prompt, the same for every arm; null
            sets no limit but the model's context.
        max_new_tokens: longest answer. An untrained model answers in sentences: under a limit of 20
            `rag` lost 7 points in the quickstart to answers cut before the name, `lora` none; from
            32 on none did (benchmarks/results/answer_limit.csv).
        show_choices: list the options of a multiple-choice question in its prompt; they are scored
            by log-likelihood either way.
        shots: few-shot examples before the question, from the task's training pairs.
    """

    system: str = "Answer the question."
    system_with_passages: str = "Answer the question using the context."
    context_budget_tokens: int | None = 512
    max_new_tokens: int = 48
    show_choices: bool = False
    shots: int = 0

    def __post_init__(self) -> None:
        budget = self.context_budget_tokens
        if (budget is not None and budget < 1) or self.max_new_tokens < 1:
            raise ConfigError(
                "prompt.context_budget_tokens and prompt.max_new_tokens are at least 1"
            )
        if self.shots < 0:
            raise ConfigError(f"prompt.shots is {self.shots}; it is at least 0")

    def sha256(self) -> str:
        """Hash of the wording: everything here that decides how a question is put.

        Few-shot examples are the task's and the seed's: the keys of what they change hold them.
        """
        return sha256_of(
            [PROMPT_VERSION, self.system, self.system_with_passages, self.show_choices]
        )


@dataclass(frozen=True)
class Messages:
    """A prompt before the model's own template: an instruction and the user's part.

    Attributes:
        shots: earlier turns, what was asked and what was answered, between the two.
    """

    system: str
    user: str
    shots: tuple[tuple[str, str], ...] = ()


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
    examples: Sequence[TrainingPair] = (),
) -> Messages:
    """The prompt for ``question``: passages first, best first, then options, then the question.

    Passages stand before the question, as in Ovadia et al. 2024 (arXiv:2312.05934), behind
    "Context:", as in Soudani et al. 2024 (arXiv:2403.01432). Few-shot examples are turns of their
    own: in turns SmolLM2-135M took over their short form, in the user's part it did not.
    """
    shots = tuple(shot_turn(pair) for pair in examples)
    asked = f"Question: {question}"
    if choices and config.show_choices:
        asked += f"\nOptions: {'; '.join(choices)}"
    if not passages:
        return Messages(system=config.system, user=asked, shots=shots)
    context = "\n\n".join(passage_text(passage) for passage in passages)
    user = f"Context: {context}\n\n{asked}"
    return Messages(system=config.system_with_passages, user=user, shots=shots)


def shot_turn(pair: TrainingPair) -> tuple[str, str]:
    """A few-shot example as it stands in a prompt: what is asked, and what is answered."""
    return f"Question: {pair.question}", pair.answer


def passages_in(prompt: str, question: str) -> str:
    """The passages as ``build_messages`` put them into a recorded prompt; "" where none are."""
    before, there, _ = prompt.rpartition(f"\n\nQuestion: {question}")
    _, context, passages = before.partition("Context: ")
    return passages.strip() if there and context else ""
