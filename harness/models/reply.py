"""What an OpenAI-compatible server answered: read strictly, since anything may come back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any


class MalformedError(Exception):
    """The server answered something else than the API says; the text names what."""


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        text: what was generated; after it stands nothing that was asked, unless it was echoed.
        tokens_in, tokens_cached_in, tokens_out: the server's ``usage``; None where it gives none.
        model, fingerprint: what the server calls the model, and its state, if it says.
        tokens, logprobs: of an echoed prompt, else empty. The first token has no log-likelihood.
    """

    text: str
    tokens_in: int | None = None
    tokens_cached_in: int | None = None
    tokens_out: int | None = None
    model: str = ""
    fingerprint: str = ""
    tokens: tuple[str, ...] = ()
    logprobs: tuple[float | None, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Reply:
        """What ``to_dict`` gave.

        Raises:
            ValueError, TypeError: it is something else.
        """
        if not isinstance(values.get("text"), str):
            raise ValueError("no text")
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(Reply)}
        known |= {name: tuple(known[name]) for name in ("tokens", "logprobs")}
        return Reply(**known)


def read_reply(body: str, chat: bool) -> Reply:
    """The reply in the body of a response with status 200.

    Raises:
        MalformedError: it is no JSON, or holds no answer.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"no JSON ({error}): {body[:80]!r}") from error
    if not isinstance(data, dict):
        raise MalformedError(f"no JSON object: {body[:80]!r}")
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        # Some servers send an error with status 200.
        said = data.get("error")
        raise MalformedError(f"no choices{f': {one_text(said)}' if said else ''}")
    found = data.get("usage")
    usage: dict[str, Any] = found if isinstance(found, dict) else {}
    details = usage.get("prompt_tokens_details")
    tokens, logprobs = _echoed(choices[0].get("logprobs"), usage)
    return Reply(
        text=_text(choices[0], chat),
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_cached_in=_count(details.get("cached_tokens"))
        if isinstance(details, dict)
        else None,
        tokens_out=_count(usage.get("completion_tokens")),
        model=_said(data.get("model")),
        fingerprint=_said(data.get("system_fingerprint")),
        tokens=tokens,
        logprobs=logprobs,
    )


def one_text(value: Any) -> str:
    """What an error object says, on one line of at most 200 characters."""
    inner = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(inner, dict):
        inner = inner.get("message") or inner.get("detail") or inner
    return " ".join(str(inner).split())[:200]


def _text(choice: dict[str, Any], chat: bool) -> str:
    if not chat:
        if not isinstance(choice.get("text"), str):
            raise MalformedError("a choice without text")
        return str(choice["text"])
    message = choice.get("message")
    if not isinstance(message, dict):
        raise MalformedError("a choice without a message")
    content = message.get("content")
    if content is None:
        # A refusal stands in a field of its own; a model that only thought says nothing.
        return str(message.get("refusal") or "")
    if not isinstance(content, str):
        raise MalformedError("a message whose content is no text")
    return content


def _echoed(found: Any, usage: dict[str, Any]) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
    """Tokens of the prompt and their log-likelihoods, as far as ``found`` holds them."""
    if not isinstance(found, dict):
        return (), ()
    tokens, logprobs = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(logprobs, list):
        return (), ()
    generated = _count(usage.get("completion_tokens"))
    # One token is generated besides, since servers refuse to generate none.
    end = len(tokens) - (1 if generated is None else generated)
    if len(tokens) != len(logprobs) or end < 0:
        return (), ()
    values = tuple(float(x) if isinstance(x, int | float) else None for x in logprobs[:end])
    return tuple(map(str, tokens[:end])), values


def _count(value: Any) -> int | None:
    valid = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if valid else None


def _said(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""
