"""What is sent to an OpenAI-compatible server, how it is recorded, what an echoed prompt tells."""

from __future__ import annotations

from typing import Any

from harness.errors import ModelError
from harness.models.endpoint_config import EndpointConfig
from harness.models.protocol import OptionScore
from harness.models.reply import Reply
from harness.models.tokens import chat_turns
from harness.prompts import Messages

SYSTEM, USER = "[system]\n", "\n\n[user]\n"
"""What marks the two messages in a recorded prompt."""

EXAMPLE, REPLY = "\n\n[example]\n", "\n\n[reply]\n"
"""What marks the two turns of a few-shot example, between the two messages."""


def recorded(messages: Messages) -> str:
    """The messages as text that ``messages_of`` reads back.

    Raises:
        ModelError: the instruction or an example holds what marks the part behind it.
    """
    for mark in (USER, EXAMPLE):
        if mark in messages.system:
            raise ModelError(f"prompt.system holds {mark.strip()!r}, which marks what follows it")
    shots = ""
    for asked, answered in messages.shots:
        if any(mark in asked + answered for mark in (USER, EXAMPLE, REPLY)):
            raise ModelError(f"the few-shot example {asked!r} holds a mark of recorded prompts")
        shots += f"{EXAMPLE}{asked}{REPLY}{answered}"
    return f"{SYSTEM}{messages.system}{shots}{USER}{messages.user}"


def messages_of(prompt: str) -> Messages:
    """The messages that ``recorded`` wrote as ``prompt``."""
    head, found, user = prompt.removeprefix(SYSTEM).partition(USER)
    if not found or not prompt.startswith(SYSTEM):
        raise ModelError(f"no rendering of messages: {prompt[:60]!r}")
    system, *examples = head.split(EXAMPLE)
    shots = [example.partition(REPLY) for example in examples]
    return Messages(system, user, tuple((asked, answered) for asked, _, answered in shots))


def chat_body(config: EndpointConfig, messages: Messages, limit: int) -> dict[str, Any]:
    return {"messages": chat_turns(messages), config.limit_field: limit, **_greedy(config)}


def text_body(config: EndpointConfig, prompt: str, limit: int) -> dict[str, Any]:
    return {"prompt": prompt, "max_tokens": limit, **_greedy(config)}


def echo_body(config: EndpointConfig, text: str) -> dict[str, Any]:
    return {**text_body(config, text, 1), "echo": True, "logprobs": 1}


def _greedy(config: EndpointConfig) -> dict[str, Any]:
    seed = {} if config.seed is None else {"seed": config.seed}
    return {"model": config.id, "temperature": 0, **seed}


def echoes(reply: Reply, text: str) -> bool:
    """Whether the reply holds the prompt with a log-likelihood for each token after the first.

    Servers that do not know ``echo`` leave it out in silence, or give the generated token's alone.
    """
    counted = reply.tokens_in is None or reply.tokens_in == len(reply.tokens)
    return (
        reply.text.startswith(text)
        and len(reply.tokens) >= 2
        and counted
        and all(logp is not None for logp in reply.logprobs[1:])
    )


def option_score(alone: Reply, whole: Reply) -> OptionScore:
    """Sum over the tokens of ``whole`` behind those that it shares with ``alone``."""
    shared = 0
    # At least one token is the option's, and at least one the prompt's: the first has no value.
    for mine, theirs in zip(alone.tokens, whole.tokens[:-1], strict=False):
        if mine != theirs:
            break
        shared += 1
    own = [logp for logp in whole.logprobs[max(shared, 1) :] if logp is not None]
    return OptionScore(sum(own), len(own))
