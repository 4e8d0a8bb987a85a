"""The tests of costs that every question has a figure of: its prompt's tokens, its answer's."""

from __future__ import annotations

from collections.abc import Collection

from harness.compare.entries import Side, weights_estimate
from harness.compare.estimate import Estimate
from harness.compare.family import Entry
from harness.compare.measured import Known
from harness.compare.result import THESE_WEIGHTS
from harness.compare.run_costs import FAMILY
from harness.measures.definitions import COSTS

OF_A_QUESTION = {"prompt_tokens": "tokens_in", "answer_tokens": "tokens_out"}
"""Cost -> the field of the predictions that holds it."""


def question_cost_entries(side: Side, wanted: Collection[str]) -> list[Entry]:
    """The tests of those costs ``wanted`` that both arms' predictions tell of every question."""
    found = []
    for name, fieldname in OF_A_QUESTION.items():
        if name not in wanted or side.answers is None:
            continue
        aligned = side.answers.scores(fieldname)
        if isinstance(aligned, str):
            continue
        measure = Known(name, COSTS[name].unit, COSTS[name].higher_is_better)
        outcome = weights_estimate(measure, aligned)
        estimate = outcome if isinstance(outcome, Estimate) else None
        found.append(
            Entry(
                contrast=side.contrast,
                measure=name,
                unit=measure.unit,
                higher_is_better=measure.higher_is_better,
                estimand=THESE_WEIGHTS,
                family=FAMILY,
                estimate=estimate,
                reason=outcome if isinstance(outcome, str) else "",
                baseline_value=None if estimate else float(aligned.baseline.mean()),
                arm_value=None if estimate else float(aligned.arm.mean()),
                notes=aligned.notes,
                baseline_seeds=aligned.baseline.shape[1],
                arm_seeds=aligned.arm.shape[1],
            )
        )
    return found
