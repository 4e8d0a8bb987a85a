"""Tables of results to a comparison: arms lined up, contrasts chosen, differences judged.

This reads as the whole of it; what each step does is in the module that it is imported from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.compare.align import WORDING, Pair, pair
from harness.compare.arms import Arm, line_up, run_file
from harness.compare.buckets import Bucketed, adjusted, bucketed, by_bucket, check_columns, needed
from harness.compare.comparable import marks, refusal, split_known
from harness.compare.contrasts import Pairs, choose, restricted
from harness.compare.entries import Side, entries
from harness.compare.family import Entry, families, judge
from harness.compare.measured import (
    IN_ROWS,
    Known,
    Report,
    checked,
    default_primary,
    measures_of,
)
from harness.compare.options import Options
from harness.compare.question_costs import question_cost_entries
from harness.compare.result import ByBucket, Comparison, Contrast
from harness.compare.run_costs import cost_entries, readings
from harness.compare.scorebook import Scorebook
from harness.errors import RecordError
from harness.foreign import Problems
from harness.measures.definitions import COSTS
from harness.results import read_results
from harness.scores import prediction_lines


def compare(paths: Sequence[Path], options: Options) -> Comparison:
    """What the results in ``paths`` (tables or folders) show, by the rules of ``options``.

    Raises:
        RecordError: no run can be read from any of them.
        ConfigError: an option names an arm, a measure or a column that is not there.
    """
    results = read_results(paths)
    problems = list(results.problems)
    silent = [table for table, columns in results.missing.items() if "adapter" in columns]
    arms, told = line_up(results.frame, silent)
    problems += told
    arms = restricted(arms, options.arms, options.baseline)
    pairs, told = choose(arms, options.baseline, options.has_gates)
    problems += told
    known = measures_of(arms)
    _check_names(options, known)
    book = Scorebook(_columns(options.by, pairs))
    arms, pairs = _settled(arms, pairs, book)

    reports = {arm.label: Report(arm) for arm in arms}
    sides = [_side(baseline, arm, book, reports) for baseline, arm in pairs]
    compared = [side for side in sides if not side.contrast.refused]
    has = _measures(compared, book)
    primary = _primary(options, known, has)
    if compared and not primary:
        problems.append("the arms have no measure that says how good an answer is")
    asked = {*options.measures, *primary}
    measures = [one for one in known.values() if not options.measures or one.name in asked]
    tests = [one for side in compared for one in entries(side, measures, primary, asked, has)]
    costs = _cost_tests(compared, options.measures)
    by, told = _by(compared, [known[name] for name in primary], options)
    problems += [*book.problems, *told]
    return Comparison(
        arms=tuple(arm.summary for arm in arms),
        contrasts=tuple(side.contrast for side in sides),
        results=tuple(judge(tests, options.alpha, options.margins)),
        costs=tuple(judge(costs, options.alpha, options.margins)),
        families=(*families(tests, options.alpha), *families(costs, options.alpha)),
        primary=primary,
        alpha=options.alpha,
        by=by,
        problems=tuple(dict.fromkeys(problems)),
        sources=tuple(dict.fromkeys(str(table) for table in results.frame["table"])),
    )


def _check_names(options: Options, known: dict[str, Known]) -> None:
    checked(options.gated, known, "--fail-if")
    checked(options.measures, known, "--measures")
    checked(options.primary, known, "--primary", costs=False)
    checked(tuple(options.margins), known, "--margin")


def _columns(by: Sequence[str], pairs: Pairs) -> list[str]:
    """The fields of the predictions that have to be kept beside the scores."""
    columns = needed(by)
    if by:
        used = {arm.label: arm for both in pairs for arm in both}
        check_columns(by, list(dict.fromkeys(name for a in used.values() for name in _fields(a))))
    if not all(split_known(*both) for both in pairs):
        columns += [name for name in WORDING if name not in columns]
    return columns


def _fields(arm: Arm) -> list[str]:
    """The fields of the first prediction that can be read of an arm."""
    for row in arm.runs:
        path = run_file(row, "predictions")
        if path is not None and path.exists():
            try:
                for _, line in prediction_lines(path, Problems()):
                    return list(line)
            except RecordError:
                continue  # named when its scores are read
    return []


def _settled(arms: Sequence[Arm], pairs: Pairs, book: Scorebook) -> tuple[list[Arm], Pairs]:
    """The same with each frozen arm counted as often as its runs answered differently."""
    compared = {arm.label for both in pairs for arm in both if not refusal(*both)}
    settled = {}
    for arm in arms:
        replicates = arm.summary.replicates
        if arm.summary.frozen and replicates > 1:
            scored = book.answers(arm) if arm.label in compared else None
            alike = not scored and _rows_alike(arm)
            replicates = len(scored.seeds) if scored else 1 if alike else replicates
        settled[arm.label] = replace(arm, summary=replace(arm.summary, replicates=replicates))
    return list(settled.values()), [(settled[one.label], settled[two.label]) for one, two in pairs]


def _rows_alike(arm: Arm) -> bool:
    return all(
        row.get(name) == arm.runs[0].get(name)
        for row in arm.runs
        for name in (*IN_ROWS, "other_measures")
    )


def _side(baseline: Arm, arm: Arm, book: Scorebook, reports: Mapping[str, Report]) -> Side:
    """The two with the questions that both answered, or the reason not to compare them."""
    names = (baseline.label, arm.label)
    rows = (reports[baseline.label], reports[arm.label])
    refused = refusal(baseline, arm)
    if refused:
        return Side(Contrast(*names, refused=refused), baseline, arm, None, rows, book)
    ours, theirs = book.answers(baseline), book.answers(arm)
    found = marks(baseline, arm)
    answers = None
    if ours is not None and theirs is not None:
        answers = pair(ours, theirs)
        refused = _refused_answers(answers, split_known(baseline, arm))
        found += [*ours.marks, *theirs.marks]
        if answers is not None:
            found += answers.left_out(*names)
    contrast = Contrast(*names, refused=refused, marks=tuple(dict.fromkeys(found)))
    return Side(contrast, baseline, arm, answers, rows, book)


def _refused_answers(answers: Pair | None, same_split: bool) -> str:
    if answers is None:
        return "no question in common"
    other = 0 if same_split else answers.other_wording()
    if other:
        return (
            f"other test questions: {other} of {len(answers.left)} that share an id differ in "
            "wording or gold"
        )
    return ""


def _measures(sides: Sequence[Side], book: Scorebook) -> dict[str, set[str]]:
    """Label of each arm that is compared to the measures that it has figures of."""
    reports = {one.arm.label: one for side in sides for one in side.reports}
    found = {}
    for label, report in reports.items():
        scored = book.answers(report.arm)
        found[label] = {*report.figures, *(scored.measures if scored else ())}
        if not report.arm.summary.frozen:
            found[label] |= set(book.harm(report.arm))
    return found


def _primary(
    options: Options, known: dict[str, Known], has: dict[str, set[str]]
) -> tuple[str, ...]:
    if options.primary:
        return options.primary
    candidates = [name for name in known if name in options.measures or not options.measures]
    return default_primary(candidates, list(has.values()))


def _cost_tests(sides: Sequence[Side], asked: Sequence[str]) -> list[Entry]:
    wanted = [name for name in COSTS if name in asked or not asked]
    if not wanted:
        return []
    arms = {arm.label: arm for side in sides for arm in (side.baseline, side.arm)}
    known = {label: readings(arm) for label, arm in arms.items()}
    found = []
    for side in sides:
        of_questions = question_cost_entries(side, wanted)
        told = {entry.measure for entry in of_questions}
        found += cost_entries(
            side.contrast,
            (side.baseline, side.arm),
            (known[side.baseline.label], known[side.arm.label]),
            [name for name in wanted if name not in told],
        )
        found += of_questions
    return found


def _by(
    sides: Sequence[Side], primary: Sequence[Known], options: Options
) -> tuple[tuple[ByBucket, ...], list[str]]:
    found, problems = [], []
    for column in options.by:
        buckets: dict[str, Bucketed | None] = {}
        for side in sides:
            name = side.contrast.baseline
            if name not in buckets:
                scored = side.book.answers(side.baseline)
                buckets[name] = bucketed(scored, column) if scored else None
            for measure in primary:
                one, told = by_bucket(side, measure, column, buckets[name], options.seed)
                problems += told
                if one is not None:
                    found.append(one)
    return adjusted(found), problems
