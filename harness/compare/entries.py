"""The tests of one contrast: each measure under each estimand, with why there is none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.compare.align import Aligned, Pair, pair, unharmed
from harness.compare.arms import Arm
from harness.compare.comparable import one_model, other_version, version_note
from harness.compare.estimate import (
    Estimate,
    Reported,
    from_intervals,
    over_seeds,
    these_weights,
)
from harness.compare.family import Entry
from harness.compare.measured import Known, Report
from harness.compare.result import OVER_SEEDS, PRIMARY, SECONDARY, THESE_WEIGHTS, Contrast
from harness.compare.scorebook import Matrix, Scorebook, Scored
from harness.measures.definitions import FORGETTING, RETRIEVAL


@dataclass(frozen=True)
class Side:
    """One contrast with all that its tests are made from.

    Attributes:
        answers: the scores of the questions that both answered; None where one has no predictions.
        reports: what the rows of baseline and arm say.
    """

    contrast: Contrast
    baseline: Arm
    arm: Arm
    answers: Pair | None
    reports: tuple[Report, Report]
    book: Scorebook


def entries(
    side: Side,
    known: Iterable[Known],
    primary: Sequence[str],
    asked: Collection[str],
    has: Mapping[str, set[str]],
) -> list[Entry]:
    """The tests of a contrast over the measures ``known``, primary ones first.

    A measure that neither arm has, or that does not apply to one, stands there only if it is
    ``asked`` for by name. ``has`` is label of an arm to the measures that it has figures of.
    """
    arms = (side.baseline, side.arm)
    retrieving = all(arm.runs[0].get("retriever") for arm in arms)
    found = []
    for measure in sorted(known, key=lambda one: one.name not in primary):
        having = [measure.name in has[arm.label] for arm in arms]
        applies = any(having) and (measure.name not in RETRIEVAL or retrieving or all(having))
        if applies or measure.name in asked:
            found += _measure_entries(side, measure, measure.name in primary)
    return found


def is_bounded(measure: Known, matrices: Sequence[Matrix], one_start: bool = False) -> bool:
    """Whether no question's difference can exceed 1, which calls for care near the ceiling.

    ``one_start``: whether both arms had the same score of each probe item before training. Harm
    is before − after, so only then do two harms differ by what stood after alone.
    """
    low = min(float(matrix.min()) for matrix in matrices)
    high = max(float(matrix.max()) for matrix in matrices)
    if measure.name in FORGETTING:
        return one_start and measure.a_share and low >= -1 and high <= 1
    if not (low >= 0 and high <= 1):
        return False
    return measure.a_share or all(bool(np.isin(matrix, (0.0, 1.0)).all()) for matrix in matrices)


def weights_estimate(measure: Known, aligned: Aligned, one_start: bool = False) -> Estimate | str:
    """The difference for these trained weights; why there is none. As ``is_bounded``."""
    count = len(aligned.baseline) if aligned.clusters is None else int(aligned.clusters.max()) + 1
    if count < 2:
        return "all questions are about one entity: no spread to estimate"
    bounded = is_bounded(measure, (aligned.baseline, aligned.arm), one_start)
    if not bounded:
        spread = np.ptp(aligned.arm.mean(axis=1) - aligned.baseline.mean(axis=1))
        if spread == 0:
            return "the same difference on every question: no spread to test by"
    return these_weights(aligned.baseline, aligned.arm, aligned.clusters, bounded)


def _measure_entries(side: Side, measure: Known, primary: bool) -> list[Entry]:
    family = PRIMARY if primary else SECONDARY
    refused = other_version(side.baseline, side.arm, measure.name)
    if refused:
        return [_entry(side, measure, THESE_WEIGHTS, family, refused)]
    scores, marks = _scores(side, measure.name)
    note = version_note(side.baseline, side.arm, measure.name)
    marks = (*marks, note) if note else marks
    if isinstance(scores, str):
        return [_entry(side, measure, THESE_WEIGHTS, family, scores, marks)]
    if scores is None:
        return _unpaired(side, measure, family, primary, marks)
    aligned, seeds = scores
    notes = (*marks, *aligned.notes)
    weights = weights_estimate(measure, aligned, _one_start(side))
    found = [_entry(side, measure, THESE_WEIGHTS, family, weights, notes)]
    if isinstance(weights, Estimate):
        over = _over_seeds(side, measure, aligned, seeds)
        if primary or isinstance(over, Estimate):
            found.append(_entry(side, measure, OVER_SEEDS, family, over, notes))
    return found


def _scores(
    side: Side, measure: str
) -> tuple[tuple[Aligned, tuple[Scored, Scored]] | str | None, tuple[str, ...]]:
    """Paired scores and whose they are; or why there are none; None: rows must do. And marks."""
    if measure in FORGETTING:
        found = _harms(side, measure)
        if not isinstance(found, tuple):
            return found, ()
        matched = pair(*found)
        if matched is None:
            return "the arms were probed with other items", ()
        marks = matched.left_out(side.baseline.label, side.arm.label, "items")
    else:
        if side.answers is None:
            return None, ()
        matched, marks = side.answers, ()
        if not all(measure in one.measures for one in (matched.baseline, matched.arm)):
            return None, ()  # the rows may know what the predictions do not say
    aligned = matched.scores(measure)
    if isinstance(aligned, str):
        return aligned, marks
    return (aligned, (matched.baseline, matched.arm)), marks


def _harms(side: Side, measure: str) -> tuple[Scored, Scored] | str | None:
    """The harm to each item in both arms; why that is not tested; None where rows must do."""
    frozen = [arm.summary.frozen for arm in (side.baseline, side.arm)]
    if all(frozen):
        return "0 for both by construction: their weights are frozen"
    ours, theirs = (
        None if arm.summary.frozen else side.book.harm(arm).get(measure)
        for arm in (side.baseline, side.arm)
    )
    if frozen[0] and theirs is not None:
        return unharmed(theirs), theirs
    if frozen[1] and ours is not None:
        return ours, unharmed(ours)
    return None if ours is None or theirs is None else (ours, theirs)


def _one_start(side: Side) -> bool:
    """Whether harm in both arms starts at one score, or is 0 in one of them."""
    frozen = side.baseline.summary.frozen or side.arm.summary.frozen
    return frozen or one_model(side.baseline, side.arm)


def _over_seeds(
    side: Side, measure: Known, aligned: Aligned, scored: tuple[Scored, Scored]
) -> Estimate | str:
    ours, theirs = scored
    # A frozen arm whose answers differ between runs does have a spread of its own.
    frozen = [
        arm.summary.frozen and matrix.shape[1] == 1
        for arm, matrix in ((side.baseline, aligned.baseline), (side.arm, aligned.arm))
    ]
    return over_seeds(
        aligned.baseline,
        aligned.arm,
        aligned.clusters,
        is_bounded(measure, (aligned.baseline, aligned.arm), _one_start(side)),
        baseline_frozen=frozen[0],
        arm_frozen=frozen[1],
        same_seeds=ours.seeds == theirs.seeds and None not in ours.seeds,
    )


def _unpaired(
    side: Side, measure: Known, family: str, primary: bool, marks: tuple[str, ...]
) -> list[Entry]:
    """From the rows' own intervals."""
    ours, theirs = (_reported(report, measure.name) for report in side.reports)
    if isinstance(ours, str) or isinstance(theirs, str):
        reason = "; ".join(one for one in (ours, theirs) if isinstance(one, str))
        return [_entry(side, measure, THESE_WEIGHTS, family, reason, marks)]
    notes = (*marks, _why_unpaired(side, measure.name))
    bounded = measure.a_share and measure.name not in FORGETTING
    outcome = from_intervals(ours, theirs, bounded)
    if isinstance(outcome, Estimate):
        counts = [report.replicates(measure.name) for report in side.reports]
        outcome = replace(outcome, baseline_seeds=counts[0], arm_seeds=counts[1])
    found = [_entry(side, measure, THESE_WEIGHTS, family, outcome, notes)]
    if primary:
        reason = "without each question's scores, seeds cannot be told from questions"
        found.append(_entry(side, measure, OVER_SEEDS, family, reason, marks))
    return found


def _reported(report: Report, measure: str) -> Reported | str:
    if measure in FORGETTING and report.arm.summary.frozen:
        return Reported(0.0, 0.0, 0.0, 0)
    return report.interval(measure)


def _why_unpaired(side: Side, measure: str) -> str:
    kind = "probe items" if measure in FORGETTING else "predictions"
    without = [
        arm.label
        for arm in (side.baseline, side.arm)
        if not (arm.summary.frozen and measure in FORGETTING)
        and (
            measure not in side.book.harm(arm)
            if measure in FORGETTING
            else side.book.answers(arm) is None
        )
    ]
    of = " and ".join(without)
    return f"unpaired: no {kind} of {of}" if of else f"unpaired: the {kind} hold no {measure}"


def _entry(
    side: Side,
    measure: Known,
    estimand: str,
    family: str,
    outcome: Estimate | str,
    notes: Sequence[str] = (),
) -> Entry:
    estimate = outcome if isinstance(outcome, Estimate) else None
    shown = [(None, 1) if estimate else _shown(side, one, measure.name) for one in side.reports]
    values, seeds = zip(*shown, strict=True)
    return Entry(
        contrast=side.contrast,
        measure=measure.name,
        unit=measure.unit,
        higher_is_better=measure.higher_is_better,
        estimand=estimand,
        family=family,
        estimate=estimate,
        reason=outcome if isinstance(outcome, str) else "",
        baseline_value=values[0],
        arm_value=values[1],
        notes=tuple(notes),
        baseline_seeds=seeds[0],
        arm_seeds=seeds[1],
    )


def _shown(side: Side, report: Report, measure: str) -> tuple[float | None, int]:
    """What is shown of an arm where nothing is tested, and the replicates that it is a mean of."""
    value = report.mean(measure)
    if value is not None:
        return value, len(report.figures[measure])
    scored = side.book.answers(report.arm) if measure not in FORGETTING else None
    matrix = None if scored is None else scored.measures.get(measure)
    if matrix is None:
        return None, report.arm.summary.replicates
    return float(np.nanmean(matrix)), matrix.shape[1]
