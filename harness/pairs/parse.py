"""Reads what a generator wrote, strictly: what is no pair is handed back as it came.

Pairs are lines "Q: …" and "A: …" (or "Question:", "Answer:"), in turn, or both on one line; a
number or a bullet may stand before, and Markdown's ** around the mark. Other wordings are a line
each.
"""

from __future__ import annotations

import re

_BEFORE = r"\s*(?:[-*•]\s+|\(?\d+[.):]\s*)?"
_MARK = re.compile(
    rf"^{_BEFORE}\**(?P<mark>Q|A|Question|Answer)\s*\d*\**\s*:\**\s*(?P<text>.*)$", re.IGNORECASE
)
_ANSWER_INSIDE = re.compile(r"\s+\**(?:A|Answer)\s*\d*\**\s*:\**\s*")


def read_pairs(output: str) -> tuple[list[tuple[str, str]], list[str]]:
    """(questions with their answers, lines that are no part of a pair) of what was written.

    Question or answer may be empty.
    """
    pairs: list[tuple[str, str]] = []
    rest: list[str] = []
    asked: str | None = None
    for line in output.splitlines():
        if not line.strip():
            continue
        found = _MARK.match(line)
        if found is None:
            rest.append(line.strip())
            continue
        text = found["text"].strip()
        if found["mark"][0].lower() == "q":
            if asked is not None:
                rest.append(f"Q: {asked}")
            inside = _ANSWER_INSIDE.split(text, maxsplit=1)
            if len(inside) == 2:
                pairs.append((inside[0].strip(), inside[1].strip()))
                asked = None
            else:
                asked = text
        elif asked is None:
            rest.append(line.strip())
        else:
            pairs.append((asked, text))
            asked = None
    if asked is not None:
        rest.append(f"Q: {asked}")
    return pairs, rest


def read_wordings(output: str) -> list[str]:
    """The wordings, one a line, without what numbers or marks them."""
    lines = (re.sub(rf"^{_BEFORE}", "", line) for line in output.splitlines() if line.strip())
    marked = ((_MARK.match(line), line) for line in lines)
    return [(found["text"] if found else line).strip().strip("*").strip() for found, line in marked]


def write_pairs(pairs: list[tuple[str, str]]) -> str:
    """The pairs in the form that ``read_pairs`` reads."""
    return "\n".join(f"Q: {question}\nA: {answer}" for question, answer in pairs)
