"""The tests as tables: one a family of primary tests, the others folded away."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.result import (
    ESTIMANDS,
    NOT_TESTED,
    PRIMARY,
    SECONDARY,
    ByBucket,
    Comparison,
    Family,
    Tested,
)
from harness.report.quantities import (
    EMPTY,
    difference_unit,
    digits,
    label,
    scale,
    shown,
    shown_difference,
    shown_interval,
)
from harness.report.tables import Cell, Heading, Table

_HEADINGS = (
    Heading("measure", number=False),
    Heading("arm, against", number=False),
    Heading("baseline"),
    Heading("arm"),
    Heading("difference"),
    Heading("adjusted p"),
    Heading("verdict", number=False),
    Heading("compared", number=False),
)


TITLES = {
    PRIMARY: "Primary measures",
    SECONDARY: "Other measures",
    "costs": "Costs",
}


def contrast_tables(comparison: Comparison) -> list[Table]:
    """Primary families first and open; the rest, and costs, folded."""
    groups: dict[tuple[str, str], list[Tested]] = {}
    for test in (*comparison.results, *comparison.costs):
        groups.setdefault((test.family, test.estimand), []).append(test)
    families = {(family.name, family.estimand): family for family in comparison.families}
    cost_measures = {test.measure for test in comparison.costs}
    tables = []
    for (name, estimand), tests in groups.items():
        notes = [*_meaning(estimand)]
        family = families.get((name, estimand))
        if family is not None:
            notes.append(_family(family, [test for test in tests if test.verdict != NOT_TESTED]))
        notes += _untested(tests)
        if all(test.measure in cost_measures for test in tests):
            notes.append("Costs are figures of whole runs: compared between runs.")
        rows = tuple(_row(test) for test in tests if test.verdict != NOT_TESTED)
        title = f"{TITLES.get(name, name)}: {estimand}"
        folded = not name.startswith(PRIMARY)
        tables.append(Table(title, _HEADINGS, rows, tuple(notes), folded))
    return sorted(tables, key=lambda table: table.folded)


def bucket_tables(comparison: Comparison) -> list[Table]:
    """The effect in each bucket, one table a column and measure."""
    groups: dict[tuple[str, str], list[ByBucket]] = {}
    for effect in comparison.by:
        groups.setdefault((effect.column, effect.measure), []).append(effect)
    units = {test.measure: test.unit for test in (*comparison.results, *comparison.costs)}
    return [
        _bucket_table(column, measure, units.get(measure, ""), effects)
        for (column, measure), effects in groups.items()
    ]


def _row(test: Tested) -> tuple[Cell, ...]:
    unit = scale(test.unit).unit
    interval = shown_interval(test.low, test.high, test.unit, sign=True)
    level = f" at {100 * test.confidence:.4g}\u00a0%" if test.confidence else ""
    p = test.p if test.p_adjusted is None else test.p_adjusted
    return (
        Cell(label(test.measure), unit),
        Cell(test.contrast.arm, f"against {test.contrast.baseline}"),
        Cell(shown(test.baseline_value, test.unit)),
        Cell(shown(test.arm_value, test.unit)),
        Cell(
            f"{shown_difference(test.difference, test.unit)} {difference_unit(test.unit)}",
            f"{interval}{level}" if interval else "",
        ),
        Cell(EMPTY if p is None else _p(p)),
        Cell(verdict(test), "; ".join(test.notes), kind=test.verdict.split()[0]),
        Cell(_size(test), test.method if test.paired else f"unpaired; {test.method}"),
    )


def verdict(test: Tested) -> str:
    """What the test says, amounts in the unit of the table."""
    says = test.says
    if test.smallest_effect is not None:
        amount = f"{shown(test.smallest_effect, test.unit)} {difference_unit(test.unit)}"
        says = says.replace(f"≥ {test.smallest_effect:.3g}", f"≥ {amount}")
    if test.margin is not None:
        amount = f"{shown(test.margin, test.unit)} {difference_unit(test.unit)}"
        says = says.replace(f"margin of {test.margin:g}", f"margin of {amount}")
    return says


def _bucket_table(column: str, measure: str, unit: str, effects: Sequence[ByBucket]) -> Table:
    headings = (
        Heading("arm, against", number=False),
        Heading(column, number=False),
        Heading("baseline", scale(unit).unit),
        Heading("arm", scale(unit).unit),
        Heading("difference", difference_unit(unit)),
        Heading("questions"),
    )
    rows, notes = [], ["Intervals are at 95 % and not adjusted."]
    for effect in effects:
        for bucket in effect.buckets:
            interval = shown_interval(bucket.low, bucket.high, unit, sign=True)
            clusters = "" if bucket.clusters == bucket.n else f"{bucket.clusters:,} entities"
            rows.append(
                (
                    Cell(effect.contrast.arm, f"against {effect.contrast.baseline}"),
                    Cell(bucket.value),
                    Cell(shown(bucket.baseline_value, unit)),
                    Cell(shown(bucket.arm_value, unit)),
                    Cell(
                        shown_difference(bucket.difference, unit),
                        interval,
                    ),
                    Cell(f"{bucket.n:,}", clusters),
                )
            )
        notes.append(_interaction(effect))
    title = f"{label(measure)}: the difference by {column}"
    return Table(title[:1].upper() + title[1:], headings, tuple(rows), tuple(notes))


def _interaction(effect: ByBucket) -> str:
    name = f"{effect.contrast.arm} against {effect.contrast.baseline}"
    tail = f" Left out: {'; '.join(effect.not_shown)}." if effect.not_shown else ""
    if effect.p is None:
        why = f" ({effect.method})" if effect.method else ""
        return f"{name}: whether the effect differs between buckets was not tested{why}.{tail}"
    p = effect.p if effect.p_adjusted is None else effect.p_adjusted
    return f"{name}: equal effects in all buckets, adjusted p {_p(p)} ({effect.method}).{tail}"


def _meaning(estimand: str) -> list[str]:
    meaning = ESTIMANDS.get(estimand)
    return [f"{estimand}: {meaning}."] if meaning else []


def _family(family: Family, tests: Sequence[Tested]) -> str:
    """Over what verdicts were adjusted: the lines of the table, or the family's members by name."""
    count = len(family.members)
    if family.each_measure:
        return (
            f"Adjusted by Holm's procedure at α = {family.alpha:g} over the contrasts of each "
            f"measure by itself ({count} tests in all)."
        )
    what = f"Adjusted by Holm's procedure at α = {family.alpha:g} over"
    if count == len(tests):
        return f"{what} the {count} tests of this table." if count > 1 else f"{what} this one test."
    more = f"; and {count - 12} more" if count > 12 else ""
    return f"{what} {count} tests: {'; '.join(family.members[:12])}{more}."


def _untested(tests: Sequence[Tested]) -> list[str]:
    """What was not tested, one line a reason."""
    reasons: dict[str, list[str]] = {}
    for test in tests:
        if test.verdict == NOT_TESTED:
            member = f"{label(test.measure)} for {test.contrast.name}"
            reasons.setdefault(test.reason or "no reason given", []).append(member)
    lines = []
    for reason, named in reasons.items():
        more = f" and {len(named) - 6} more" if len(named) > 6 else ""
        lines.append(f"Not tested ({reason}): {', '.join(named[:6])}{more}.")
    return lines


def _size(test: Tested) -> str:
    parts = []
    if test.n is not None:
        parts.append(f"{test.n:,} questions")
    if test.clusters is not None and test.clusters != test.n:
        parts.append(f"{test.clusters:,} entities")
    if test.baseline_seeds == test.arm_seeds:
        parts.append(f"{test.arm_seeds} {'seed' if test.arm_seeds == 1 else 'seeds'} each")
    else:
        parts.append(f"{test.arm_seeds} against {test.baseline_seeds} seeds")
    return ", ".join(parts)


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else digits(value)
