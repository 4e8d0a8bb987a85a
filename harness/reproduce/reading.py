"""What was run, read back: arms by stage, task and name, and the figures that pages show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import stats
from harness.compare.arms import Arm, line_up
from harness.compare.comparable import rounded_away
from harness.compare.scorebook import Scorebook
from harness.errors import RecordError
from harness.reproduce.claims import Buckets, Claim, Claims, Matched, VolumeRatio
from harness.reproduce.effects import Effect, effect
from harness.reproduce.paper import Ours
from harness.reproduce.sheet import Sheet, read_sheet
from harness.reproduce.verdict import Verdict, judge
from harness.reproduce.volumes import volume_effect
from harness.results import read_results

COLUMNS = ("bucket", "relation")
"""Fields of the predictions by which a claim or a cell may choose questions."""


@dataclass(frozen=True)
class Measured:
    """A mean with its 95 % interval over questions; of several seeds, of their mean."""

    value: float
    low: float | None
    high: float | None
    n: int
    seeds: int


class Reading:
    """The runs in a folder of results; empty where there are none yet.

    Args:
        model: only runs of this one count; "" where there is but one.

    Attributes:
        problems: what could not be read.
    """

    def __init__(self, folder: Path, model: str = "") -> None:
        self.book = Scorebook(COLUMNS)
        self.problems: list[str] = []
        self._arms: dict[tuple[str, str, str], list[Arm]] = {}
        try:
            results = read_results([folder])
        except RecordError as error:
            self.problems.append(str(error))
            return
        arms, told = line_up(results.frame)
        self.problems += [*results.problems, *told]
        for arm in arms:
            one = arm.summary
            if model and one.model != model:
                continue
            self._arms.setdefault((one.experiment, one.task, one.arm), []).append(arm)
        self.problems += _of_trainings([arm for found in self._arms.values() for arm in found])

    @property
    def empty(self) -> bool:
        """Whether nothing was run."""
        return not self._arms

    def find(self, stage: str, task: str, arm: str) -> Arm | str:
        """The runs of an arm; or why there is not one arm of that name."""
        found = [one for one in self._arms.get((stage, task, arm), []) if one.runs]
        failed = [one for one in self._arms.get((stage, task, arm), []) if one.failed]
        if not found:
            if failed:
                return f"{arm} on {task} failed: {failed[0].failed[0].get('error') or 'no error'}"
            return f"{arm} was not run on {task}"
        if len(found) > 1:
            settings = {name for one in found for name in one.summary.settings}
            return (
                f"{arm} on {task} was run with several settings "
                f"({', '.join(sorted(settings)) or 'no column tells which'})"
            )
        return found[0]

    def measured(self, ours: Ours) -> Measured | str:
        """The figure of a cell or a point; or why there is none."""
        sheet = self._sheet(ours.stage, (ours.arm,), (ours.task,), (ours.measure,), ours.only)
        if isinstance(sheet, str):
            return sheet
        values = sheet.scores[ours.arm].mean(axis=1)
        names = [f"c{number}" for number in sheet.clusters]
        interval = stats.share_interval if sheet.bounded else stats.mean_interval
        found = interval(values.tolist(), names)
        assert found is not None
        seeds = len(sheet.seeds[ours.arm])
        return Measured(found.mean, found.low, found.high, found.n, seeds)

    def verdicts(
        self, claims: Claims, judged: bool, stages: set[str] | None = None
    ) -> list[Verdict]:
        """The verdict on each claim; with ``stages``, on those that rest on one of them."""
        return [
            judge(claim, self._effect(claim, claims.level), claims.level, judged)
            for claim in claims.claims
            if stages is None or claim.cannot or claim.stage in stages
        ]

    def _effect(self, claim: Claim, level: float) -> Effect | str:
        contrast = claim.contrast
        if contrast is None:
            return claim.cannot
        if isinstance(contrast, VolumeRatio):
            return self._volumes(claim, contrast, level)
        matched = isinstance(contrast, Matched)
        measures = (contrast.accuracy,) if isinstance(contrast, Matched) else claim.measures
        place = (claim.stage, contrast.arms, claim.tasks)
        sheet = self._sheet(*place, measures, claim.only)
        if isinstance(sheet, str):
            return sheet
        if isinstance(contrast, Buckets) and contrast.column not in sheet.columns:
            return f"the predictions have no column '{contrast.column}'"
        harm = self._sheet(*place, claim.measures) if matched else None
        if isinstance(harm, str):
            return harm
        return effect(contrast, sheet, level, harm)

    def _volumes(self, claim: Claim, contrast: VolumeRatio, level: float) -> Effect | str:
        (task,) = claim.tasks
        found = [self.find(claim.stage, task, arm) for arm in contrast.arms]
        missing = [one for one in found if isinstance(one, str)]
        if missing:
            return "; ".join(missing)
        one, two = (arm.runs for arm in found if isinstance(arm, Arm))
        return volume_effect(contrast, one, two, level)

    def _sheet(
        self,
        stage: str,
        arms: tuple[str, ...],
        tasks: tuple[str, ...],
        measures: tuple[str, ...],
        only: tuple[tuple[str, str], ...] = (),
    ) -> Sheet | str:
        def find(task: str, arm: str) -> Arm | str:
            return self.find(stage, task, arm)

        sheet = read_sheet(find, self.book, arms, tasks, measures, COLUMNS)
        if isinstance(sheet, str) or not only:
            return sheet
        for column, wanted in only:
            if column not in sheet.columns:
                return f"the predictions have no column '{column}'"
            kept = np.array([str(value) == wanted for value in sheet.columns[column]])
            if not kept.any():
                return f"no question has {column} {wanted}"
            sheet = sheet.only(kept)
        return sheet


def _of_trainings(arms: Sequence[Arm]) -> list[str]:
    """What has to be known of how the arms were trained."""
    rounded = sorted({arm.summary.arm for arm in arms if rounded_away(arm)})
    if not rounded:
        return []
    return [
        f"{', '.join(rounded)}: trained with updates in 16 bits, which round small ones away; they "
        "may have learned less than they could (docs/training.md)"
    ]
