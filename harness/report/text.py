"""Foreign text made fit to show: nothing invisible, nothing endless, nothing that cannot be stored.

Model output, file names and error messages may hold anything. Markup in them is harmless because
the page escapes it or sets it as text; what is mended here is what no escaping can show.
"""

from __future__ import annotations

import re

_CONTROL = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_CONTROL[0x7F] = "\u2421"
_CONTROL |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with each control character as its picture (␀) and half a surrogate pair as �.

    Tabs and line feeds stay; a carriage return before a line feed goes.
    """
    text = text.replace("\r\n", "\n")
    return _UNPRINTABLE.sub(lambda found: _CONTROL.get(ord(found[0]), "\ufffd"), text)


def cut(text: str, longest: int) -> str:
    """``visible`` text, at most ``longest`` characters of it, with a note of what was left out."""
    if len(text) <= longest:
        return visible(text)
    return f"{visible(text[:longest])} … [cut: {len(text):,} characters]"


def one_line(text: str, longest: int = 300) -> str:
    """``cut`` text on one line, without a full stop at its end."""
    return cut(" ".join(text.split()), longest).rstrip(".")
