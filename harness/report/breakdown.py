"""The figures behind the charts, as tables: forgetting, popularity, phases, retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from harness.columns import PHASES, phase_columns
from harness.measures.definitions import FORGETTING, PROBES, RETRIEVAL
from harness.report.gather import ArmRuns, ReportData, number
from harness.report.headline import headline_measures, measure_cell
from harness.report.quantities import (
    EMPTY,
    difference_unit,
    digits,
    label,
    scale,
    shown,
    shown_interval,
)
from harness.report.tables import Cell, Heading, Table

BUCKETS = ("low", "middle", "high")
"""The usual buckets in their order; others follow by name."""


def forgetting_table(data: ReportData) -> Table | None:
    """Each probe before and after, a row an arm; None where nothing was probed."""
    probes = [name for name in PROBES if any(arm.values(f"{name}_before") for arm in data.arms)]
    if not probes:
        return None
    headings = [Heading("arm", number=False)]
    for name in probes:
        headings.append(Heading(label(f"forgetting_{name}"), difference_unit(PROBES[name].unit)))
    rows = []
    for arm in data.arms:
        cells = [Cell(arm.label)]
        for name in probes:
            unit = PROBES[name].unit
            cell = measure_cell(arm, FORGETTING[f"forgetting_{name}"])
            before, after = arm.values(f"{name}_before"), arm.values(f"{name}_after")
            detail = cell.detail
            if before and after:
                moved = f"{shown(fmean(before), unit)} → {shown(fmean(after), unit)}"
                detail = f"{moved} {scale(unit).unit}; {detail}".rstrip("; ")
            cells.append(Cell(cell.text, detail))
        rows.append(tuple(cells))
    notes = [
        "Positive is harm. Under it: the probe before → after, the 95 % interval over its items, "
        "and each seed.",
        *(f"{label(f'forgetting_{name}')}: {PROBES[name].definition}" for name in probes),
    ]
    return Table("Forgetting by probe", tuple(headings), tuple(rows), tuple(notes))


def popularity_table(data: ReportData) -> Table | None:
    """The headline accuracy in each popularity bucket; None where no run has buckets."""
    measures = [m for m in headline_measures(data) if m.name not in FORGETTING]
    found = {bucket for arm in data.arms for run in arm.measured for bucket in _buckets(run)}
    if not measures or not found:
        return None
    order = sorted(found, key=lambda name: (BUCKETS.index(name) if name in BUCKETS else 9, name))
    measure = measures[0]
    headings = [Heading("arm", number=False)]
    headings += [Heading(bucket, scale(measure.unit).unit) for bucket in order]
    rows = []
    for arm in data.arms:
        cells = [Cell(arm.label)]
        for bucket in order:
            entries = [_buckets(run).get(bucket, {}).get(measure.name) for run in arm.measured]
            cells.append(_entry_cell(entries, measure.unit))
        rows.append(tuple(cells))
    notes = (
        "Under a figure the 95 % interval over questions; with several seeds their mean alone.",
    )
    title = f"{label(measure.name)} by popularity"
    return Table(title[:1].upper() + title[1:], tuple(headings), tuple(rows), notes)


def phases_table(data: ReportData) -> Table | None:
    """Seconds and energy of each phase, a column an arm; None where nothing was timed."""
    arms = [arm for arm in data.arms if arm.measured]
    headings = [Heading("phase", number=False), *(Heading(arm.label, "s") for arm in arms)]
    rows = []
    for phase, what in PHASES.items():
        seconds, _, _, energy = phase_columns(phase)
        cells = [_phase_cell(arm, seconds, energy) for arm in arms]
        if any(cell.text != EMPTY for cell in cells):
            rows.append((Cell(phase, what), *cells))
    if not rows:
        return None
    notes = (
        "Seconds, mean over seeds; under them the energy. Reused work counts at what it first "
        "took. Probe and latency measure an arm and are in no total.",
    )
    return Table("Time and energy by phase", tuple(headings), tuple(rows), notes)


def retrieval_table(data: ReportData) -> Table | None:
    """Retrieval measures of the arms that retrieve; None where none does."""
    measures = [m for m in RETRIEVAL.values() if any(arm.values(m.name) for arm in data.arms)]
    arms = [arm for arm in data.arms if any(arm.values(m.name) for m in measures)]
    if not arms:
        return None
    headings = [Heading("arm", number=False), Heading("retriever", number=False), Heading("k")]
    headings += [Heading(f"{label(m.name)} ↑", scale(m.unit).unit) for m in measures]
    rows = [
        (
            Cell(arm.label),
            Cell(_setting(arm, "retriever"), _setting(arm, "encoder").replace(EMPTY, "")),
            Cell(_setting(arm, "top_k")),
            *(measure_cell(arm, measure) for measure in measures),
        )
        for arm in arms
    ]
    notes = [f"{label(m.name)}: {m.definition}" for m in measures]
    return Table("Retrieval quality", tuple(headings), tuple(rows), tuple(notes))


def _buckets(run: dict[str, object]) -> dict[str, dict[str, dict[str, float]]]:
    found = run.get("by_bucket")
    if not isinstance(found, dict):
        return {}
    return {str(name): entry for name, entry in found.items() if isinstance(entry, dict)}


def _entry_cell(entries: Sequence[dict[str, float] | None], unit: str) -> Cell:
    known = [entry for entry in entries if isinstance(entry, dict)]
    means = [value for entry in known if (value := number(entry.get("mean"))) is not None]
    if not means:
        return Cell(EMPTY)
    sizes = {int(size) for entry in known if (size := number(entry.get("n"))) is not None}
    detail = f"n {min(sizes):,}" if len(sizes) == 1 else ""
    if len(known) == 1:
        low, high = number(known[0].get("low")), number(known[0].get("high"))
        interval = shown_interval(low, high, unit)
        detail = "; ".join(filter(None, (interval, detail)))
    return Cell(shown(fmean(means), unit), detail)


def _phase_cell(arm: ArmRuns, seconds: str, energy: str) -> Cell:
    times, energies = arm.values(seconds), arm.values(energy)
    if not times:
        return Cell(EMPTY)
    used = f"{shown(fmean(energies), 'kWh')} Wh" if energies else ""
    return Cell(digits(fmean(times)), used)


def _setting(arm: ArmRuns, column: str) -> str:
    found = list(dict.fromkeys(str(run[column]) for run in arm.runs if run.get(column) is not None))
    return ", ".join(found) or EMPTY
