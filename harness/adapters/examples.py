"""Training examples: token ids with the positions that carry loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import TrainingError
from harness.models.language_model import LanguageModel

IGNORED = -100
"""Label of a position without loss, as torch's cross-entropy expects it."""


@dataclass(frozen=True)
class Example:
    """One sequence: ``labels`` equals ``input_ids`` where loss is taken, else ``IGNORED``.

    ``replayed`` tells an answer of the base model itself from what is to be learnt.
    """

    input_ids: list[int]
    labels: list[int]
    replayed: bool = False


def answer_example(model: LanguageModel, prompt: str, answer: str, max_tokens: int) -> Example:
    """A prompt and its answer, closed by the end token; loss on the answer only.

    Raises:
        TrainingError: the prompt alone fills ``max_tokens``.
    """
    context = model.encode([prompt])[0]
    text = answer if model.chat else f" {answer}"
    ending = [*model.tokenizer(text, add_special_tokens=False)["input_ids"], model.end_id]
    if len(context) + len(ending) > max_tokens:
        raise TrainingError(
            f"a training prompt of {len(context)} tokens with an answer of {len(ending)} exceeds "
            f"adapter.max_tokens={max_tokens}; raise it or lower prompt.context_budget_tokens"
        )
    return Example(context + ending, [IGNORED] * len(context) + ending)


def text_examples(model: LanguageModel, texts: Sequence[str], max_tokens: int) -> list[Example]:
    """Raw texts in pieces of at most ``max_tokens``, each text closed by the end token.

    Loss falls on every token but a piece's first, which nothing predicts.
    """
    examples = []
    for text in texts:
        ids = [*model.tokenizer(text)["input_ids"], model.end_id]
        for start in range(0, len(ids), max_tokens):
            piece = ids[start : start + max_tokens]
            if len(piece) > 1:
                examples.append(Example(piece, [IGNORED, *piece[1:]]))
    return examples
