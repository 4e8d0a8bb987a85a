"""Pairs written by asking a language model, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from harness.models.protocol import Account
from harness.pairs.config import PairsConfig
from harness.pairs.protocol import Pair, Part, Writing, Written
from harness.pairs.wording import ask_for_pairs, ask_for_paraphrases
from harness.prompts import Messages
from harness.types import Answer, sha256_of


class Writer(Protocol):
    """What is needed of a model here: that it can be asked, greedily."""

    def render(self, messages: Messages) -> str: ...
    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[Answer]: ...
    def remembering(self, folder: Path) -> AbstractContextManager[None]: ...
    def account(self) -> Account: ...


class Asked:
    """The generator that asks a model: one request for each part, one for each question.

    Args:
        settings: what names the model and decides how it computes; what it is asked is added here.
        load: gives the model when it is first needed.
    """

    def __init__(
        self,
        config: PairsConfig,
        settings: dict[str, Any],
        load: Callable[[], Writer],
        remote: bool,
    ) -> None:
        self.config = config
        self.settings = settings
        self.remote = remote
        self._load = load
        self._writer: Writer | None = None

    @property
    def writer(self) -> Writer:
        """The model, loaded."""
        if self._writer is None:
            self._writer = self._load()
        return self._writer

    def open(self) -> None:
        """Load the model, unless that is done."""
        assert self.writer

    def pairs(self, parts: Sequence[Part]) -> Writing:
        """What the model writes about each part."""
        return self._writing([ask_for_pairs(self.config, part) for part in parts])

    def paraphrases(self, pairs: Sequence[Pair]) -> Writing:
        """The model's other wordings of each question."""
        return self._writing([ask_for_paraphrases(self.config, pair) for pair in pairs])

    def account(self) -> Account:
        """How the last answers were had."""
        return self.writer.account()

    def _writing(self, messages: Sequence[Messages]) -> Writing:
        key = {
            "generator": self.config.generator,
            "messages": sha256_of([[one.system, one.user] for one in messages]),
            "max_new_tokens": self.config.max_new_tokens,
            **self.settings,
        }
        return Writing(key, lambda work: self._ask(messages, work))

    def _ask(self, messages: Sequence[Messages], work: Path) -> list[Written]:
        prompts = [self.writer.render(one) for one in messages]
        with self.writer.remembering(work):
            answers = self.writer.generate(prompts, self.config.max_new_tokens)
        return [
            Written(prompt, answer.text) for prompt, answer in zip(prompts, answers, strict=True)
        ]
