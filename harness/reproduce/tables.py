"""The tables of a reproduction: the paper's own beside ours, and the verdict on each claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.measures.definitions import MEASURES
from harness.report.quantities import (
    EMPTY,
    difference_unit,
    label,
    shown,
    shown_difference,
    shown_interval,
)
from harness.report.tables import Cell, Heading, Table
from harness.reproduce.claims import (
    Buckets,
    Choice,
    Claim,
    Difference,
    Interaction,
    Matched,
    OfScores,
    VolumeRatio,
)
from harness.reproduce.effects import Effect
from harness.reproduce.paper import CellSpec, TableSpec
from harness.reproduce.published import Published
from harness.reproduce.reading import Measured, Reading
from harness.reproduce.verdict import CONFIRMED, NOT_SHOWN, REFUTED, Verdict
from harness.reproduce.volume_page import claim_cells

OTHER = "other model, other data"
UNVERIFIED = "†"
"""Behind a published value that one copy alone gives."""

KINDS = {CONFIRMED: "better", REFUTED: "worse"}
"""Verdict -> the look that the page gives it."""


def paper_table(spec: TableSpec, reading: Reading, other: bool) -> Table:
    """The paper's table; each cell has both figures, their difference and its interval."""
    cells = {(cell.row, cell.column): cell for cell in spec.cells}
    measured = {place: reading.measured(cell.ours) for place, cell in cells.items()}
    missing = [one for one in measured.values() if isinstance(one, str)]
    rows = []
    for row in spec.rows:
        line = [Cell(row)]
        for column in spec.columns:
            cell, found = cells[row, column], measured[row, column]
            line.append(_cell(cell, found if isinstance(found, Measured) else None, spec))
        rows.append(tuple(line))
    compared = (
        "published → measured; in brackets the difference and its 95 % interval over questions"
    )
    if not spec.comparable:
        compared = (
            "published → measured, of other quantities; in brackets the 95 % interval of ours"
        )
    notes = [f"{compared}.", *([spec.note] if spec.note else []), *_verification(spec.cells)]
    if other:
        notes.insert(0, f"{OTHER.capitalize()}: direction and size of effects can be compared, ")
        notes[0] += "levels cannot."
    if missing:
        why = "; ".join(f"{text} ({n})" for text, n in Counter(missing).most_common(5))
        notes.append(f"{len(missing)} cells are empty: {why}.")
    units = {difference_unit(MEASURES[cell.ours.measure].unit) for cell in spec.cells}
    measures = dict.fromkeys(label(cell.ours.measure) for cell in spec.cells)
    unit = "%" if units == {"points"} else ""
    return Table(
        f"{spec.title}{f' ({OTHER})' if other else ''}",
        (
            Heading(f"{', '.join(measures)}{f', {unit}' if unit else ''}", number=False),
            *(Heading(name) for name in spec.columns),
        ),
        tuple(rows),
        tuple(notes),
    )


def _cell(cell: CellSpec, measured: Measured | None, spec: TableSpec) -> Cell:
    unit = MEASURES[cell.ours.measure].unit
    ours = shown(None if measured is None else measured.value, unit)
    printed = cell.published
    if printed is None:
        ends = "" if measured is None else shown_interval(measured.low, measured.high, unit)
        return Cell(ours, ends)
    text = f"{_printed(printed, unit)} → {ours}"
    if measured is None:
        return Cell(text)
    if not spec.comparable:
        return Cell(text, shown_interval(measured.low, measured.high, unit))
    low, high = (
        None if end is None else end - printed.value for end in (measured.low, measured.high)
    )
    difference = shown_difference(measured.value - printed.value, unit)
    return Cell(text, f"{difference}, {shown_interval(low, high, unit, sign=True)}")


def _printed(figure: Published, unit: str) -> str:
    mark = "" if figure.verified else UNVERIFIED
    return f"{shown(figure.value, 'share' if figure.share else unit)}{mark}"


def _verification(cells: Sequence[CellSpec]) -> list[str]:
    """How the published values of a table were verified, by count."""
    found = Counter(cell.published.verification for cell in cells if cell.published is not None)
    if not found:
        return []
    how = "; ".join(f"{text} ({count})" for text, count in found.most_common())
    lines = [f"How published values were verified: {how}."]
    if any(cell.published and not cell.published.verified for cell in cells):
        lines.append(
            f"{UNVERIFIED}: could not be verified here beyond the one copy that it was read from."
        )
    return lines


def claims_table(verdicts: Sequence[Verdict], title: str = "Claims") -> Table:
    """A row a claim: what was published, what was found here, and the verdict."""
    return Table(
        title,
        CLAIM_HEADINGS,
        tuple(claim_row(one) for one in verdicts),
        ("Intervals are corrected for all claims of a paper that are tested (Bonferroni).",),
    )


CLAIM_HEADINGS = (
    Heading("Claim", number=False),
    Heading("Published", number=False),
    Heading("Verdict", number=False),
    Heading("Effect"),
    Heading("Least effect"),
    Heading("Questions"),
    Heading("Seeds"),
    Heading("What was compared", number=False),
)


def claim_row(one: Verdict) -> tuple[Cell, ...]:
    """A claim's row under ``CLAIM_HEADINGS``."""
    claim, found = one.claim, one.effect
    reason = one.reason
    if one.verdict == NOT_SHOWN and found is not None and found.smallest is not None:
        reason += f"; {_size(claim, found.smallest)} would be told from none with 80 % power"
    cells = (
        Cell(f"{claim.id}: {claim.claim}"),
        Cell(claim.published),
        Cell(one.verdict, reason, KINDS.get(one.verdict, "")),
    )
    if claim.contrast is None:
        return (*cells, *(Cell(EMPTY) for _ in range(5)))
    if isinstance(claim.contrast, VolumeRatio):
        return (*cells, *claim_cells(one))
    return (
        *cells,
        _effect(claim, found),
        Cell(f"{'below −' if claim.direction == 'less' else 'above '}{_size(claim, claim.least)}"),
        _questions(found, one.needed),
        Cell(str(found.seeds) if found else EMPTY),
        Cell(
            f"{described(claim.contrast)}; {', '.join(map(label, claim.measures))}",
            f"{claim.stage}: {', '.join(claim.tasks)}"
            + "".join(f", only {name} {value}" for name, value in claim.only)
            + (f"; {found.method}" if found else ""),
        ),
    )


def _effect(claim: Claim, found: Effect | None) -> Cell:
    if found is None:
        return Cell(EMPTY)
    detail = f"{_ends(claim, found.low, found.high)}, these weights"
    if found.over_seeds:
        detail += f"; {_ends(claim, *found.over_seeds)} over seeds"
    if claim.test == "seeds":
        detail += ", which is judged"
    value = (
        _size(claim, found.value)
        if isinstance(claim.contrast, Choice)
        else f"{shown_difference(found.value, _unit(claim))} {difference_unit(_unit(claim))}"
    )
    return Cell(value, detail)


def _questions(found: Effect | None, needed: int | None) -> Cell:
    if found is None:
        return Cell(EMPTY, f"{needed} planned" if needed else "")
    entities = f"{found.clusters} entities" if found.clusters < found.n else ""
    planned = f"{needed} needed" if needed else ""
    return Cell(str(found.n), ", ".join(text for text in (entities, planned) if text))


def _unit(claim: Claim) -> str:
    return "share" if isinstance(claim.contrast, Choice) else MEASURES[claim.measures[0]].unit


def _size(claim: Claim, value: float) -> str:
    unit = _unit(claim)
    of = "%" if isinstance(claim.contrast, Choice) else difference_unit(unit)
    return f"{shown(value, unit)} {of}".strip()


def _ends(claim: Claim, low: float, high: float) -> str:
    signed = not isinstance(claim.contrast, Choice)
    return shown_interval(low, high, _unit(claim), sign=signed)


def described(contrast: OfScores) -> str:
    """The contrast as a formula in words."""
    if isinstance(contrast, Difference):
        return f"{contrast.arm} − {contrast.baseline}"
    if isinstance(contrast, Interaction):
        return (
            f"({contrast.arm} − {contrast.baseline}) − "
            f"({contrast.other_arm} − {contrast.other_baseline})"
        )
    if isinstance(contrast, Buckets):
        return (
            f"{contrast.arm} − {contrast.baseline}, {contrast.column} {contrast.first} minus "
            f"{contrast.second}"
        )
    if isinstance(contrast, Matched):
        return (
            f"harm of {contrast.curve[0]} … {contrast.curve[-1]} at equal {contrast.accuracy}, "
            f"minus that of {contrast.points[0]} … {contrast.points[-1]}"
        )
    if isinstance(contrast, Choice):
        share = f"{100 * contrast.validation:g} %"
        return (
            f"chosen on {share} of the questions, not the rest's best: {', '.join(contrast.among)}"
        )
    over = ", ".join(f"{arm} {x:g}" for arm, x in contrast.over.items())
    control = ", ".join(f"{arm} {x:g}" for arm, x in contrast.control.items())
    return f"slope over {over}" + (f", minus slope over {control}" if control else "")
