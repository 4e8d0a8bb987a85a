"""At what query volume one arm's total cost falls below another's, and where it never does.

An arm costs a fixed sum (preparing, training, indexing), a sum for each update of the knowledge,
and a sum for each query. The unit is the caller's: US$, kWh, kg CO2e, seconds or FLOP.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from harness.economics.checks import checked_amount, checked_positive, checked_share
from harness.errors import ConfigError, suggestion

UNITS = {"seconds": "s", "kwh": "kWh", "kgco2e": "kg CO2e", "usd": "US$"}
"""What costs are counted in, and how that is written."""

CASES = ("above", "below", "always", "never", "tie")
"""Where the first arm is the cheaper one: above or below the volume, everywhere, nowhere, or both
cost the same everywhere."""

TRAINING_FLOP = {"full": 6, "lora": 4}
"""FLOP a parameter and trained token: forward 2, gradients of activations 2, of weights 2, which
LoRA needs for its own few weights only (without recomputed activations)."""

PROMPT_FLOP = 2
"""FLOP a parameter and prompt token: one forward pass."""


@dataclass(frozen=True)
class ArmCost:
    """What one arm costs, all in one unit. None is unknown, never zero.

    Attributes:
        fixed: once, before the first query.
        per_query: each query.
        update: each update of the knowledge; a partial re-index embeds only what changed.
        accuracy: share of queries answered correctly.
    """

    fixed: float | None
    per_query: float | None
    update: float | None = None
    accuracy: float | None = None

    def __post_init__(self) -> None:
        for name in ("fixed", "per_query", "update"):
            value = getattr(self, name)
            if value is not None:
                checked_amount(value, f"the {name.replace('_', ' ')} cost")
        if self.accuracy is not None:
            checked_share(self.accuracy, "the accuracy")


@dataclass(frozen=True)
class BreakEven:
    """The first arm against the second.

    Attributes:
        case: one of CASES.
        queries: the volume at which both cost the same; None unless the case is above or below.
    """

    case: str
    queries: float | None = None


def break_even(
    arm: ArmCost, against: ArmCost, updates: float = 0, per_correct: bool = False
) -> BreakEven | None:
    """Where ``arm`` costs less than ``against``; None where a cost that it rests on is unknown.

    With ``per_correct`` every term is divided by its arm's accuracy, so that what is compared at a
    volume of queries is the cost of a correct answer. An arm that is never right never wins.

    Raises:
        ConfigError: the number of updates is negative.
    """
    checked_amount(updates, "the number of updates")
    mine, theirs = _line(arm, updates, per_correct), _line(against, updates, per_correct)
    if mine is None or theirs is None:
        return None
    if per_correct and 0 in (arm.accuracy, against.accuracy):
        return BreakEven("always" if arm.accuracy else "never")
    return _crossing(mine[0] - theirs[0], theirs[1] - mine[1])


def total_cost(arm: ArmCost, queries: float, updates: float = 0) -> float | None:
    """What ``arm`` costs up to and with the given queries and updates; None where unknown.

    Raises:
        ConfigError: a count is negative.
    """
    line = _line(arm, checked_amount(updates, "the number of updates"), per_correct=False)
    checked_amount(queries, "the number of queries")
    return None if line is None else float(line[0] + Fraction(queries) * line[1])


def predicted_queries(
    trained_tokens: float, extra_prompt_tokens: float, training: str
) -> float | None:
    """Break-even in FLOP of fine-tuning against longer prompts; None where no prompt is longer.

    Training N parameters on D tokens (epochs counted) takes 6ND (full) or 4ND (LoRA), r more
    prompt tokens take 2Nr a query: 3D/r or 2D/r queries, whatever N is.

    Raises:
        ConfigError: a count is not one, or ``training`` is neither "full" nor "lora".
    """
    checked_positive(trained_tokens, "the number of trained tokens")
    checked_amount(extra_prompt_tokens, "the number of extra prompt tokens")
    if training not in TRAINING_FLOP:
        raise ConfigError(
            f"training is '{training}'{suggestion(training, list(TRAINING_FLOP))}; "
            f"it is one of {', '.join(TRAINING_FLOP)}"
        )
    if extra_prompt_tokens == 0:
        return None
    return TRAINING_FLOP[training] * trained_tokens / (PROMPT_FLOP * extra_prompt_tokens)


def _line(arm: ArmCost, updates: float, per_correct: bool) -> tuple[Fraction, Fraction] | None:
    """The cost at no query and the slope, None where unknown; undivided where accuracy is 0.

    Exact: rounding in a division by the accuracy must not turn a tie into a crossing.
    """
    if arm.fixed is None or arm.per_query is None or (updates and arm.update is None):
        return None
    if per_correct and arm.accuracy is None:
        return None
    fixed = Fraction(arm.fixed) + Fraction(updates) * Fraction(arm.update or 0)
    each = Fraction(arm.per_query)
    if per_correct and arm.accuracy:
        return fixed / Fraction(arm.accuracy), each / Fraction(arm.accuracy)
    return fixed, each


def _crossing(more_fixed: Fraction, saved_per_query: Fraction) -> BreakEven:
    if more_fixed == 0 and saved_per_query == 0:
        return BreakEven("tie")
    if more_fixed > 0 and saved_per_query > 0:
        return BreakEven("above", _volume(more_fixed, saved_per_query))
    if more_fixed < 0 and saved_per_query < 0:
        return BreakEven("below", _volume(more_fixed, saved_per_query))
    return BreakEven("always" if more_fixed <= 0 <= saved_per_query else "never")


def _volume(more_fixed: Fraction, saved_per_query: Fraction) -> float:
    try:
        return float(more_fixed / saved_per_query)
    except OverflowError:  # the costs per query differ by less than any real measurement resolves
        return float("inf")
