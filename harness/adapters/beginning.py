"""What all training examples begin with, computed once for a batch instead of in each example.

Every prompt begins with the same tokens: chat template, instruction, "Question:". In training
without passages they are some 40 % of all. Their keys and values depend on nothing after them: a
batch computes them once and each example goes on from there, as answering does
(``harness.models.reading``). Loss and gradients are the same sums as without: what reaches the
beginning from all examples is added up where its keys and values were repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache

from harness.adapters.config import AdapterConfig
from harness.adapters.examples import IGNORED, Example
from harness.models.reading import LEAST_SHARED_TOKENS, keeps_every_token, shared_tokens

if TYPE_CHECKING:
    from harness.models.head import AnswerHead

RANDOM = ("drop", "jitter")
"""What settings are called that make a forward pass draw random numbers, where they are above 0."""


def shared_in_training(model: Any, config: AdapterConfig, examples: Sequence[Example]) -> int:
    """How many tokens a batch computes once; 0 where each example is to be computed whole.

    It is whole where little is shared before the first loss; where random numbers are drawn, which
    the examples of a batch would share; where activations are recomputed, for want of a cache; and
    where the cache does not keep every token.

    Args:
        model: with what is trained attached.
        examples: all of the training, those of its validation included, so that no batch and no
            resumed training computes otherwise than the rest.
    """
    if config.on_device == 1 or config.gradient_checkpointing or _draws(model, config):
        return 0
    if not keeps_every_token(model):
        return 0
    # The token before a label predicts it, and is among those that are computed for each example.
    unlabelled = min(_first_label(example.labels) for example in examples) - 1
    shared = min(shared_tokens([example.input_ids for example in examples]), unlabelled)
    return shared if shared >= LEAST_SHARED_TOKENS else 0


def logits_at(
    model: Any, head: AnswerHead, inputs: dict[str, Any], rows: torch.Tensor, shared: int
) -> torch.Tensor:
    """The logits at ``rows``, ``(rows.sum(), vocabulary)``.

    Args:
        inputs: ids and mask ``(batch, position)``, padded on the right.
        rows: a boolean mask over batch and position; none of the first ``shared`` positions.
        shared: how many tokens all examples begin with, which are computed once.
    """
    if not shared:
        with head.only(rows):
            whole: torch.Tensor = model(**inputs, use_cache=False).logits
        return whole
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    with head.only(torch.zeros_like(rows[:1, :shared])):
        beginning = model(input_ids=ids[:1, :shared], use_cache=True).past_key_values
    count, width = ids.shape
    repeated = [
        (layer.keys.expand(count, -1, -1, -1), layer.values.expand(count, -1, -1, -1))
        for layer in beginning.layers
    ]
    with head.only(rows[:, shared:]):
        rest: torch.Tensor = model(
            input_ids=ids[:, shared:],
            attention_mask=mask,
            position_ids=torch.arange(shared, width, device=ids.device).expand(count, -1),
            past_key_values=DynamicCache(repeated),
            use_cache=True,
        ).logits
    return rest


def _first_label(labels: Sequence[int]) -> int:
    return next((n for n, label in enumerate(labels) if label != IGNORED), len(labels))


def _draws(model: Any, config: AdapterConfig) -> bool:
    """Whether a forward pass in training draws random numbers, by the names of its settings."""
    settings = [
        ("dropout", config.dropout),
        *config.options.items(),
        *model.config.get_text_config().to_dict().items(),
    ]
    return any(
        isinstance(value, int | float) and value > 0
        for name, value in settings
        if any(word in name for word in RANDOM)
    )
