"""Answers as they come in, a JSON line each: a second attempt asks only what is missing."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from harness.models.reply import Reply
from harness.types import sha256_of

logger = logging.getLogger(__name__)

NAME = "received.jsonl"


class Received:
    """Replies by request, read from a file at first and written to it one by one.

    The file lies in the work folder of the artifact that the answers become, so it is about the
    same model, prompts and limits, and goes when the artifact is whole.

    Attributes:
        earlier: how many replies were there at first.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._stream: TextIO | None = None
        self._writable = True
        self.replies = self._read()
        self.earlier = len(self.replies)

    @staticmethod
    def keys(bodies: Sequence[dict[str, Any]]) -> list[str]:
        """The name of each request of a batch, and which of several equal ones it is."""
        seen: Counter[str] = Counter()
        keys = []
        for body in bodies:
            name = sha256_of(body)
            keys.append(f"{name}:{seen[name]}")
            seen[name] += 1
        return keys

    def add(self, key: str, reply: Reply) -> None:
        """Keep a reply; on a disk that cannot be written it is kept for this attempt alone."""
        self.replies[key] = reply
        if not self._writable:
            return
        line = json.dumps({"request": key, "reply": reply.to_dict()}, ensure_ascii=False)
        try:
            if self._stream is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self._path.open("a", encoding="utf-8")
                # A line that a kill cut short must not swallow the next one.
                self._stream.write("\n")
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except OSError as error:
            self._writable = False
            logger.warning(
                "answers are not kept as they come (%s: %s): after a failure all are asked again",
                self._path,
                error.strerror,
            )

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _read(self) -> dict[str, Reply]:
        replies: dict[str, Reply] = {}
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return replies
        for line in lines:
            try:
                told = json.loads(line)
                replies[str(told["request"])] = Reply.from_dict(told["reply"])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue  # cut short by a kill: it is asked again
        return replies
