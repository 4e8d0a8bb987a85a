"""Where the figures come from: settings, code, packages, device, energy, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.report.gather import ArmRuns, ReportData, Run, number
from harness.report.quantities import EMPTY, digits
from harness.report.tables import Cell, Heading, Table
from harness.report.text import one_line

RUNS = 200
"""Runs listed at most; the others are in their tables."""


def provenance_tables(data: ReportData) -> list[Table]:
    """Settings that differ, where each arm ran and with what, every run, and failed runs."""
    tables = [settings_table(data), circumstances_table(data), packages_table(data)]
    tables += [runs_table(data), failed_table(data)]
    return [table for table in tables if table is not None]


def settings_table(data: ReportData) -> Table | None:
    """What arms do not have in common, a row a setting."""
    names = list(dict.fromkeys(name for arm in data.arms for name in arm.summary.settings))
    if not names:
        return None
    headings = [Heading("setting", number=False)]
    headings += [Heading(arm.label, number=False) for arm in data.arms]
    rows = tuple(
        (Cell(name), *(Cell(arm.summary.settings.get(name) or EMPTY) for arm in data.arms))
        for name in names
    )
    return Table("Settings in which arms differ", tuple(headings), rows)


def circumstances_table(data: ReportData) -> Table:
    """Device, energy, carbon and data of the arms; arms with the same fact share its row."""
    facts: list[tuple[str, Callable[[Run], str]]] = [
        ("experiment", _text("experiment")),
        ("task", _text("task")),
        ("model", _text("model")),
        ("model identity", _hash("model_identity")),
        ("test questions, sha256", _hash("split_sha256")),
        ("corpus, sha256", _hash("corpus_sha256")),
        ("parity of retriever and training", _text("parity")),
        ("device", _text("device")),
        ("device used alone", _text("device_exclusive")),
        ("platform", _text("platform")),
        ("energy from", _energy),
        ("carbon intensity", _carbon),
        ("code commit", _commit),
        ("imported from", _text("source")),
        ("notes", _text("notes")),
    ]
    rows = []
    for name, fact in facts:
        arms: dict[str, list[str]] = {}
        for arm in data.arms:
            arms.setdefault(_said(arm, fact), []).append(arm.label)
        if set(arms) == {EMPTY}:
            continue
        for said, labels in arms.items():
            who = "all arms" if len(labels) == len(data.arms) > 1 else ", ".join(labels)
            rows.append((Cell(name), Cell(who), Cell(said)))
    headings = tuple(Heading(name, number=False) for name in ("what", "arm", "is"))
    return Table("Circumstances", headings, tuple(rows))


def packages_table(data: ReportData) -> Table | None:
    """Package versions; where runs differ, all that were met."""
    versions: dict[str, dict[str, None]] = {}
    for arm in data.arms:
        for run in arm.runs:
            for name, version in _dict(run.get("package_versions")).items():
                versions.setdefault(str(name), {})[one_line(str(version), 80)] = None
    if not versions:
        return None
    headings = (Heading("package", number=False), Heading("version", number=False))
    rows = tuple((Cell(name), Cell(", ".join(found))) for name, found in sorted(versions.items()))
    return Table("Package versions", headings, rows, folded=True)


def runs_table(data: ReportData) -> Table:
    """Every run that counts: its seed, settings, what it reused and what it spent."""
    headings = (
        Heading("run", number=False),
        Heading("arm", number=False),
        Heading("seed"),
        Heading("config, sha256", number=False),
        Heading("reused", number=False),
        Heading("spent", "s"),
        Heading("written", "UTC", number=False),
    )
    pairs = [(arm, run) for arm in data.arms for run in arm.runs]
    rows = tuple(
        (
            Cell(str(run.get("run_id"))),
            Cell(arm.label),
            Cell(_text("seed")(run) or EMPTY),
            Cell(_hash("config_hash")(run) or EMPTY),
            Cell(", ".join(dict.fromkeys(map(str, run.get("reused") or ()))) or "nothing"),
            Cell(digits(number(run.get("spent_seconds")))),
            Cell(_text("created_at")(run).removesuffix("+00:00") or EMPTY),
        )
        for arm, run in pairs[:RUNS]
    )
    notes = [
        "The resolved settings of a run are configs/<config>.yaml beside its table, its answers "
        "predictions/<run>.jsonl.",
        "Reused work counts in every cost at what it first took; spent is of the run itself.",
    ]
    if len(pairs) > RUNS:
        notes.append(f"{RUNS} of {len(pairs):,} runs are listed.")
    return Table("Runs", headings, rows, tuple(notes), folded=True)


def failed_table(data: ReportData) -> Table | None:
    """Runs that failed and are in no figure."""
    frame = data.frame
    failed = frame[frame["status"] == "failed"]
    if not len(failed):
        return None
    headings = tuple(Heading(name, number=False) for name in ("run", "arm", "seed", "why"))
    rows = tuple(
        tuple(
            Cell(EMPTY if missing else one_line(str(value)))
            for value, missing in zip(values, gone, strict=True)
        )
        for values, gone in zip(
            failed[["run_id", "arm", "seed", "error"]].head(RUNS).astype(object).to_numpy(),
            failed[["run_id", "arm", "seed", "error"]].head(RUNS).isna().to_numpy(),
            strict=True,
        )
    )
    count = "One run" if len(failed) == 1 else f"{len(failed):,} runs"
    notes = (f"{count} failed: no figure holds any of it.",)
    return Table("Failed runs", headings, rows, notes)


def _said(arm: ArmRuns, fact: Callable[[Run], str]) -> str:
    found = list(dict.fromkeys(said for run in arm.runs if (said := fact(run))))
    more = f"; and {len(found) - 4} more" if len(found) > 4 else ""
    return "; ".join(found[:4]) + more or EMPTY


def _text(column: str) -> Callable[[Run], str]:
    def say(run: Run) -> str:
        value = run.get(column)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return one_line(str(value))

    return say


def _hash(column: str) -> Callable[[Run], str]:
    return lambda run: str(run.get(column) or "")[:12]


def _energy(run: Run) -> str:
    source = run.get("energy_source")
    if not source:
        return ""
    share = number(run.get("energy_assumed_share"))
    return str(source) + (
        f", {100 * share:.0f} % of it on assumed watts" if share is not None else ""
    )


def _carbon(run: Run) -> str:
    intensity = number(run.get("carbon_intensity_kg_per_kwh"))
    if intensity is None:
        return ""
    source = one_line(str(run.get("carbon_intensity_source") or "source not stated"))
    return f"{digits(intensity)} kg CO2e per kWh ({source})"


def _commit(run: Run) -> str:
    version = str(run.get("code_version") or "")[:12]
    dirty = run.get("code_dirty")
    if not version:
        return ""
    if dirty is None:
        return f"{version}, whether with uncommitted changes is unknown"
    return f"{version}, {'with' if dirty else 'without'} uncommitted changes"


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def problems(data: ReportData, most: int = 100) -> Sequence[str]:
    """What could not be read or compared, a line each."""
    lines = [one_line(line, 500) for line in data.problems]
    more = [f"and {len(lines) - most:,} more"] if len(lines) > most else []
    return [*lines[:most], *more]
