"""What an OpenAI-compatible server streams: server-sent events, read as they come.

The format of events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.models.reply import one_text

LONGEST_LINE = 1 << 20
"""Bytes of a line; a server that sends more without a line end is not read on."""


class Events:
    """The data of each event, from bytes that may be cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, some: bytes) -> Iterator[str]:
        """The events that these bytes complete.

        Raises:
            ValueError: a line has no end.
        """
        *lines, self._rest = (self._rest + some).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise ValueError("a line without an end")
        for line in lines:
            yield from self._line(line.decode("utf-8", "replace").rstrip("\r"))

    def end(self) -> Iterator[str]:
        """The event that no empty line has ended, as some servers leave the last one."""
        yield from self._line(self._rest.decode("utf-8", "replace").rstrip("\r"))
        yield from self._line("")
        self._rest = b""

    def _line(self, line: str) -> Iterator[str]:
        if not line and self._data:
            yield "\n".join(self._data)
            self._data = []
        name, _, value = line.partition(":")
        if name == "data":  # a comment has no name; event, id and retry say nothing of the answer
            self._data.append(value.removeprefix(" "))


@dataclass
class Stream:
    """One streamed answer.

    Attributes:
        pieces: seconds and characters of each chunk that held text.
        finished: seconds at which the server said that it had ended; None: it did not.
        tokens_in, tokens_out: the server's ``usage``; thoughts, which are no text, are left out.
        error: what it said instead of going on.
        malformed: events that were no JSON object.
    """

    pieces: list[tuple[float, int]] = field(default_factory=list)
    finished: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str = ""
    malformed: int = 0

    def take(self, data: str, now: float) -> None:
        """Read one event, which came at ``now``."""
        if data.strip() == "[DONE]":
            self.finished = now if self.finished is None else self.finished
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            self.malformed += 1
            return
        if event.get("error"):
            self.error = one_text(event["error"])
        self._usage(event.get("usage"))
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        text = _text(choice)
        if text:
            self.pieces.append((now, len(text)))
        if choice.get("finish_reason") and self.finished is None:
            self.finished = now

    def _usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        details = usage.get("completion_tokens_details")
        thought = details.get("reasoning_tokens") if isinstance(details, dict) else None
        generated = _count(usage.get("completion_tokens"))
        self.tokens_in = _count(usage.get("prompt_tokens"))
        self.tokens_out = None if generated is None else max(0, generated - (_count(thought) or 0))

    @property
    def is_spread(self) -> bool:
        """Whether the server counted more tokens than it sent chunks, an end token aside."""
        return self.tokens_out is not None and self.tokens_out > len(self.pieces) + 1

    def token_seconds(self) -> tuple[float, ...]:
        """When each token was there: a chunk is a token, unless the server counted more.

        Then its count is spread over the chunks by their characters, the first never without one.
        """
        if not self.is_spread or self.tokens_out is None:
            return tuple(seconds for seconds, _ in self.pieces)
        whole = sum(characters for _, characters in self.pieces)
        times: list[float] = []
        characters_so_far = 0
        for seconds, characters in self.pieces:
            characters_so_far += characters
            due = math.ceil(self.tokens_out * characters_so_far / whole)
            times += [seconds] * (due - len(times))
        return tuple(times)


def _text(choice: dict[str, Any]) -> str:
    delta = choice.get("delta")
    found = delta.get("content") if isinstance(delta, dict) else choice.get("text")
    return found if isinstance(found, str) else ""


def _count(value: Any) -> int | None:
    valid = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if valid else None
