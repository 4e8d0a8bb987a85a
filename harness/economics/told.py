"""A break-even in words, and as plain data for ``--json``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.economics.breakeven import UNITS
from harness.economics.pairs import Pairs
from harness.economics.predicted import Predicted
from harness.economics.resampling import FEW_BLOCKS, ResampledBreakEven
from harness.economics.scenarios import assumed_watts
from harness.economics.volume import Question, Side, Study

SAID = {
    "above": "is cheaper than {against} above {queries} queries",
    "below": "is cheaper than {against} below {queries} queries",
    "always": "is cheaper than {against} at every volume",
    "never": "is cheaper than {against} at no volume",
    "tie": "costs what {against} costs at every volume",
}

ESTIMATE = "energy is an estimate, not read from a counter"


def lines_of(pairs: Pairs, one: Study, question: Question) -> list[str]:
    """The break-even in one unit as lines of text."""
    found, unit = one.found, UNITS[one.unit]
    queries = "" if found.point.queries is None else count(found.point.queries)
    said = SAID[found.point.case].format(against=pairs.against, queries=queries)
    each = f" per correct answer ({question.accuracy})" if question.accuracy else ""
    after = f" with {question.updates:g} updates" if question.updates else ""
    lines = [f"{pairs.arm} {said}, in {unit}{each}{after}"]
    if found.low is not None and found.high is not None:
        shares = ", ".join(f"{case} {share:.0%}" for case, share in found.shares.items())
        ends = f"95 % interval: {interval(found)}; " if crosses(found) else ""
        lines += [f"{ends}resamples: {shares}"]
        if found.unbounded and crosses(found):
            lines += ["no upper end: the difference in cost per query could be 0 or turn around"]
    lines += [_side(side, unit, len(pairs.rows), pairs.kind) for side in one.sides]
    if len(pairs.rows) < FEW_BLOCKS:
        lines.append(f"fewer than {FEW_BLOCKS} blocks: an interval is too narrow, or there is none")
    if len(one.by_updates) > 1:
        lines += ["", *_table("updates", {f"{n:g}": at for n, at in one.by_updates.items()})]
    if one.scenarios:
        lines += ["", *_table("assumed watts", {"as assumed": found, **one.scenarios})]
    return lines


def words_on_energy(pairs: Pairs) -> list[str]:
    """What the energy of the rows rests on; nothing where counters read it."""
    rows = [row for pair in pairs.rows for row in pair]
    if all(row.get("energy_source") == "counter" for row in rows):
        return []
    watts = assumed_watts(rows[0])
    parts = ", ".join(f"{part} {value:.3g} W" for part, value in watts.items())
    return [f"{ESTIMATE}{f'; assumed: {parts}' if parts else ''}"]


def words_on_prediction(
    told: Predicted | str, studies: Sequence[Study], question: Question
) -> list[str]:
    """The predicted volume beside the measured ones, and the reasons for the difference."""
    if isinstance(told, str):
        return [told]
    r = f"D = {told.trained_tokens:,.0f} trained tokens, r = {told.extra_prompt_tokens:,.1f}"
    if told.queries is None:
        first = (
            f"predicted: {told.trained} never overtakes {told.other}, whose prompts are no longer"
        )
        return [f"{first} ({told.formula}, {r})"]
    measured = ", ".join(
        f"in {UNITS[one.unit]} {_short(one.found, _turned(one, told))}" for one in studies
    )
    fits = 1 + question.updates  # each update is another fit
    formula = f"{told.formula}{f', {fits:g} fits' if question.updates else ''}"
    return [
        f"predicted in FLOP: {told.trained} is cheaper above {count(fits * told.queries)} queries "
        f"({formula}, {r} more prompt tokens a query of {told.other}); measured: {measured}",
        *(f"- {reason}" for reason in told.reasons),
    ]


def as_data(
    pairs: Pairs, studies: Sequence[Study], told: Predicted | str, question: Question
) -> dict[str, Any]:
    """The same as JSON-ready values; a volume without limit is null, and said to be unbounded."""
    return {
        "arm": pairs.arm,
        "against": pairs.against,
        "readings": pairs.kind,
        "blocks": len(pairs.rows),
        "runs": sorted({str(row["run_id"]) for pair in pairs.rows for row in pair}),
        "updates": question.updates,
        "per": "correct" if question.accuracy else "query",
        "accuracy": question.accuracy,
        "energy": _energy(pairs),
        "assumed_watts": assumed_watts(pairs.rows[0][0]),
        "results": {one.unit: _study_data(one) for one in studies},
        "predicted": told if isinstance(told, str) else asdict(told),
        "notes": list(pairs.told),
    }


def crosses(found: ResampledBreakEven) -> bool:
    """Whether one arm overtakes the other, in the means or in some resample: else no volume."""
    return not {found.point.case, *found.shares}.isdisjoint({"above", "below"})


def interval(found: ResampledBreakEven) -> str:
    """The interval's ends."""
    low, high = (end if end is not None else math.inf for end in (found.low, found.high))
    return f"{count(low)} to {count(high)}"


def count(queries: float) -> str:
    """A number of queries as it is printed."""
    return f"{queries:,.0f}" if queries < math.inf else "no limit"


def _energy(pairs: Pairs) -> str:
    """Where the energy of all readings is from: one that is estimated makes it an estimate."""
    sources = {str(row.get("energy_source") or "none") for pair in pairs.rows for row in pair}
    return sources.pop() if len(sources) == 1 else "estimate"


def _side(side: Side, unit: str, blocks: int, kind: str) -> str:
    cost = side.cost
    parts = [f"fixed {_figure(cost.fixed)} {unit}", f"per query {_figure(cost.per_query)} {unit}"]
    if side.idle is not None and unit != UNITS["seconds"]:
        parts[-1] += f" ({_figure(side.idle)} of it idling)"
    parts.append(f"an update {_figure(cost.update)} {unit}")
    if side.tune:
        parts.append(f"choosing settings {_figure(side.tune)} {unit}, left out")
    return (
        f"{side.arm}: {'; '.join(parts)}. {side.fixed_readings} different readings of the fixed "
        f"cost and {side.per_query_readings} of the cost per query in {blocks} {kind}"
        f"{'; what was reused adds no spread' if kind == 'seeds' else ''}"
    )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _table(head: str, rows: Mapping[str, ResampledBreakEven | None]) -> list[str]:
    """A line a row: what it is of, the case with its volume, the interval."""
    cells = [(head, "cheaper", "95 % interval")]
    for name, found in rows.items():
        known = found is not None and found.low is not None and crosses(found)
        ends = interval(found) if found and known else "–"
        cells.append((name, "unknown" if found is None else _case(found), ends))
    width = [max(len(cell[at]) for cell in cells) for at in (0, 1)]
    return [f"{a:<{width[0]}}  {b:<{width[1]}}  {c}" for a, b, c in cells]


def _case(found: ResampledBreakEven) -> str:
    point = found.point
    return point.case if point.queries is None else f"{point.case} {count(point.queries)}"


def _short(found: ResampledBreakEven, turned: bool) -> str:
    """The case from the trained arm's side."""
    other = {"above": "below", "below": "above", "always": "never", "never": "always"}
    case = other.get(found.point.case, found.point.case) if turned else found.point.case
    queries = found.point.queries
    return case if queries is None else f"{case} {count(queries)}"


def _turned(one: Study, told: Predicted) -> bool:
    return one.sides[0].arm != told.trained


def _study_data(one: Study) -> dict[str, Any]:
    return {
        **_found_data(one.found),
        "arms": {
            side.arm: {
                "fixed": side.cost.fixed,
                "per_query": side.cost.per_query,
                "idle_per_query": side.idle,
                "update": side.cost.update,
                "tune": side.tune,
                "accuracy": side.cost.accuracy,
            }
            for side in one.sides
        },
        "by_updates": [{"updates": n, **_found_data(at)} for n, at in one.by_updates.items()],
        "scenarios": {
            name: None if found is None else _found_data(found)
            for name, found in one.scenarios.items()
        },
    }


def _found_data(found: ResampledBreakEven) -> dict[str, Any]:
    def finite(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None

    return {
        "case": found.point.case,
        "queries": finite(found.point.queries),
        "low": finite(found.low),
        "high": finite(found.high),
        "unbounded": found.unbounded,
        "shares": dict(found.shares),
    }
