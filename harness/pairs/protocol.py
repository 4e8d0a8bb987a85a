"""What writes training pairs, and what goes in and comes out: one protocol for every generator.

A generator writes text, in the form that ``pairs.parse`` reads; what it wrote is kept as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.models.protocol import Account


@dataclass(frozen=True)
class Part:
    """A document, or whole sentences of a longer one, and how many pairs are asked of it."""

    document_id: str
    title: str
    text: str
    wanted: int


@dataclass(frozen=True)
class Pair:
    """A question and its answer; ``source`` is the position of the text that it was read from."""

    question: str
    answer: str
    document_id: str
    source: int


@dataclass(frozen=True)
class Written:
    """What a generator was asked (empty if it is not asked in words), and what it wrote."""

    prompt: str
    output: str


@dataclass(frozen=True)
class Writing:
    """Something to be written.

    Attributes:
        key: all that decides what is written.
        write: writes it, and may keep what is paid for in the folder it is given, as it comes.
    """

    key: dict[str, Any]
    write: Callable[[Path], list[Written]]


class Generator(Protocol):
    """Writes pairs about parts of documents, and other wordings of questions.

    Attributes:
        remote: whether the work is done on another machine.
    """

    @property
    def remote(self) -> bool: ...

    def open(self) -> None:
        """Load what writes, unless that is done."""
        ...

    def pairs(self, parts: Sequence[Part]) -> Writing:
        """Pairs about each part."""
        ...

    def paraphrases(self, pairs: Sequence[Pair]) -> Writing:
        """Other wordings of each pair's question, one a line."""
        ...

    def account(self) -> Account:
        """How what was written last was had."""
        ...
