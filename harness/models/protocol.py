"""What the harness needs of a language model, whatever runs it: one protocol for every backend.

Training is not in it: an adapter needs the weights in this process (``LanguageModel``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from harness.prompts import Messages
from harness.types import Answer

Listener = Callable[[], None]


class OptionScore(NamedTuple):
    """Log-likelihood of an option (``logp``, nats) and its length (``tokens``)."""

    logp: float
    tokens: int


@dataclass(frozen=True)
class Account:
    """How a model's answers were had, for the record.

    Attributes:
        notes: what a reader of the row must know, one line each.
        likelihoods: whether options were chosen by log-likelihood; else by letter.
        tokens_in, tokens_cached_in, tokens_out: what the provider counted; None if it did not, or
            if there is no provider. Those read from its cache are part of ``tokens_in``.
    """

    notes: tuple[str, ...] = ()
    likelihoods: bool = True
    tokens_in: int | None = None
    tokens_cached_in: int | None = None
    tokens_out: int | None = None

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Account:
        """What ``asdict`` gave, after JSON made a list of the notes; empty where there is none."""
        return Account(**{**values, "notes": tuple(values.get("notes", ()))})


class Model(Protocol):
    """A language model that answers prompts greedily.

    Attributes:
        identity: names the weights that answer, as far as that is known.
        context_tokens: the longest prompt and answer together.
        gives_likelihoods: whether ``option_scores`` and ``text_losses`` may be called.
    """

    @property
    def identity(self) -> str: ...
    @property
    def context_tokens(self) -> int: ...
    @property
    def gives_likelihoods(self) -> bool: ...

    def render(self, messages: Messages) -> str:
        """The prompt as it goes into the record; ``generate`` takes this text."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` without special ones."""
        ...

    def prompt_tokens(self, prompts: Sequence[str]) -> list[int | None]:
        """Tokens of each prompt as the model reads it; None where nobody says."""
        ...

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        on_prefill: Listener | None = None,
        on_decode: Listener | None = None,
    ) -> list[Answer]:
        """The greedy answer to each prompt, in the order of the prompts."""
        ...

    def option_scores(
        self, prompts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[OptionScore]]:
        """Log-likelihood of each option as the continuation of its prompt."""
        ...

    def text_losses(self, texts: Sequence[str], max_tokens: int) -> list[float]:
        """Mean next-token cross-entropy of each text, in nats a token, cut at ``max_tokens``."""
        ...

    def remembering(self, folder: Path) -> AbstractContextManager[None]:
        """Within the block a backend that is paid by the answer keeps what it receives there.

        What ``folder`` holds from an attempt that failed is not asked again.
        """
        ...

    def account(self) -> Account:
        """How the answers of the last ``remembering`` block were had."""
        ...
