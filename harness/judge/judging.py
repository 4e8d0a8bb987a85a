"""A judge asked about the answers of a run: what it replied, and the verdicts in that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.judge.questions import Answered
from harness.judge.wording import ASPECTS
from harness.models.endpoint_config import EndpointConfig
from harness.models.received import Received
from harness.models.reply import Reply
from harness.models.requests import chat_body
from harness.models.transport import Transport
from harness.progress import bar
from harness.prompts import Messages
from harness.types import sha256_of

PROBED = 8
"""Replies that are looked at before a judge that never gave a verdict is asked the rest."""

SHOWN = 80


@dataclass(frozen=True)
class Ask:
    """One request to the judge: about which answer, what, in which order, the how-manieth time."""

    answered: Answered
    aspect: str
    swapped: bool
    repeat: int
    messages: Messages


@dataclass(frozen=True)
class Judged:
    """What the judge said about the answers of one run.

    Attributes:
        replies: to each of ``asks``, in their order.
        reused: how many of them had come before, to an earlier attempt or about another run.
        seconds: from the first request to the last reply; None where nothing was asked now.
    """

    asks: Sequence[Ask]
    replies: Sequence[Reply]
    reused: int
    seconds: float | None


def asks_about(answers: Sequence[Answered], repeats: int) -> list[Ask]:
    """All that is asked about the answers: ``repeats`` times in plain order, once swapped."""
    return [
        Ask(one, name, swapped, repeat, aspect.messages(one.question, against, one.answer, swapped))
        for one in answers
        for name, aspect in ASPECTS.items()
        if (against := one.held_against(name))
        for swapped, times in ((False, repeats), (True, 1))
        for repeat in range(times)
    ]


def verdict(ask: Ask, reply: Reply) -> bool | None:
    """True, False, or None where the reply is no verdict."""
    return ASPECTS[ask.aspect].verdict(reply.text)


class Judge:
    """A model at an OpenAI-compatible address, greedily asked for one word at a time.

    Verdicts are kept in ``folder`` as they come. A reply that is none is not: it is asked for again
    when the same is run again.

    Raises:
        ModelError: the ``openai`` package is missing, or the variable that holds the key is unset.
    """

    def __init__(self, config: EndpointConfig, max_tokens: int, transport: Transport | None = None):
        self.config = config
        self.max_tokens = max_tokens
        self._transport = transport or Transport(config)

    def judge(self, asks: Sequence[Ask], folder: Path, what: str) -> Judged:
        """The replies to ``asks``, as received before, else asked for now.

        Raises:
            ModelError: a request failed for good, or the first replies ever are all no verdict;
                verdicts that were received are kept.
        """
        received = Received(folder)
        try:
            return self._judge(asks, received, what)
        finally:
            received.close()

    def _judge(self, asks: Sequence[Ask], received: Received, what: str) -> Judged:
        bodies = [chat_body(self.config, ask.messages, self.max_tokens) for ask in asks]
        keys = Received.keys(bodies)
        found = {n: received.replies[key] for n, key in enumerate(keys) if key in received.replies}
        missing = [n for n in range(len(asks)) if n not in found]
        reused, started = len(found), time.perf_counter()
        with bar(what, len(asks)) as advance:
            advance(reused)

            def ask(positions: Sequence[int]) -> None:
                def keep(at: int, reply: Reply) -> None:
                    if verdict(asks[positions[at]], reply) is not None:
                        received.add(keys[positions[at]], reply)
                    advance(1)

                new = self._transport.replies([bodies[n] for n in positions], True, keep)
                found.update(zip(positions, new, strict=True))

            if not received.replies and missing:
                ask(missing[:PROBED])
                if not received.replies:
                    self._refuse(asks[missing[0]], found[missing[0]], len(found))
            ask([n for n in missing if n not in found])
        seconds = time.perf_counter() - started if missing else None
        return Judged(asks, [found[n] for n in range(len(asks))], reused, seconds)

    def _refuse(self, ask: Ask, reply: Reply, count: int) -> None:
        aspect, text = ASPECTS[ask.aspect], " ".join(reply.text.split())
        shown = text[:SHOWN] + "…" * (len(text) > SHOWN)
        raise ModelError(
            f"{self.config.id} at {self.config.base_url} gave no verdict in its first {count} "
            f"replies (the first was '{shown}' where {aspect.yes} or {aspect.no} was asked for): "
            "take a model that follows instructions, or raise --max-tokens for one that reasons "
            "before it replies"
        )


def judged_lines(judged: Judged) -> list[dict[str, Any]]:
    """One JSON-ready object for each question: its verdicts, and all that was replied.

    ``correct`` and ``grounded`` are the verdicts of the first request in plain order; null where
    its reply was none, or where nothing was asked.
    """
    lines: dict[str, dict[str, Any]] = {}
    for ask, reply in zip(judged.asks, judged.replies, strict=True):
        line = lines.setdefault(
            ask.answered.question_id,
            {
                "question_id": ask.answered.question_id,
                "cluster": ask.answered.cluster,
                **dict.fromkeys(ASPECTS),
                "replies": [],
            },
        )
        found = verdict(ask, reply)
        if not ask.swapped and ask.repeat == 0:
            line[ask.aspect] = found
        line["replies"].append(
            {
                "aspect": ask.aspect,
                "swapped": ask.swapped,
                "repeat": ask.repeat,
                "verdict": found,
                "reply": reply.text,
                "prompt_sha256": sha256_of([ask.messages.system, ask.messages.user]),
                "model": reply.model,
                "fingerprint": reply.fingerprint,
                "tokens_in": reply.tokens_in,
                "tokens_out": reply.tokens_out,
            }
        )
    return list(lines.values())
