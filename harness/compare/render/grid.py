"""What a comparison is printed from: sections of titled tables of strings, safe to show."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grid:
    """A table before it is drawn.

    Attributes:
        lines: cells; a line break in one says where it is best folded.
        words: the columns that hold words, which may be folded; the others hold figures.
        notes: what its footnote marks stand for, and what else is said under it.
    """

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading, sentences below it, then tables."""

    title: str
    text: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.grids)


@dataclass
class Footnotes:
    """Numbers remarks in order of appearance, each once."""

    remarks: list[str] = field(default_factory=list)

    def mark(self, remarks: Iterable[str]) -> str:
        """Their marks, as " (1) (3)"; empty for none."""
        numbers = set()
        for remark in remarks:
            if remark not in self.remarks:
                self.remarks.append(remark)
            numbers.add(self.remarks.index(remark) + 1)
        return "".join(f" ({number})" for number in sorted(numbers))

    def lines(self) -> tuple[str, ...]:
        """The remarks behind their numbers."""
        return tuple(f"({n}) {remark}" for n, remark in enumerate(self.remarks, start=1))


def plain(text: object) -> str:
    """Text from a file on one line, without what would steer a terminal or reorder what is shown.

    Control characters and those that change the direction of writing become "�".
    """
    line = " ".join(str(text).split())
    return "".join("�" if _steers(character) else character for character in line)


def _steers(character: str) -> bool:
    # Cc: escape sequences; Cs: half a character; the isolates and overrides reorder their line.
    return unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(
        character
    ) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
