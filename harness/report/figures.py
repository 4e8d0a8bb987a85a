"""The figures of a report: each chart that the runs have the figures for, in reading order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.accuracy_charts import accuracy_by_arm
from harness.report.drawing import Figure, to_png, to_svg, vega_bundle
from harness.report.readings import read_arms

if TYPE_CHECKING:
    import pandas as pd

    from harness.compare.result import Comparison

__all__ = ["Figure", "figures", "to_png", "to_svg", "vega_bundle"]


def figures(frame: pd.DataFrame, comparison: Comparison) -> list[Figure]:
    """The charts of a comparison; those that nothing was measured for are left out.

    Args:
        frame: one row a run, as ``harness.results`` reads it.
    """
    arms = read_arms(frame, comparison.arms)
    made = [accuracy_by_arm(arms, measure) for measure in comparison.primary]
    return [figure for figure in made if figure is not None]
