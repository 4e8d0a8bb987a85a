"""Two arms set against each other at every volume: all that ``harness breakeven`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from harness.economics.breakeven import UNITS, ArmCost
from harness.economics.pairs import Pairs
from harness.economics.resampling import ResampledBreakEven, mean_cost, resampled_break_even
from harness.economics.rows import arm_cost, idle_cost, phases_cost
from harness.economics.scenarios import SCENARIOS, Scenario, in_scenario
from harness.errors import ConfigError
from harness.metering.config import CostConfig

Row = Mapping[str, Any]
Blocks = list[tuple[ArmCost, ArmCost]]

UPDATES = (0, 1, 2, 5, 10)
"""Numbers of updates that the table shows."""


@dataclass(frozen=True)
class Question:
    """How the arms are set against each other.

    Attributes:
        updates: of the knowledge, over the whole time.
        accuracy: the measure that says what is correct; None: each query counts, right or wrong.
        seed: of the resampling.
    """

    updates: float = 0
    accuracy: str | None = None
    cost: CostConfig | None = None
    seed: int = 0


@dataclass(frozen=True)
class Side:
    """What one arm costs, in the mean over blocks; None is unknown or not stated.

    Attributes:
        idle: part of the cost per query that falls on waiting.
        tune: choosing settings on validation; no part of the fixed cost.
        fixed_readings, per_query_readings: different ones among the blocks.
    """

    arm: str
    cost: ArmCost
    idle: float | None
    tune: float | None
    fixed_readings: int
    per_query_readings: int


@dataclass(frozen=True)
class Study:
    """The break-even in one unit.

    Attributes:
        by_updates: number of updates -> break-even.
        scenarios: of assumed watts -> break-even; None where it cannot be told. Empty where no
            watts are assumed, or the unit is seconds.
    """

    unit: str
    found: ResampledBreakEven
    sides: tuple[Side, Side]
    by_updates: dict[float, ResampledBreakEven]
    scenarios: dict[str, ResampledBreakEven | None]


def study(pairs: Pairs, unit: str, question: Question) -> Study:
    """The break-even of the pairs' arms in ``unit``, with all that is said beside it.

    Raises:
        ConfigError: a cost that it rests on is unknown, with whose and which; a price is missing.
    """
    blocks = costs_of(pairs.rows, unit, question)
    found = _break_even(blocks, question.updates, question)
    if found is None:
        raise ConfigError(_unknown(pairs, blocks, unit, question))
    counts = sorted({*UPDATES, question.updates})
    by_updates = {n: one for n in counts if (one := _break_even(blocks, n, question))}
    sides = tuple(
        _side(name, side, pairs, blocks, unit, question.cost)
        for side, name in enumerate((pairs.arm, pairs.against))
    )
    scenarios = {one.name: _in(one, pairs, unit, question) for one in SCENARIOS}
    told = unit != "seconds" and any(scenarios.values())
    return Study(unit, found, (sides[0], sides[1]), by_updates, scenarios if told else {})


def costs_of(rows: Sequence[tuple[Row, Row]], unit: str, question: Question) -> Blocks:
    """The cost of both arms in each block."""
    accuracy, cost = question.accuracy, question.cost
    return [
        (arm_cost(one, unit, accuracy, cost), arm_cost(two, unit, accuracy, cost))
        for one, two in rows
    ]


def _break_even(blocks: Blocks, updates: float, question: Question) -> ResampledBreakEven | None:
    return resampled_break_even(
        blocks, updates, per_correct=question.accuracy is not None, seed=question.seed
    )


def _in(
    scenario: Scenario, pairs: Pairs, unit: str, question: Question
) -> ResampledBreakEven | None:
    rows = []
    for one, two in pairs.rows:
        scaled = in_scenario(one, scenario), in_scenario(two, scenario)
        if scaled[0] is None or scaled[1] is None:
            return None
        rows.append((scaled[0], scaled[1]))
    return _break_even(costs_of(rows, unit, question), question.updates, question)


def _side(
    arm: str, side: int, pairs: Pairs, blocks: Blocks, unit: str, cost: CostConfig | None
) -> Side:
    rows, own = [pair[side] for pair in pairs.rows], [block[side] for block in blocks]
    return Side(
        arm,
        mean_cost(own),
        _mean([idle_cost(row, unit, cost) for row in rows]),
        _mean([phases_cost(row, ("tune",), unit, cost) for row in rows]),
        len({one.fixed for one in own}),
        len({one.per_query for one in own}),
    )


def _unknown(pairs: Pairs, blocks: Blocks, unit: str, question: Question) -> str:
    """Whose cost is unknown, and which."""
    lacking = []
    for side, arm in enumerate((pairs.arm, pairs.against)):
        own = [block[side] for block in blocks]
        names = [
            what
            for what, values in (
                ("the fixed cost", [one.fixed for one in own]),
                ("the cost per query", [one.per_query for one in own]),
                ("the cost of an update", [one.update for one in own] if question.updates else []),
                (
                    str(question.accuracy),
                    [one.accuracy for one in own] if question.accuracy else [],
                ),
            )
            if None in values
        ]
        if any(not row[side].get("n_test") for row in pairs.rows):
            names = ["any test question answered"]
        if names:
            lacking.append(f"{arm} lacks {' and '.join(names)}")
    return (
        f"the readings do not hold every cost in {UNITS[unit]} ({'; '.join(lacking)}): the "
        "break-even is unknown"
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
