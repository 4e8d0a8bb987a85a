"""The break-even that counting FLOP predicts, and why the measured one is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from harness.economics.breakeven import PROMPT_FLOP, TRAINING_FLOP, predicted_queries
from harness.economics.pairs import Pairs
from harness.economics.rows import FIXED

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Predicted:
    """Break-even in FLOP of a trained arm against one that is given longer prompts.

    Attributes:
        queries: above which the trained arm is cheaper; None where no prompt is longer.
        formula: "3D/r" or "2D/r".
        trained_tokens: D, every epoch counted, and in each example what all of them begin with.
        extra_prompt_tokens: r, of a query of the other arm.
        reasons: why a measured volume differs, in the readings' own figures.
    """

    trained: str
    other: str
    queries: float | None
    formula: str
    trained_tokens: float
    extra_prompt_tokens: float
    reasons: tuple[str, ...]


def predicted(pairs: Pairs) -> Predicted | str:
    """The prediction for the two arms; where there is none, why not."""
    sides = {
        name: [block[side] for block in pairs.rows]
        for side, name in enumerate((pairs.arm, pairs.against))
    }
    trained = [name for name, rows in sides.items() if _mean(rows, "trained_tokens")]
    if len(trained) != 1:
        both = "both arms are" if trained else "neither arm is"
        return (
            f"predicted: nothing, as {both} trained (3D/r is of a trained arm and longer prompts)"
        )
    (mine,) = trained
    (other,) = (name for name in sides if name != mine)
    kind = "full" if sides[mine][0].get("adapter") == "full" else "lora"
    short, long = (_a_question(sides[name], "prefill_tokens") for name in (mine, other))
    tokens = _mean(sides[mine], "trained_tokens")
    if tokens is None or short is None or long is None:
        return "predicted: nothing, as the rows do not say how long the prompts were"
    extra = long - short
    queries = predicted_queries(tokens, extra, kind) if extra > 0 else None
    ratio = TRAINING_FLOP[kind] // PROMPT_FLOP
    reasons = _reasons(mine, other, sides, ratio)
    return Predicted(mine, other, queries, f"{ratio}D/r", tokens, extra, reasons)


def _reasons(
    mine: str, other: str, sides: Mapping[str, Sequence[Row]], ratio: int
) -> tuple[str, ...]:
    """What the formula leaves out or takes for equal, each with its figures in seconds."""
    lines = []
    train, tokens = _mean(sides[mine], "train_seconds"), _mean(sides[mine], "trained_tokens")
    read = _mean(sides[other], "prefill_seconds"), _mean(sides[other], "prefill_tokens")
    if train and tokens and read[0] and read[1]:
        a_trained, a_read = train / tokens, read[0] / read[1]
        lines.append(
            f"a trained token of {mine} took {a_trained * 1e3:.3g} ms, a prompt token of {other} "
            f"{a_read * 1e3:.3g} ms: {a_trained / a_read:.2g} times, where FLOP say {ratio} times"
        )
    shared = _mean(sides[mine], "train_shared_tokens")
    if shared:
        lines.append(
            f"D counts in each example the {shared:.3g} tokens that all examples of {mine} begin "
            "with, which a batch computed once"
        )
    for phase, what in (("retrieve", "searching"), ("decode", "generating")):
        each = {name: _a_question(sides[name], f"{phase}_seconds") for name in sides}
        told = [f"{name} {one * 1e3:.3g} ms" for name, one in each.items() if one is not None]
        if told:
            lines.append(f"{what} is not in it: {', '.join(told)} a query")
    lengths = {name: _a_question(sides[name], "decode_tokens") for name in sides}
    if all(lengths.values()):
        both = ", ".join(f"{name} {value:.1f}" for name, value in lengths.items())
        lines.append(f"answers are taken to be of one length: {both} tokens")
    fixed = {phase: [_mean(sides[name], f"{phase}_seconds") for name in sides] for phase in FIXED}
    aside = [
        f"{phase} of {name} {value:.3g} s"
        for phase in ("prepare", "index")
        for name, value in zip(sides, fixed[phase], strict=True)
        if value
    ]
    if aside:
        lines.append(f"making training data and the index is not in it: {', '.join(aside)}")
    return tuple(lines)


def _a_question(rows: Sequence[Row], column: str) -> float | None:
    whole, questions = _mean(rows, column), _mean(rows, "n_test")
    return whole / questions if whole is not None and questions else None


def _mean(rows: Sequence[Row], column: str) -> float | None:
    known = [float(row[column]) for row in rows if not pd.isna(row.get(column))]
    return fmean(known) if known and len(known) == len(rows) else None
