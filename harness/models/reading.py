"""Reading prompts into a cache of keys and values: what all of them begin with is read once.

A batch's sequences are then ``[beginning][padding][rest]``: the mask hides the padding and the
position ids do not count it, so each prompt is read as if it stood alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.models.head import AnswerHead

LEAST_SHARED_TOKENS = 4
"""A shorter beginning is not worth a pass of its own."""


class Read(NamedTuple):
    """Prompts as they were read.

    Attributes:
        logits: after each prompt's last token, ``(prompts, vocabulary)``.
        cache: their keys and values; the caller's own.
        mask: ``(prompts, longest)``, 1 where a token stands.
    """

    logits: torch.Tensor
    cache: Any
    mask: torch.Tensor


class Reader:
    """Reads batches of ``encoded`` prompts, all of which are known from the start."""

    def __init__(
        self, model: PreTrainedModel, head: AnswerHead, pad_id: int, encoded: Sequence[list[int]]
    ) -> None:
        self.model = model
        self.head = head
        self.pad_id = pad_id
        shared = shared_tokens(encoded) if keeps_every_token(model) else 0
        self.beginning = encoded[0][:shared] if shared >= LEAST_SHARED_TOKENS else []
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] | None = None

    def read(self, prompts: Sequence[list[int]]) -> Read:
        """The prompts' keys and values and what follows each; call it in inference mode."""
        start = len(self.beginning)
        ids, mask = padded([prompt[start:] for prompt in prompts], self.pad_id, self.model.device)
        cache = None
        if start:
            cache = self._beginnings(len(prompts))
            mask = torch.cat([mask.new_ones(len(prompts), start), mask], dim=1)
        last = torch.zeros_like(ids, dtype=torch.bool)
        last[:, -1] = True
        with self.head.only(last):
            read: Any = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions(mask)[:, start:],
                past_key_values=cache,
                use_cache=True,
            )
        return Read(read.logits, read.past_key_values, mask)

    def _beginnings(self, count: int) -> DynamicCache:
        """A cache of ``count`` sequences that hold the shared beginning, read the first time."""
        if self._kept is None:
            ids = torch.tensor([self.beginning], device=self.model.device)
            nothing = torch.zeros_like(ids, dtype=torch.bool)
            with self.head.only(nothing):
                read: Any = self.model(input_ids=ids, use_cache=True)
            self._kept = [(layer.keys, layer.values) for layer in read.past_key_values.layers]
        repeated = [
            (keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1))
            for keys, values in self._kept
        ]
        return DynamicCache(repeated)


def shared_tokens(encoded: Sequence[list[int]]) -> int:
    """How many tokens all prompts begin with; at least one of each prompt is left over."""
    if len(encoded) < 2:
        return 0
    # What the first and the last in order share, all share.
    first, last = min(encoded), max(encoded)
    limit = min(len(ids) for ids in encoded) - 1
    pairs = zip(first, last, strict=False)
    different = (n for n, (one, other) in enumerate(pairs) if one != other)
    return max(0, min(limit, next(different, limit)))


def keeps_every_token(model: PreTrainedModel) -> bool:
    """Whether the model's cache is keys and values of every token, addressed by position ids.

    A sliding window counts places in the cache, padding included, and a recurrent state cannot be
    cut by rows: such models are left to transformers' own ``generate``, without shared beginnings.
    """
    inner: Any = getattr(model, "get_base_model", lambda: model)()
    if "position_ids" not in inspect.signature(inner.forward).parameters:
        return False
    if getattr(inner, "_is_stateful", False) or model.config.is_encoder_decoder:
        return False
    if getattr(inner.config, "_attn_implementation", "") not in ("eager", "sdpa"):
        return False
    kinds = {type(layer) for layer in DynamicCache(config=inner.config).layers}
    return kinds == {DynamicLayer}


def padded(
    rows: Sequence[list[int]], pad_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask ``(rows, longest)``, padded on the left."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Position ids of padded rows: padding does not count."""
    return (mask.cumsum(1) - 1).clamp(min=0)
