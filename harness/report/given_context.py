"""Accuracy among the questions whose answer stood in the prompt's passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.report.readings import Reading, combine
from harness.stats import share_interval

if TYPE_CHECKING:
    from harness.scores import RunScores


def given_context(runs: Sequence[RunScores], measure: str) -> Reading | None:
    """The measure where ``answer_in_context`` is 1, over an arm's runs; None where none has both.

    It tells a reader that fails from a retriever that fails. The measure must lie within 0 and 1.
    """
    import numpy as np

    found = []
    for run in runs:
        scores, context = run.measures.get(measure), run.measures.get("answer_in_context")
        if scores is None or context is None:
            continue
        chosen = np.flatnonzero((context == 1) & np.isfinite(scores))
        clusters = [run.clusters[position] for position in chosen]
        interval = share_interval(scores[chosen].tolist(), clusters)
        if interval is not None:
            found.append((interval.mean, interval.low, interval.high))
    return combine(found)
