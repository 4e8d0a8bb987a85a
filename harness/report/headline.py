"""The first table: what each arm got right, what it forgot, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.measures.costs import costs
from harness.measures.definitions import ACCURACY, COSTS, FORGETTING, Measure
from harness.report.gather import ArmRuns, ReportData, number
from harness.report.quantities import (
    EMPTY,
    difference_unit,
    label,
    scale,
    shown,
    shown_difference,
    shown_interval,
)
from harness.report.tables import Cell, Heading, Table
from harness.stats import Interval, mean_interval, share_interval

COST_COLUMNS = ("setup_seconds", "answer_seconds", "total_energy_kwh")

NOTES = (
    "Under a figure: its 95 % interval over questions, for the weights at hand; "
    "questions about one entity count as one draw. It is not adjusted and says nothing of other "
    "seeds: whether arms differ is tested below, question by question.",
    "Several seeds: the mean, then each seed's figure. Costs: the mean, then lowest to highest.",
    "Setup is preparing, indexing and training; time per answer is of batches. "
    "Reused work counts at what it first took.",
)


@dataclass(frozen=True)
class Reading:
    """A measure of one arm.

    Attributes:
        interval: over questions, of the mean over seeds; None where there is none.
        by_seed: the figure of each run that is a measurement of its own.
    """

    mean: float
    interval: tuple[float, float] | None
    by_seed: tuple[float, ...]


def headline(data: ReportData) -> Table:
    """One row an arm; an arm whose runs all failed has a row that says so."""
    measures = headline_measures(data)
    headings = [Heading("arm", number=False), Heading("seeds", number=False)]
    for measure in measures:
        better = "↑" if measure.higher_is_better else "↓"
        unit = difference_unit if measure.name in FORGETTING else _unit
        headings.append(Heading(f"{label(measure.name)} {better}", unit(measure.unit)))
    headings += [Heading(f"{label(name)} ↓", _unit(COSTS[name].unit)) for name in COST_COLUMNS]
    estimated = _estimated(data)
    rows = []
    for arm in data.arms:
        cells = [Cell(arm.label, _size(arm)), Cell(_seeds(arm), _counted(arm))]
        cells += [measure_cell(arm, measure) for measure in measures]
        cells += [cost_cell(arm, name, estimated) for name in COST_COLUMNS]
        rows.append(tuple(cells))
    notes = [*NOTES, *([estimated] if estimated else [])]
    return Table("What each arm gave and cost", tuple(headings), tuple(rows), tuple(notes))


def headline_measures(data: ReportData) -> list[Measure]:
    """The primary accuracy and forgetting measures, else the first that the runs have."""
    chosen = []
    for table, preferred in (
        (ACCURACY, ("contains", "multiple_choice")),
        (FORGETTING, ("forgetting_facts_generated", "forgetting_facts_options")),
    ):
        known = [name for name in table if any(arm.values(name) for arm in data.arms)]
        primary = [name for name in data.comparison.primary if name in known]
        usual = [name for name in preferred if name in known]
        chosen += [table[name] for name in primary or usual or known[:1]]
    return chosen


def read(arm: ArmRuns, measure: Measure) -> Reading | None:
    """The arm's figure, from its predictions or probe items where they are, else from its rows."""
    by_seed = arm.values(measure.name)
    interval = _over_questions(arm, measure)
    if interval is not None and interval.low is not None and interval.high is not None:
        seeds = tuple(by_seed) or (interval.mean,)
        return Reading(interval.mean, (interval.low, interval.high), seeds)
    if not by_seed:
        return None
    low, high = arm.values(f"{measure.name}_low"), arm.values(f"{measure.name}_high")
    one = len(by_seed) == len(low) == len(high) == 1
    return Reading(fmean(by_seed), (low[0], high[0]) if one else None, tuple(by_seed))


def _over_questions(arm: ArmRuns, measure: Measure) -> Interval | None:
    """Over the questions that every seed answered, each with its mean over the seeds."""
    import numpy as np

    if len(arm.measured) == 1 and arm.values(f"{measure.name}_low"):
        return None  # the row has the interval of its own run
    harm = measure.name in FORGETTING
    found: list[dict[str, tuple[float, str]]] = []
    for run in arm.measured:
        run_id = str(run["run_id"])
        if harm:
            probe = arm.probes.get(run_id, {}).get(measure.name)
            if probe is None:
                return None
            ids, clusters, values = probe.ids, probe.clusters, probe.harm
        else:
            scores = arm.scores.get(run_id)
            if scores is None or measure.name not in scores.measures:
                return None
            ids, clusters = scores.question_ids, scores.clusters
            values = scores.measures[measure.name]
        known = np.isfinite(values).tolist()
        found.append(
            {
                name: (value, cluster)
                for name, value, cluster, counts in zip(
                    ids, values.tolist(), clusters, known, strict=True
                )
                if counts
            }
        )
    if not found:
        return None
    common = [name for name in found[0] if all(name in other for other in found)]
    means = [fmean(seed[name][0] for seed in found) for name in common]
    clusters = [found[0][name][1] for name in common]
    share = measure.a_share and not harm
    return (share_interval if share else mean_interval)(means, clusters)


def measure_cell(arm: ArmRuns, measure: Measure) -> Cell:
    """The arm's figure with its interval and each seed; frozen weights forget nothing."""
    harm = measure.name in FORGETTING
    if harm and arm.runs and all(run.get("forgetting_by_construction") for run in arm.runs):
        return Cell("0", "frozen weights")
    reading = read(arm, measure)
    if reading is None:
        return Cell(EMPTY)
    write = shown_difference if harm else shown
    detail = ""
    if reading.interval is not None:
        detail = shown_interval(*reading.interval, measure.unit, sign=harm)
    if len(reading.by_seed) > 1:
        seeds = " · ".join(write(value, measure.unit) for value in reading.by_seed[:5])
        more = f" and {len(reading.by_seed) - 5} more" if len(reading.by_seed) > 5 else ""
        detail = "; ".join(filter(None, (detail, f"seeds {seeds}{more}")))
    return Cell(write(reading.mean, measure.unit), detail)


def cost_cell(arm: ArmRuns, name: str, estimated: str = "") -> Cell:
    """The mean cost over the arm's measured runs, with its range."""
    values = [value for run in arm.measured if (value := costs(run)[name]) is not None]
    if not values:
        return Cell(EMPTY)
    unit = COSTS[name].unit
    mark = "~" if estimated and name.endswith("_kwh") and _is_estimate(arm) else ""
    spread = ""
    if len(values) > 1:
        spread = shown_interval(min(values), max(values), unit)
    return Cell(mark + shown(fmean(values), unit), spread)


def _is_estimate(arm: ArmRuns) -> bool:
    return any(run.get("energy_source") == "estimate" for run in arm.runs)


def _estimated(data: ReportData) -> str:
    """What ~ means, if any arm's energy is estimated."""
    runs = [run for arm in data.arms for run in arm.runs]
    shares = [
        share
        for run in runs
        if run.get("energy_source") == "estimate"
        and (share := number(run.get("energy_assumed_share"))) is not None
    ]
    if not any(_is_estimate(arm) for arm in data.arms):
        return ""
    rests = f", of which up to {100 * max(shares):.0f} % rests on assumed watts" if shares else ""
    return f"~ The energy is an estimate{rests}."


def _size(arm: ArmRuns) -> str:
    questions = arm.summary.questions
    return "" if questions is None else f"{questions:,} questions"


def _seeds(arm: ArmRuns) -> str:
    seeds: Sequence[int | None] = arm.summary.seeds
    text = ", ".join(EMPTY if seed is None else str(seed) for seed in seeds[:8])
    if len(seeds) > 8:
        text += f" and {len(seeds) - 8} more"
    return text or EMPTY


def _counted(arm: ArmRuns) -> str:
    """What a reader must know of the seeds: a frozen arm repeats itself, a failed run is out."""
    parts = []
    if arm.summary.frozen and len(arm.summary.seeds) > 1 and arm.summary.replicates == 1:
        parts.append("frozen: counts once")
    if arm.summary.failed:
        parts.append(f"{len(arm.summary.failed)} failed, left out")
    return "; ".join(parts)


def _unit(unit: str) -> str:
    return scale(unit).unit
