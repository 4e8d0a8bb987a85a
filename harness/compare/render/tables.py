"""Tables of tests: each measure with both values, the difference, its interval and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from harness.compare.render.figures import (
    EMPTY,
    Figures,
    Scale,
    decimals,
    figures_of,
    interval,
    number,
    p_value,
    scale_of,
    scaled,
    signed,
)
from harness.compare.render.grid import Footnotes, Grid, plain
from harness.compare.result import (
    BETTER,
    EQUIVALENT,
    HIGHER,
    LOWER,
    NOT_SHOWN,
    NOT_TESTED,
    WORSE,
    ByBucket,
    Comparison,
    Tested,
)

Scales = Mapping[str, Scale]

KEPT_TOGETHER = "\N{NO-BREAK SPACE}"
ARROWS = {True: "↑", False: "↓", None: ""}

HEADINGS = ("base", "arm", "arm −\nbase", "interval", "adj. p", "verdict")
INTERVAL, P_VALUE, VERDICT = 4, 5, 6
"""Their columns."""

WORDS = frozenset({0, VERDICT})


def scales(comparison: Comparison) -> Scales:
    """Measure -> the one scale that all of its figures are printed in."""
    units: dict[str, str] = {}
    values: dict[str, list[float | None]] = {}
    for tested in (*comparison.results, *comparison.costs):
        units.setdefault(tested.measure, tested.unit)
        found = values.setdefault(tested.measure, [])
        found += [tested.baseline_value, tested.arm_value, tested.difference]
    return {name: scale_of(units[name], values[name]) for name in units}


def heading_of(tested: Tested, found: Scales) -> str:
    """A measure with its direction and unit, as "exact_match ↑ (%)"."""
    unit = plain(found[tested.measure].unit)
    parts = (ARROWS[tested.higher_is_better], f"({unit})" if unit else "")
    return f"{plain(tested.measure)} {KEPT_TOGETHER.join(filter(None, parts))}".rstrip()


def by_contrast(title: str, tests: Sequence[Tested], found: Scales, alpha: float) -> Grid:
    """One measure: a line a contrast."""
    return _grid(title, "contrast", tests, lambda t: plain(t.contrast.name), found, alpha)


def by_measure(title: str, tests: Sequence[Tested], found: Scales, alpha: float) -> Grid:
    """One contrast: a line a measure."""
    return _grid(title, "measure", tests, lambda t: heading_of(t, found), found, alpha)


def bucket_grid(by: ByBucket, found: Scales, measures: Mapping[str, Tested], alpha: float) -> Grid:
    """The effect in each bucket, and below it whether it differs between them."""
    scale = found.get(by.measure, Scale())
    lines = []
    for bucket in by.buckets:
        low, high, difference, *values = (
            scaled(value, scale)
            for value in (
                bucket.low,
                bucket.high,
                bucket.difference,
                bucket.baseline_value,
                bucket.arm_value,
            )
        )
        places = decimals(scale, [low, high], [*values, difference])
        lines.append(
            (
                plain(bucket.value) or "(empty)",
                number(values[0], places),
                number(values[1], places),
                signed(difference, places),
                interval(low, high, places),
                f"{bucket.n:,}",
                f"{bucket.clusters:,}",
            )
        )
    tested = measures.get(by.measure)
    name = heading_of(tested, found) if tested else plain(by.measure)
    title = f"{name} by {plain(by.column)}: {plain(by.contrast.name)}"
    headings = (plain(by.column), *HEADINGS[:3], "95 %\ninterval", "n", "clusters")
    return Grid(title, headings, tuple(lines), notes=_interaction_notes(by, alpha))


def grouped(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """ "what: who, who" for each what, in order of appearance; pairs are (what, who)."""
    groups: dict[str, list[str]] = {}
    for what, who in pairs:
        members = groups.setdefault(what, [])
        if who not in members:
            members.append(who)
    return [f"{what}: {', '.join(members)}" for what, members in groups.items()]


def _grid(
    title: str,
    first: str,
    tests: Sequence[Tested],
    name: Callable[[Tested], str],
    found: Scales,
    alpha: float,
) -> Grid:
    footnotes = Footnotes()
    figures = [figures_of(t, found[t.measure], alpha) for t in tests]
    levels = sorted({f.level for f in figures if f.level != EMPTY}, key=len)
    level = f"{levels[0]}\n" if len(levels) == 1 else ""
    varying, alike = _sizes(tests)
    lines = tuple(
        (
            name(t),
            f.baseline,
            f.arm,
            f.difference,
            # Of one width, so that the intervals stand below each other.
            f.interval
            if level or f.level == EMPTY
            else f"{f.interval}\n{f.level:>{len(levels[-1])}}",
            f.p,
            _verdict(t, f) + footnotes.mark(_remarks(t)),
            *(column[number] for column in varying.values()),
        )
        for number, (t, f) in enumerate(zip(tests, figures, strict=True))
    )
    headings = (first, *HEADINGS[:3], f"{level}interval", *HEADINGS[4:], *varying)
    grid = Grid(title, headings, lines, WORDS, (*alike, *footnotes.lines()))
    return grid if levels else _without_intervals(grid)


def _without_intervals(grid: Grid) -> Grid:
    """The grid without its empty columns of intervals and p-values."""
    kept = [number for number in range(len(grid.headings)) if number not in (INTERVAL, P_VALUE)]
    return replace(
        grid,
        headings=tuple(grid.headings[number] for number in kept),
        lines=tuple(tuple(line[number] for number in kept) for line in grid.lines),
        words=frozenset(place for place, number in enumerate(kept) if number in grid.words),
    )


def _sizes(tests: Sequence[Tested]) -> tuple[dict[str, list[str]], list[str]]:
    """What the lines rest on: columns of what varies, and a sentence of what is alike in all."""
    columns: dict[str, list[str]] = {}
    alike = []
    sizes = {(t.n, t.clusters) for t in tests if t.n is not None}
    if len(sizes) > 1:
        columns["n in\nclusters"] = [_questions(t) for t in tests]
    alike += [f"{_count(n)} questions in {_count(k)} clusters" for n, k in sizes if len(sizes) == 1]
    seeds = [_seeds(t) for t in tests]
    if len(set(seeds)) > 1:
        columns["seeds"] = seeds
    else:
        both = " (base vs arm)" if "vs" in seeds[0] else ""
        alike.append(f"seeds {seeds[0]}{both}")
    return columns, [", ".join(alike)] if alike else []


def _questions(tested: Tested) -> str:
    if tested.n is None:
        return EMPTY
    return f"{tested.n:,} in\n{_count(tested.clusters)}"


def _count(number: int | None) -> str:
    return EMPTY if number is None else f"{number:,}"


def _seeds(tested: Tested) -> str:
    """Replicates that were averaged, as "3", or "1 vs 3" for those of the baseline and the arm."""
    before, after = tested.baseline_seeds, tested.arm_seeds
    return f"{before}" if before == after else f"{before} vs {after}"


def _verdict(tested: Tested, figures: Figures) -> str:
    """What ``Tested.says``, in the unit of the table and without the reason."""
    words = tested.verdict
    if words == NOT_SHOWN and figures.smallest != EMPTY:
        words = f"{NOT_SHOWN} (could have seen ≥{KEPT_TOGETHER}{figures.smallest})"
    elif words == EQUIVALENT and figures.margin != EMPTY:
        words = f"{EQUIVALENT} (within ±{figures.margin})"
    elif tested.equivalent and words in (BETTER, WORSE, HIGHER, LOWER):
        words = f"{words}, but within the margin of {figures.margin}"
    return words if tested.paired or tested.verdict == NOT_TESTED else f"{words}, unpaired"


def _remarks(tested: Tested) -> list[str]:
    reason = [tested.reason] if tested.verdict == NOT_TESTED and tested.reason else []
    return [plain(remark) for remark in (*reason, *tested.notes)]


def _interaction_notes(by: ByBucket, alpha: float) -> tuple[str, ...]:
    notes = []
    if by.p is None:
        notes.append(f"whether the effect differs between buckets was not tested: {by.method}")
    else:
        adjusted = by.p if by.p_adjusted is None else by.p_adjusted
        shown = "is shown" if adjusted <= alpha else "is not shown"
        notes.append(
            f"that the effect differs between buckets {shown}: p {p_value(by.p, alpha)}, "
            f"adjusted {p_value(by.p_adjusted, alpha)} ({by.method})"
        )
    notes += [f"left out: {what}" for what in by.not_shown]
    return tuple(plain(note) for note in notes)
