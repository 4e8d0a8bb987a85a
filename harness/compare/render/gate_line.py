"""A judged gate as one line."""

from __future__ import annotations

from harness.compare.gate import FAIL, INCONCLUSIVE, Outcome
from harness.compare.render.figures import (
    EMPTY,
    Scale,
    decimals,
    interval,
    percent,
    signed,
)
from harness.compare.render.grid import plain


def gate_line(outcome: Outcome, require_shown: bool) -> str:
    """The result, the expression, then the contrast that decided it with its figures.

    Figures are in the unit of the expression, and never rounded across its number.
    """
    gate, tested = outcome.gate, outcome.tested
    failed = outcome.result == FAIL or (require_shown and outcome.result == INCONCLUSIVE)
    parts = [f"gate {'fail' if failed else outcome.result}: {plain(gate.expression)}"]
    if outcome.contrast is not None:
        parts.append(plain(outcome.contrast.name) + _figures(outcome))
    reasons = [plain(outcome.reason)] if outcome.reason else []
    if failed and outcome.result == INCONCLUSIVE:
        reasons.append("inconclusive fails with --require-shown")
    if outcome.contrasts > 1:
        reasons.append(f"the worst of {outcome.contrasts} contrasts")
    if tested is not None and tested.low is not None and not tested.paired:
        reasons.append("unpaired")
    return "; ".join([*parts, *reasons])


def _figures(outcome: Outcome) -> str:
    """The difference and its interval, as " −0.051 [−0.080, −0.022] at 97.5 %"."""
    tested = outcome.tested
    if tested is None or tested.difference is None:
        return ""
    ends = [tested.low, tested.high]
    a_share = tested.unit.startswith(("share", "mean"))
    scale = Scale(fewest=3 if a_share else 0)
    places = decimals(scale, ends, [tested.difference], [0.0, outcome.gate.number])
    level = EMPTY if tested.confidence is None else percent(tested.confidence)
    found = interval(tested.low, tested.high, places)
    shown = f" {found} at {level}" if found != EMPTY else ""
    return f" {signed(tested.difference, places)}{shown}"
