"""Documents to sentences, and to parts of whole sentences that a generator can read at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from harness.pairs.protocol import Part
from harness.types import Document

_END = re.compile(r"(?<=[.!?。！？])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[^\s\W])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|No|Nos|vs|etc|e\.g|i\.e|ca|cf|Inc|Ltd|Co|Jr|Sr)\.$"
)
_HEADING = re.compile(r"^#{1,6}\s")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")


def sentences(text: str) -> list[str]:
    """The sentences of a plain or Markdown text; headings, which state nothing, are left out."""
    found: list[str] = []
    for paragraph in _paragraphs(text):
        held = ""
        for piece in _END.split(paragraph):
            held = f"{held} {piece}".strip()
            if not _ABBREVIATION.search(held):
                found.append(held)
                held = ""
        if held:
            found.append(held)
    return found


def _paragraphs(text: str) -> Iterator[str]:
    """Lines that belong together, each joined to one; a list's items stand alone."""
    held: list[str] = []
    for line in [*text.splitlines(), ""]:
        alone = bool(_ITEM.match(line))
        heading = bool(_HEADING.match(line))
        if held and (not line.strip() or alone or heading):
            yield " ".join(held)
            held = []
        if line.strip() and not heading:
            held.append(_ITEM.sub("", line).strip())


def parts_of(
    documents: Sequence[Document], wanted: int, longest: int, count: Callable[[str], int]
) -> list[Part]:
    """Each document whole, or in parts of at most ``longest`` tokens that end where sentences do.

    Args:
        wanted: pairs asked of a document; its parts share them out, the first ones getting what is
            left over, and each is asked for one at least.
        count: tokens of a text.
    """
    parts = []
    for document in documents:
        texts = _packed(document.text, longest, count)
        each, over = divmod(wanted, len(texts))
        parts += [
            Part(document.id, document.title, text, max(1, each + (n < over)))
            for n, text in enumerate(texts)
        ]
    return parts


def _packed(text: str, longest: int, count: Callable[[str], int]) -> list[str]:
    if count(text) <= longest:
        return [text]
    packed: list[str] = []
    held: list[str] = []
    size = 0
    for sentence in sentences(text) or [text]:
        for piece in _cut(sentence, longest, count):
            tokens = count(piece) + 1  # the space between sentences
            if held and size + tokens > longest:
                packed.append(" ".join(held))
                held, size = [], 0
            held.append(piece)
            size += tokens
    return [*packed, " ".join(held)] if held else packed


def _cut(sentence: str, longest: int, count: Callable[[str], int]) -> list[str]:
    """The sentence, or halves of it for as long as one is too long (a table without full stops)."""
    words = sentence.split()
    if len(words) < 2 or count(sentence) <= longest:
        return [sentence]
    half = len(words) // 2
    halves = (" ".join(words[:half]), " ".join(words[half:]))
    return [piece for one in halves for piece in _cut(one, longest, count)]
