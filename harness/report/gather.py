"""All that a report is made from, read once: the comparison, its runs and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare.result import ArmSummary, Comparison
from harness.errors import RecordError

if TYPE_CHECKING:
    import pandas as pd

    from harness.compare.options import Options
    from harness.scores import ProbeScores, RunScores

Run = dict[str, Any]
"""One row of results: column -> value; None where a cell is empty."""


@dataclass(frozen=True)
class ArmRuns:
    """An arm with the runs that count.

    Attributes:
        runs: one a seed, in the order of the summary's run ids.
        scores: for the runs that are measurements of their own and have predictions.
        probes: for the same runs, where probe items were kept.
    """

    summary: ArmSummary
    runs: tuple[Run, ...]
    scores: dict[str, RunScores] = field(default_factory=dict)
    probes: dict[str, dict[str, ProbeScores]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.summary.label

    @property
    def measured(self) -> tuple[Run, ...]:
        """The runs that are measurements of their own: of a frozen arm the first."""
        return self.runs[: max(1, self.summary.replicates)]

    def values(self, column: str) -> list[float]:
        """The column's figure in each measured run that has one."""
        found = [number(run.get(column)) for run in self.measured]
        return [value for value in found if value is not None]


@dataclass(frozen=True)
class ReportData:
    """Attributes:
    frame: every row that was read, failed ones too.
    problems: one line each: what could not be read or compared.
    """

    title: str
    frame: pd.DataFrame
    comparison: Comparison
    arms: tuple[ArmRuns, ...]
    problems: tuple[str, ...] = ()


def gather(paths: Sequence[Path], options: Options, title: str = "") -> ReportData:
    """The data behind the report of the results in ``paths``.

    Raises:
        RecordError: nothing in them can be read.
    """
    from harness.compare.arms import rows_of
    from harness.compare.comparison import compare
    from harness.results import read_results

    results = read_results(paths)
    comparison = compare(paths, options)
    runs = {(str(row.get("folder")), str(row["run_id"])): row for row in rows_of(results.frame)}
    problems = [*results.problems, *comparison.problems]
    arms = []
    for summary in comparison.arms:
        arm, lines = _arm(summary, runs)
        arms.append(arm)
        problems += lines
    return ReportData(
        title or _title(results.frame),
        results.frame,
        comparison,
        tuple(arms),
        tuple(dict.fromkeys(problems)),
    )


def number(value: Any) -> float | None:
    """The value as a float; None for a missing one of any kind."""
    if value is None or isinstance(value, bool | str | dict | list) or value != value:  # noqa: PLR0124
        return None
    return float(value)


def _arm(summary: ArmSummary, runs: dict[tuple[str, str], Run]) -> tuple[ArmRuns, list[str]]:
    from harness.compare.arms import run_file
    from harness.scores import read_probe_scores, read_scores

    arm = ArmRuns(
        summary,
        tuple(
            runs[summary.folder, run_id]
            for run_id in summary.run_ids
            if (summary.folder, run_id) in runs
        ),
    )
    problems = []
    for run in arm.measured:
        run_id = str(run["run_id"])
        predictions, probes = run_file(run, "predictions"), run_file(run, "probes")
        try:
            if predictions is not None and predictions.exists():
                arm.scores[run_id] = read_scores(predictions, ("bucket",))
            if probes is not None and probes.exists():
                arm.probes[run_id] = read_probe_scores(probes)
        except RecordError as error:
            problems.append(str(error))
    return arm, problems


def _title(frame: pd.DataFrame) -> str:
    names = [str(name) for name in frame["experiment"].dropna().unique()]
    if not names:
        return "Report"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
