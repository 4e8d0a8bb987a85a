"""A model behind an OpenAI-compatible address: asked over the network, its weights unknown.

Through the chat API the server gets the messages as they are and puts them into its own template;
what is recorded as the prompt is an exact rendering of them. Through the completions API it gets
the text that is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ModelError
from harness.models import tokens
from harness.models.endpoint_config import EndpointConfig
from harness.models.estimate import EstimatedTokenizer, estimated_tokens
from harness.models.protocol import Account, Listener, OptionScore
from harness.models.received import Received
from harness.models.reply import Reply
from harness.models.requests import (
    chat_body,
    echo_body,
    echoes,
    messages_of,
    option_score,
    recorded,
    text_body,
)
from harness.models.transport import Transport
from harness.progress import bar
from harness.prompts import Messages
from harness.types import Answer

GREETING = "The sky is blue."


@dataclass(frozen=True)
class Greeted:
    """What an endpoint says of itself in answer to one token's worth of asking.

    Attributes:
        identity: its address, the model asked for, and what the server calls it.
        likelihoods: whether it gives the log-likelihoods of a prompt.
    """

    identity: str
    likelihoods: bool


def greet(config: EndpointConfig, transport: Transport | None = None) -> Greeted:
    """Ask for one token: so a wrong address, key or model is known before any long work.

    Raises:
        ModelError: the endpoint does not answer.
    """
    transport = transport or Transport(config)
    chat = config.api == "chat"
    body = (
        chat_body(config, Messages("Answer.", GREETING), 1) if chat else echo_body(config, GREETING)
    )
    (reply,) = transport.replies([body], chat, lambda position, reply: None)
    likelihoods = not chat and echoes(reply, GREETING)
    address = urlsplit(config.base_url)
    identity = "; ".join(
        [
            f"endpoint {address.netloc}{address.path.rstrip('/')}",
            f"{config.api} {config.id}",
            f"reports {reply.model or 'no name'}, fingerprint {reply.fingerprint or 'none'}",
            *(["gives likelihoods"] if likelihoods else []),
        ]
    )
    return Greeted(identity, likelihoods)


class Endpoint:
    """A remote model as the harness asks it: greedily, several requests at a time.

    Attributes:
        identity: what the endpoint said of itself; the weights behind it cannot be verified.
        gives_likelihoods: whether the server gives log-likelihoods of echoed prompts.
        context_tokens: as configured; a server refuses what is too long for it.

    Raises:
        ModelError: the endpoint does not answer.
    """

    def __init__(self, config: EndpointConfig, tokenizer: Any, identity: str) -> None:
        self.config = config
        self.identity = identity
        self.chat = config.api == "chat"
        self.context_tokens = config.context_tokens or 1 << 20
        self._tokenizer = None if isinstance(tokenizer, EstimatedTokenizer) else tokenizer
        template = getattr(self._tokenizer, "chat_template", None)
        if config.chat and not template:
            raise ModelError(
                f"model.chat=true, but {config.tokenizer} has no chat template; "
                "set model.chat=false"
            )
        self._templated = bool(template) if config.chat is None else config.chat
        self._transport = Transport(config)
        self.gives_likelihoods = not self.chat and greet(config, self._transport).likelihoods
        self._received: Received | None = None
        self._counted: dict[str, Reply] = {}
        self._earlier = 0
        self._prompt_tokens: dict[str, int] = {}

    def render(self, messages: Messages) -> str:
        """The messages as text that ``messages_of`` reads back, or the text that is sent."""
        if self.chat:
            return recorded(messages)
        if self._tokenizer is None:
            return tokens.plain(messages)
        return tokens.render(self._tokenizer, self._templated, messages)

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text``: by the tokenizer, else characters / 4."""
        if self._tokenizer is None:
            return estimated_tokens(text)
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt_tokens(self, prompts: Sequence[str]) -> list[int | None]:
        """As the server counted them when it scored options after them, else by the tokenizer."""
        return [self._prompt_tokens.get(prompt, self._counted_here(prompt)) for prompt in prompts]

    def _counted_here(self, text: str) -> int | None:
        return None if self._tokenizer is None else self.count_tokens(text)

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        on_prefill: Listener | None = None,
        on_decode: Listener | None = None,
    ) -> list[Answer]:
        """The answer to each prompt, in the order of the prompts whatever the concurrency.

        Reading and generating are one request: ``on_decode`` is called before the first is sent.

        Raises:
            ModelError: a request failed for good; what was received is kept.
        """
        del on_prefill
        if on_decode:
            on_decode()
        if self.chat:
            bodies = [
                chat_body(self.config, messages_of(prompt), max_new_tokens) for prompt in prompts
            ]
        else:
            bodies = [text_body(self.config, prompt, max_new_tokens) for prompt in prompts]
        replies = self._ask(bodies, "asking")
        return [self._answer(prompt, reply) for prompt, reply in zip(prompts, replies, strict=True)]

    def _answer(self, prompt: str, reply: Reply) -> Answer:
        text = reply.text.strip()
        if not self.chat and not self._templated:
            text = tokens.first_line(text)
        tokens_in = self._counted_here(prompt) if reply.tokens_in is None else reply.tokens_in
        tokens_out = self._counted_here(text) if reply.tokens_out is None else reply.tokens_out
        return Answer(text, tokens_in, tokens_out)

    def option_scores(
        self, prompts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[OptionScore]]:
        """Log-likelihood of each option as the continuation of its prompt.

        The prompt is echoed alone and with each option; an option's tokens are those behind what
        the two have in common.

        Raises:
            ModelError: the server gives no likelihoods, or a request failed for good.
        """
        asked = [
            [prompt, *(prompt + tokens.after(self._templated, option) for option in choices)]
            for prompt, choices in zip(prompts, options, strict=True)
        ]
        replies = iter(self._echoed([text for texts in asked for text in texts], "scoring options"))
        scores = []
        for prompt, choices in zip(prompts, options, strict=True):
            alone = next(replies)
            self._prompt_tokens[prompt] = len(alone.tokens)
            scores.append([option_score(alone, next(replies)) for _ in choices])
        return scores

    def text_losses(self, texts: Sequence[str], max_tokens: int) -> list[float]:
        """Mean next-token cross-entropy of each text, in nats a token, cut at ``max_tokens``."""
        losses = []
        for position, reply in enumerate(self._echoed(list(texts), "reading texts")):
            known = [logp for logp in reply.logprobs[1:max_tokens] if logp is not None]
            if not known:
                raise ModelError(f"text {position} has fewer than two tokens: it has no loss")
            losses.append(-sum(known) / len(known))
        return losses

    def _echoed(self, texts: list[str], what: str) -> list[Reply]:
        if not self.gives_likelihoods:
            raise ModelError(f"{self.config.base_url} gives no log-likelihoods of prompts")
        replies = self._ask([echo_body(self.config, text) for text in texts], what)
        for text, reply in zip(texts, replies, strict=True):
            if not echoes(reply, text):
                raise ModelError(
                    f"{self.config.base_url} gave no log-likelihoods for one prompt, though it did "
                    "for others"
                )
        return replies

    def _ask(self, bodies: list[dict[str, Any]], what: str) -> list[Reply]:
        """The reply to each body: as received before, else asked for now."""
        keys = Received.keys(bodies)
        there = self._received.replies if self._received else {}
        replies = {n: there[key] for n, key in enumerate(keys) if key in there}
        missing = [n for n in range(len(bodies)) if n not in replies]
        with bar(what, len(bodies)) as advance:
            advance(len(replies))

            def keep(position: int, reply: Reply) -> None:
                if self._received is not None:
                    self._received.add(keys[missing[position]], reply)
                advance(1)

            new = self._transport.replies([bodies[n] for n in missing], self.chat, keep)
        replies |= dict(zip(missing, new, strict=True))
        if self._received is not None:
            self._counted |= {keys[n]: reply for n, reply in replies.items()}
        return [replies[n] for n in range(len(bodies))]

    @contextmanager
    def remembering(self, folder: Path) -> Iterator[None]:
        """Within the block replies are kept in ``folder``, and those that are there are used."""
        self._received, self._counted = Received(folder), {}
        self._earlier = self._received.earlier
        try:
            yield
        finally:
            self._received.close()
            self._received = None

    def account(self) -> Account:
        """What the last ``remembering`` block took, earlier attempts included."""
        replies = list(self._counted.values())
        return Account(
            notes=self._notes(replies),
            likelihoods=self.gives_likelihoods,
            tokens_in=_sum([reply.tokens_in for reply in replies]),
            tokens_cached_in=_sum([reply.tokens_cached_in or 0 for reply in replies]),
            tokens_out=_sum([reply.tokens_out for reply in replies]),
        )

    def _notes(self, replies: Sequence[Reply]) -> tuple[str, ...]:
        notes = [
            f"asked of {urlsplit(self.config.base_url).netloc}, {self.config.concurrency} requests "
            "at once: its weights could not be verified, its energy is not known, and "
            "decode_seconds holds reading and generating"
        ]
        if self._tokenizer is None:
            notes.append("tokens of passages are estimated as characters / 4 (no model.tokenizer)")
        names = {(reply.model, reply.fingerprint) for reply in replies}
        if len(names) > 1:
            listed = ", ".join(sorted(f"{model} {mark}".strip() for model, mark in names))
            notes.append(f"the endpoint changed its name or fingerprint on the way: {listed}")
        if self._earlier:
            notes.append(
                f"{self._earlier} of {len(replies)} answers were received by an earlier attempt: "
                "seconds are those of the rest"
            )
        return tuple(notes)


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
