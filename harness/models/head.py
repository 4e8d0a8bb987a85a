"""The output head, applied to the positions whose logits are needed and to no others.

It is given one contiguous matrix: a frozen head (any PEFT model's) that gets a non-contiguous slice
makes ``torch.matmul`` copy the whole head once for every sequence of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class AnswerHead:
    """Feeds the output head only the rows it needs, contiguous.

    Registered as a forward pre-hook on the head. With ``rows`` set (a boolean mask over batch and
    position), the head's output has shape ``(rows.sum(), vocabulary)``.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.rows: torch.Tensor | None = None
        head = model.get_output_embeddings()
        if head is None:
            raise ModelError(f"{type(model).__name__} has no output head: not a causal model")
        head.register_forward_pre_hook(self._select)

    def _select(self, module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        if self.rows is not None:
            hidden = hidden[self.rows.to(hidden.device)]
        return (hidden.contiguous(), *args[1:])

    @contextmanager
    def only(self, rows: torch.Tensor) -> Iterator[None]:
        """Within the block the head is applied at ``rows`` ``(batch, position)`` alone."""
        self.rows = rows
        try:
            yield
        finally:
            self.rows = None
