"""What all prompts of an arm begin with, and so need be read, or paid in full, only once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any


@dataclass(frozen=True)
class SharedPrefix:
    """Attributes:
    characters: that all prompts begin with.
    tokens: of them, estimated: each prompt's tokens by the share of its characters.
    """

    characters: int
    tokens: float


def shared_prefix(path: Path) -> SharedPrefix | None:
    """The prefix of the prompts in a file of predictions.

    None where there are not two prompts with their number of tokens: nothing is then shared.

    Raises:
        RecordError: the file cannot be read.
    """
    from harness.foreign import Problems
    from harness.scores import prediction_lines

    lines = [line for _, line in prediction_lines(path, Problems()) if _counts(line)]
    if len(lines) < 2:
        return None
    # The common prefix of many is that of the first and the last in order.
    prompts = [str(line["prompt"]) for line in lines]
    first, last = min(prompts), max(prompts)
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    length = min(len(first), len(last)) if length is None else length
    tokens = fmean(line["tokens_in"] * length / len(line["prompt"]) for line in lines)
    return SharedPrefix(length, tokens)


def _counts(line: dict[str, Any]) -> bool:
    """Whether a prompt and its tokens are there."""
    prompt, tokens = line.get("prompt"), line.get("tokens_in")
    whole = isinstance(tokens, int) and not isinstance(tokens, bool)
    return isinstance(prompt, str) and prompt != "" and whole and int(tokens or 0) > 0
