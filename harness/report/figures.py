"""The figures of a report: each chart that the runs have the figures for, in reading order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.report.accuracy_charts import accuracy_by_arm
from harness.report.contrast_charts import contrasts
from harness.report.cost_charts import energy_by_phase, time_by_phase
from harness.report.drawing import Figure, to_png, to_svg, vega_bundle
from harness.report.encodings import file_safe, sentences
from harness.report.given_context import given_context
from harness.report.grouped_charts import accuracy_by_bucket, forgetting, retrieval
from harness.report.pareto_charts import Prices, pareto_charts, price_charts
from harness.report.quantities import scale
from harness.report.readings import Arm, Intervals, read_arms, shown_names, unit_of

if TYPE_CHECKING:
    import pandas as pd

    from harness.compare.result import Comparison
    from harness.scores import RunScores

    Scores = Mapping[str, Sequence[RunScores]]

__all__ = ["Figure", "figures", "to_png", "to_svg", "vega_bundle"]

MOST_ARMS = 30
"""Arms that a chart can tell apart; the first are drawn, and the caption says so."""


def figures(
    frame: pd.DataFrame,
    comparison: Comparison,
    intervals: Intervals | None = None,
    scores: Scores | None = None,
    prices: Prices | None = None,
) -> list[Figure]:
    """The charts of a comparison; those that nothing was measured for are left out.

    Arms that answered other questions are not drawn in one chart: each task, and each test split
    of a task, has charts of its own.

    Args:
        frame: one row a run, as ``harness.results`` reads it.
        intervals: (label of an arm, measure) -> ends of its interval, where it is better known
            than from rows: with several seeds, rows only have each seed's own.
        scores: label of an arm -> each run's scores, from which accuracy is taken among the
            questions whose answer stood in the prompt's passages. Rows do not hold it.
        prices: name of a price -> label of an arm -> what a thousand queries cost at it.
    """
    groups: dict[tuple[str, ...], list[Arm]] = {}
    for arm in read_arms(frame, comparison.arms, intervals):
        groups.setdefault((arm.task, *sorted(arm.texts("split_sha256"))), []).append(arm)
    made: list[Figure] = []
    for (task, *splits), arms in groups.items():
        made_of = _of(arms, comparison, scores or {}, prices or {})
        drawn = [_with_limits(figure, arms) for figure in made_of]
        if len(groups) > 1:
            tasks = [other for other, *_ in groups]
            split = f", split {''.join(splits)[:8]}" if tasks.count(task) > 1 else ""
            drawn = [_of_task(figure, f"{shown_names([task])[0]}{split}") for figure in drawn]
        made += drawn
    return made


def _of(
    arms: Sequence[Arm], comparison: Comparison, scores: Scores, prices: Prices
) -> list[Figure]:
    arms = arms[:MOST_ARMS]
    names = {arm.label: arm.name for arm in arms}
    measures = [name for name in comparison.primary if any(arm.read(name) for arm in arms)]
    made: list[Figure | None] = [accuracy_by_arm(arms, measure) for measure in measures]
    made += [contrasts(comparison.results, measure, names) for measure in measures]
    for measure in measures[:1]:
        made += pareto_charts(arms, measure)
        made += price_charts(arms, measure, prices)
    made += forgetting(arms)
    made += [accuracy_by_bucket(arms, measure) for measure in measures]
    made += [time_by_phase(arms), energy_by_phase(arms)]
    made.append(_retrieval(arms, measures[0] if measures else "", scores))
    return [figure for figure in made if figure is not None]


def _retrieval(arms: Sequence[Arm], measure: str, scores: Scores) -> Figure | None:
    share = scale(unit_of(measure, arms)).unit == "%"
    given = {
        arm.label: found
        for arm in arms
        if share and (found := given_context(scores.get(arm.label, ()), measure)) is not None
    }
    return retrieval(arms, given, measure)


def _with_limits(figure: Figure, arms: Sequence[Arm]) -> Figure:
    if len(arms) <= MOST_ARMS:
        return figure
    note = f"Only the first {MOST_ARMS} of {len(arms)} arms are considered."
    return replace(figure, caption=sentences(figure.caption, note))


def _of_task(figure: Figure, task: str) -> Figure:
    return replace(
        figure, name=f"{figure.name}_{file_safe(task)}", title=f"{figure.title} ({task})"
    )
