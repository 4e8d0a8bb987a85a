"""Gates for CI: an expression such as "exact_match < -0.02", judged by an interval.

A gate fails when the interval of the difference lies wholly where the expression holds, passes when
it lies wholly where it does not, and is inconclusive in between or where there is no interval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.result import Comparison, Contrast, Tested
from harness.errors import ConfigError, suggestion
from harness.measures.definitions import COSTS, MEASURES

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
EXIT_CODES = {PASS: 0, FAIL: 1, INCONCLUSIVE: 3}
WORST_FIRST = (FAIL, INCONCLUSIVE, PASS)

_EXPRESSION = re.compile(r"(?P<name>[^<>]+)(?P<side>[<>])(?P<number>[^<>]+)")


@dataclass(frozen=True)
class Gate:
    """A condition on the difference arm − baseline that must not be shown to hold.

    Attributes:
        arm: label or bare name of the arms it is asked of; None: every one.
        side: "<" or ">".
        number: in the measure's own unit: 0.02 of a share is 2 points.
    """

    expression: str
    arm: str | None
    measure: str
    side: str
    number: float


@dataclass(frozen=True)
class Outcome:
    """How a gate fared: the worst of its contrasts.

    Attributes:
        result: PASS, FAIL or INCONCLUSIVE.
        tested: the test that decided; None where there was none.
        reason: why it is inconclusive; "" if it is not.
        contrasts: how many were judged.
    """

    gate: Gate
    result: str
    contrast: Contrast | None
    tested: Tested | None
    reason: str
    contrasts: int


def parse_gate(text: str) -> Gate:
    """The gate that an expression ``[ARM.]MEASURE (<|>) NUMBER`` states.

    What stands before the last dot is the arm, so an arm's label may hold dots.

    Raises:
        ConfigError: it is no such expression.
    """
    expression = " ".join(text.replace("−", "-").split())
    match = _EXPRESSION.fullmatch(expression)
    number = _finite(match["number"]) if match else None
    arm, _, measure = match["name"].strip().rpartition(".") if match else ("", "", "")
    if match is None or number is None or not measure.strip():
        raise ConfigError(
            f"--fail-if '{text}' is not '[ARM.]MEASURE < NUMBER' (or >), such as "
            "'exact_match < -0.02': the difference arm − baseline in the measure's own unit"
        )
    return Gate(expression, arm.strip() or None, measure.strip(), match["side"], number)


def check_gates(gates: Sequence[Gate], comparison: Comparison) -> None:
    """Check that each gate names an arm and a measure that exist.

    Raises:
        ConfigError: it does not, or it names the baseline.
    """
    known = {t.measure for t in (*comparison.results, *comparison.costs)} | {*MEASURES, *COSTS}
    labels = [arm.label for arm in comparison.arms]
    for gate in gates:
        where = f"--fail-if '{gate.expression}'"
        if gate.measure not in known:
            near = suggestion(gate.measure, sorted(known))
            raise ConfigError(f"{where}: no measure '{gate.measure}' in these results{near}")
        if gate.arm is None:
            continue
        named = _labels(gate.arm, comparison)
        if not named:
            raise ConfigError(
                f"{where}: no arm '{gate.arm}'{suggestion(gate.arm, labels)}; "
                f"it is one of: {', '.join(labels)}"
            )
        if all(contrast.arm not in named for contrast in comparison.contrasts):
            raise ConfigError(
                f"{where}: '{gate.arm}' is set against no other arm here; name the arm whose "
                "difference is meant, or another --baseline"
            )


def judge(gate: Gate, comparison: Comparison, estimand: str) -> Outcome:
    """The worst outcome of the gate over the contrasts that it is asked of.

    Costs are figures of whole runs and have no choice of estimand.
    """
    named = None if gate.arm is None else _labels(gate.arm, comparison)
    contrasts = [c for c in comparison.contrasts if named is None or c.arm in named]
    judged = [t for t in comparison.results if t.estimand == estimand]
    tests = {t.contrast.name: t for t in (*judged, *comparison.costs) if t.measure == gate.measure}
    outcomes = [
        _judge_one(gate, contrast, tests.get(contrast.name), estimand, len(contrasts))
        for contrast in contrasts
    ]
    if gate.arm is None:
        outcomes += [
            Outcome(
                gate, INCONCLUSIVE, None, None, f"{label} was compared with nothing", len(contrasts)
            )
            for label in _uncompared(comparison)
        ]
    if not outcomes:
        return Outcome(gate, INCONCLUSIVE, None, None, "no two arms were compared", 0)
    return min(outcomes, key=_order)


def _uncompared(comparison: Comparison) -> list[str]:
    """Arms that stand in no contrast: all their runs failed, or only one table has them."""
    used = {name for one in comparison.contrasts for name in (one.baseline, one.arm)}
    return [arm.label for arm in comparison.arms if arm.label not in used]


def _order(outcome: Outcome) -> tuple[int, float]:
    """Where an outcome stands from the worst; of alike ones, the nearest to failing."""
    tested, place = outcome.tested, WORST_FIRST.index(outcome.result)
    if tested is None or tested.low is None or tested.high is None:
        return place, -math.inf
    centre = (tested.low + tested.high) / 2
    return place, centre if outcome.gate.side == "<" else -centre


def exit_code(outcomes: Sequence[Outcome], require_shown: bool) -> int:
    """0 if every gate passes, 1 if one fails, 3 if one is inconclusive and none fails."""
    results = {_final(outcome.result, require_shown) for outcome in outcomes}
    return EXIT_CODES[next((result for result in WORST_FIRST if result in results), PASS)]


def _labels(name: str, comparison: Comparison) -> list[str]:
    """The arm with this label, else those with this bare name, as --baseline and --arms find it."""
    exact = [arm.label for arm in comparison.arms if arm.label == name]
    return exact or [arm.label for arm in comparison.arms if arm.arm == name]


def _final(result: str, require_shown: bool) -> str:
    return FAIL if require_shown and result == INCONCLUSIVE else result


def _judge_one(
    gate: Gate, contrast: Contrast, tested: Tested | None, estimand: str, contrasts: int
) -> Outcome:
    if contrast.refused:
        reason = f"not compared: {contrast.refused}"
    elif tested is None:
        reason = f"{gate.measure} was not tested ({estimand})"
    elif tested.low is None or tested.high is None:
        reason = tested.reason or "there is no interval"
    else:
        result = _side(gate, tested.low, tested.high)
        reason = "the interval lies on both sides" if result == INCONCLUSIVE else ""
        return Outcome(gate, result, contrast, tested, reason, contrasts)
    return Outcome(gate, INCONCLUSIVE, contrast, tested, reason, contrasts)


def _side(gate: Gate, low: float, high: float) -> str:
    """Where the interval lies: the number itself does not satisfy the expression."""
    if gate.side == "<":
        return FAIL if high < gate.number else PASS if low >= gate.number else INCONCLUSIVE
    return FAIL if low > gate.number else PASS if high <= gate.number else INCONCLUSIVE


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
