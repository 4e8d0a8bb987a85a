"""Greedy decoding of a batch that has been read; a sequence that has ended leaves the batch."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import torch

from harness.models.reading import Read

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TokenListener = Callable[[int, int], None]
"""Called with a prompt's position and the token that was chosen for it."""


def decode(
    model: PreTrainedModel,
    read: Read,
    max_new_tokens: int,
    end_ids: Collection[int],
    on_token: TokenListener | None = None,
) -> list[list[int]]:
    """The ids that follow each prompt, its end token included; call it in inference mode.

    A row costs a step only while it goes on, unlike in transformers' ``generate``, which runs all
    of a batch until its longest answer ends.

    Args:
        end_ids: what ends an answer; with none every answer has ``max_new_tokens``.
        on_token: called for each token once it has left the device, end tokens included.
    """
    answers: list[list[int]] = [[] for _ in range(len(read.logits))]
    going = list(range(len(answers)))
    logits, cache, mask = read
    place = mask.sum(1, keepdim=True)  # the position id of each row's next token
    while True:
        chosen = logits.argmax(-1)
        for row, token in zip(going, chosen.tolist(), strict=True):
            answers[row].append(token)
            if on_token:
                on_token(row, token)
        keep = [n for n, row in enumerate(going) if answers[row][-1] not in end_ids]
        if not keep or len(answers[going[0]]) == max_new_tokens:
            return answers
        if len(keep) < len(going):
            going = [going[n] for n in keep]
            rows = torch.tensor(keep, device=chosen.device)
            chosen, mask, place = chosen[rows], mask[rows], place[rows]
            cache.batch_select_indices(rows)
        mask = torch.cat([mask, mask.new_ones(len(going), 1)], dim=1)
        step: Any = model(
            input_ids=chosen[:, None],
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
        )
        logits, place = step.logits[:, -1], place + 1
