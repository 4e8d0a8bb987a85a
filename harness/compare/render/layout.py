"""A comparison as sections of tables, in the order in which it is read.

Terminal, Markdown and LaTeX draw the same sections.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.render.figures import EMPTY
from harness.compare.render.grid import Grid, Section, plain
from harness.compare.render.tables import (
    Scales,
    bucket_grid,
    by_contrast,
    by_measure,
    grouped,
    heading_of,
    scales,
)
from harness.compare.result import (
    ESTIMANDS,
    NOT_TESTED,
    THESE_WEIGHTS,
    VERDICTS,
    ArmSummary,
    Comparison,
    Tested,
)

MANY_LINES = 40
"""Arms, and lines of a table, beyond this are printed only if all are asked for."""

MANY_CONTRASTS = 6
"""Contrasts beyond this have no tables of other measures unless all are asked for."""


def sections(
    comparison: Comparison, estimand: str = THESE_WEIGHTS, everything: bool = False
) -> tuple[Section, ...]:
    """The sections of a comparison; empty ones are left out.

    ``estimand`` is that of the tables of other measures. ``everything`` shows both, every line of
    long tables, and measures that were not tested.
    """
    found = scales(comparison)
    most = len(comparison.arms) + len(comparison.results) if everything else MANY_LINES
    parts = (
        _arms(comparison, most),
        *_primary(comparison, found, most),
        *_other_measures(comparison, found, estimand, everything),
        _costs(comparison, found, everything),
        _by_bucket(comparison, found, everything),
        _families(comparison),
        _problems(comparison, most),
        _in_short(comparison),
    )
    return tuple(part for part in parts if part)


def _arms(comparison: Comparison, most: int) -> Section:
    """Which arms, what they rest on, and which pairs of them were refused."""
    arms = comparison.arms
    names = ("experiment", "task", "model")
    differing = [name for name in names if len({getattr(arm, name) for arm in arms}) > 1]
    shared = [f"{name} {plain(getattr(arms[0], name))}" for name in names if name not in differing]
    lines = tuple(
        (
            plain(arm.label),
            *(plain(getattr(arm, name)) for name in differing),
            _seeds(arm),
            str(arm.replicates),
            EMPTY if arm.questions is None else f"{arm.questions:,}",
            str(len(arm.failed)),
        )
        for arm in arms
    )
    headings = ("arm", *differing, "seeds", "replicates", "questions", "failed")
    words = frozenset(range(len(differing) + 2))
    failed = [f"failed, not averaged in: {_shortened(arm.failed)}" for arm in arms if arm.failed]
    refused = grouped(
        (f"not compared, {plain(contrast.refused)}", plain(contrast.name))
        for contrast in comparison.contrasts
        if contrast.refused
    )
    notes = (*_settings(arms)[:most], *failed[:most], *refused[:most])
    grid = _cut(Grid("", headings, lines, words, notes), most)
    return Section("Arms", (", ".join(shared),), (grid,))


def _settings(arms: Sequence[ArmSummary]) -> list[str]:
    """What distinguishes arms, as "rag, rag_lora: retriever dense, chunk_tokens 64"."""
    having: dict[str, list[str]] = {}
    for arm in arms:
        for name, value in arm.settings.items():
            having.setdefault(f"{plain(name)} {plain(value)}", []).append(plain(arm.label))
    return grouped((", ".join(labels), setting) for setting, labels in having.items())


def _seeds(arm: ArmSummary) -> str:
    """The seeds, as "0, 1, 2" or "0 to 9"."""
    known = [seed for seed in arm.seeds if seed is not None]
    if not known:
        return EMPTY
    low, high = min(known), max(known)
    if len(known) > 3 and sorted(known) == list(range(low, high + 1)):
        return f"{low} to {high}"
    return ", ".join(map(str, known))


def _primary(comparison: Comparison, found: Scales, most: int) -> list[Section]:
    """A section an estimand, in it a table a primary measure."""
    tests = [t for t in comparison.results if t.measure in comparison.primary]
    parts = []
    for estimand, resampled in ESTIMANDS.items():
        mine = [t for t in tests if t.estimand == estimand]
        if not mine:
            continue
        title = f"Primary measures: {estimand}"
        if all(t.verdict == NOT_TESTED for t in mine):
            parts.append(Section(title, (f"{resampled}.", *_untested(mine))))
            continue
        grids = []
        for measure in comparison.primary:
            rows = [t for t in mine if t.measure == measure]
            if rows:
                name = heading_of(rows[0], found)
                grids.append(_cut(by_contrast(name, rows, found, comparison.alpha), most))
        parts.append(Section(title, (f"{resampled}.",), tuple(grids)))
    return parts


def _other_measures(
    comparison: Comparison, found: Scales, estimand: str, everything: bool
) -> list[Section]:
    """A section an estimand, in it a table a contrast."""
    tests = [t for t in comparison.results if t.measure not in comparison.primary]
    wanted = [estimand, *(name for name in ESTIMANDS if name != estimand and everything)]
    parts = []
    for name in wanted:
        mine = [t for t in tests if t.estimand == name]
        grids, text = _contrast_grids(comparison, mine, found, everything)
        parts.append(Section(f"Other measures: {name}", tuple(text), tuple(grids)))
    return parts


def _costs(comparison: Comparison, found: Scales, everything: bool) -> Section:
    grids, text = _contrast_grids(comparison, comparison.costs, found, everything)
    return Section("Costs: figures of whole runs", tuple(text), tuple(grids))


def _contrast_grids(
    comparison: Comparison, tests: Sequence[Tested], found: Scales, everything: bool
) -> tuple[list[Grid], list[str]]:
    """A table for each contrast, and sentences for what is not in them."""
    valueless = [t for t in tests if not everything and t.difference is None]
    shown = [t for t in tests if everything or t.difference is not None]
    tables: dict[str, list[Tested]] = {}
    for tested in shown:
        tables.setdefault(tested.contrast.name, []).append(tested)
    names = list(tables)
    kept = names if everything else names[:MANY_CONTRASTS]
    grids = [by_measure(plain(name), tables[name], found, comparison.alpha) for name in kept]
    text = _untested(valueless)
    if len(kept) < len(names):
        text.append(f"{len(names) - len(kept)} more contrasts: --all prints them.")
    return grids, text


def _untested(tests: Sequence[Tested]) -> list[str]:
    """Why nothing was tested, and of which measures and contrasts."""
    by_reason: dict[str, list[Tested]] = {}
    for tested in tests:
        by_reason.setdefault(plain(tested.reason) or "no figures", []).append(tested)
    lines = []
    for reason, group in by_reason.items():
        contrasts = dict.fromkeys(plain(t.contrast.name) for t in group)
        measures = dict.fromkeys(plain(t.measure) for t in group)
        lines.append(f"not tested, {reason}: {', '.join(measures)} ({'; '.join(contrasts)})")
    return lines


def _by_bucket(comparison: Comparison, found: Scales, everything: bool) -> Section:
    measures = {t.measure: t for t in comparison.results}
    kept = comparison.by if everything else comparison.by[:MANY_LINES]
    grids = [bucket_grid(by, found, measures, comparison.alpha) for by in kept]
    more = len(comparison.by) - len(kept)
    text = (f"{more} more tables: --all prints them.",) if more else ()
    return Section("Effect in each bucket: 95 % intervals, not adjusted", text, tuple(grids))


def _families(comparison: Comparison) -> Section:
    """Over how many tests each family was adjusted, and by what method each measure was tested."""
    lines = []
    for family in comparison.families:
        count = len(family.members)
        tests = f"{count} tests" if count != 1 else "1 test"
        if family.each_measure:
            lines.append(
                f"Holm over the contrasts of each measure by itself at α = {family.alpha:g} "
                f"({plain(family.name)}, {plain(family.estimand)}): {tests} in all"
            )
            continue
        lines.append(
            f"Holm over {tests} at α = {family.alpha:g} ({plain(family.name)}, "
            f"{plain(family.estimand)}): {_shortened(family.members)}"
        )
    lines += grouped(
        (f"{plain(t.method)} ({t.estimand})", plain(t.measure))
        for t in (*comparison.results, *comparison.costs)
        if t.method and t.p is not None
    )
    return Section("Families of tests, and methods", tuple(lines))


def _shortened(members: Sequence[str], most: int = 8) -> str:
    shown = "; ".join(map(plain, members[:most]))
    return shown if len(members) <= most else f"{shown}; and {len(members) - most} more"


def _problems(comparison: Comparison, most: int) -> Section:
    marks = grouped(
        (plain(mark), plain(contrast.name))
        for contrast in comparison.contrasts
        if not contrast.refused
        for mark in contrast.marks
    )
    lines = [*map(plain, comparison.problems), *marks]
    if len(lines) > most:
        lines = [*lines[:most], f"… and {len(lines) - most} more: --all prints them."]
    return Section("Problems and marks", tuple(lines))


def _in_short(comparison: Comparison) -> Section:
    """The verdicts on primary measures: what a terminal shows last is what was asked first."""
    lines = []
    for measure in comparison.primary:
        for estimand in ESTIMANDS:
            verdicts = [
                (t.verdict, plain(t.contrast.name))
                for t in comparison.results
                if t.measure == measure and t.estimand == estimand
            ]
            verdicts.sort(key=lambda pair: VERDICTS.index(pair[0]))
            if verdicts:
                found = "; ".join(grouped(verdicts))
                lines.append(f"{plain(measure)}, {estimand}: {found}")
    return Section("In short", tuple(lines))


def _cut(grid: Grid, most: int) -> Grid:
    """The grid with at most so many lines, and a note of how many are not shown."""
    more = len(grid.lines) - most
    if more <= 0:
        return grid
    notes = (*grid.notes, f"… and {more:,} more: --all prints them, --format csv writes them.")
    return Grid(grid.title, grid.headings, grid.lines[:most], grid.words, notes)
