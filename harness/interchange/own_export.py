"""What ``to_lm_eval`` writes of a run beside lm-eval's fields, and the run restored from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.columns import COLUMNS
from harness.interchange.foreign_run import OtherMeasure, foreign_name
from harness.interchange.leftover import Leftover
from harness.measures.definitions import MEASURES

OURS = "rag_ft_harness"
"""Key under which our own export keeps what lm-eval's format has no place for."""

SAME_DEFINITION = {"acc": "multiple_choice", "acc_norm": "multiple_choice_normalised"}
"""Measures of lm-eval's multiple-choice tasks that are defined as ours are."""

NOT_RESTORED = (
    "schema_version",
    "run_id",
    "experiment",
    "status",
    "error",
    "source",
    "metric_versions",
    "other_measures",
    "other_fields",
)
"""Columns of an exported row that are the importing table's own, or are rebuilt."""


def own_name(metric: str, row: Mapping[str, Any]) -> str:
    """What a metric of our own export was called in the row that was exported."""
    other = row.get("other_measures")
    if isinstance(other, dict) and metric in other:
        return metric
    name = SAME_DEFINITION.get(metric, metric)
    return name if name in MEASURES else foreign_name(metric, "lm_eval")


def restore(
    left: Leftover, columns: dict[str, Any], measures: dict[str, OtherMeasure]
) -> dict[str, Any]:
    """Fill in what stands beside the figures; the metric versions are returned.

    The figures themselves are lm-eval's fields: whoever edits those has edited the run.
    """
    row = left.look(OURS, "row")
    versions = left.take_object("metric_versions", OURS, "row", "metric_versions")
    for name, measure in measures.items():
        told = left.look(OURS, "row", "other_measures", name)
        if isinstance(told, dict):
            fields = {key: told[key] for key in ("low", "high", "unit", "n") if key in told}
            measures[name] = replace(measure, **fields)
    for name in list(row):
        if name in COLUMNS and name not in (*NOT_RESTORED, *MEASURES) and row[name] is not None:
            left.placed[OURS, "row", name] = name
            columns[name] = row.pop(name)
    return versions if isinstance(versions, dict) else {}
