"""What may be compared: why two arms, or one of their measures, cannot be; what a reader must know.

What a row does not say is unknown: it neither refuses nor vouches for a comparison, and is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from harness.compare.arms import DATA, SETTINGS, Arm, shortened
from harness.compare.labels import setting_text
from harness.measures.costs import TIMED
from harness.measures.cut import WORTH_SAYING

EMISSIONS = "emissions_kg"
ENERGY = ("setup_energy_kwh", "answer_energy_kwh", "total_energy_kwh", EMISSIONS)
OF_THE_GRID = ("carbon_intensity", "pue")
"""Assumptions that emissions rest on and energy does not."""


def refusal(baseline: Arm, arm: Arm) -> str:
    """Why the two cannot be compared at all; "" if they can, as far as their rows say."""
    if _differ(baseline, arm, "task"):
        return _against("other task", baseline, arm, "task")
    if _differ(baseline, arm, "split_sha256"):
        return _against("other test questions: split", baseline, arm, "split_sha256", colon=False)
    return ""


def split_known(baseline: Arm, arm: Arm) -> bool:
    """Whether both rows say which test questions they are about."""
    return all(_all_known(one, "split_sha256") for one in (baseline, arm))


def marks(baseline: Arm, arm: Arm) -> list[str]:
    """What differs between the two that a reader must know, one phrase each."""
    found = []
    if _differ(baseline, arm, "model"):
        found.append(_against("other model", baseline, arm, "model"))
    elif _differ(baseline, arm, "model_identity"):
        found.append(_against("other files of the model", baseline, arm, "model_identity"))
    if _differ(baseline, arm, "corpus_sha256"):
        found.append(_against("another corpus", baseline, arm, "corpus_sha256"))
    if _differ(baseline, arm, "parity"):
        found.append(_against("other parity", baseline, arm, "parity"))
    settings = [
        f"{name} {_text(baseline, name)} against {_text(arm, name)}"
        for name in SETTINGS
        if name != "top_k" and _differ(baseline, arm, name)
    ]
    if settings:
        found.append(f"other settings: {'; '.join(settings)}")
    if not (baseline.summary.frozen or arm.summary.frozen):
        ours, theirs = baseline.summary.seeds, arm.summary.seeds
        if ours != theirs:
            found.append(f"other seeds: {_seeds(ours)} against {_seeds(theirs)}")
    if _other_device(baseline, arm):
        found.append("another device: costs that depend on it are not tested")
    found += _cut(baseline, arm)
    return [*found, *(mark for one in (baseline, arm) for mark in _marks_of(one))]


def _cut(baseline: Arm, arm: Arm) -> list[str]:
    """That the limit of tokens may have cost one arm much more than the other."""
    known = [(share, one) for one in (baseline, arm) if (share := _cut_share(one)) is not None]
    if len(known) < 2:
        return []
    (less, other), (more, most) = sorted(known, key=lambda pair: pair[0])
    if more - less < WORTH_SAYING:
        return []
    return [
        f"{more:.0%} of the answers of {most.label} were cut at max_new_tokens and count as wrong, "
        f"of {other.label} {less:.0%}"
    ]


def _cut_share(arm: Arm) -> float | None:
    known = [row["wrong_at_limit"] for row in arm.runs if row.get("wrong_at_limit") is not None]
    return fmean(known) if known else None


def _marks_of(arm: Arm) -> Iterator[str]:
    """Where an arm came from, and what its rows do not say."""
    sources = sorted(arm.known("source"))
    if sources:
        yield f"{arm.label} was imported from {', '.join(sources)}"
    if not _all_known(arm, "split_sha256"):
        yield f"test split of {arm.label} not known: questions are matched by id"
    if not arm.weights_known:
        yield f"whether {arm.label} was trained is not known: not taken as frozen"
    if len(arm.runs) > 1 and None in arm.summary.seeds:
        yield f"seeds of {arm.label} not known: each of its runs counts as one"
    if rounded_away(arm):
        yield (
            f"{arm.label} was trained with updates in 16 bits, which round small ones away: it may "
            "have learned less than it could (docs/training.md)"
        )


def rounded_away(arm: Arm) -> bool:
    """Whether a run of this harness added its updates to 16-bit weights in their own format.

    Rows from before ``update_dtype`` was recorded did, but for adapters on weights in four bits,
    which PEFT keeps in float32.
    """
    halves = ("bfloat16", "float16")
    return any(
        row.get("train_dtype") in halves
        and row.get("update_dtype") in (None, *halves)
        and row.get("train_quantization") != "nf4"
        and not row.get("source")
        for row in arm.runs
    )


def one_model(baseline: Arm, arm: Arm) -> bool:
    """Whether both rows say that the two began as one model."""
    columns = ("model_identity", "model")
    column = next((name for name in columns if baseline.known(name) and arm.known(name)), "model")
    found = baseline.known(column) | arm.known(column)
    return len(found) == 1 and all(_all_known(one, column) for one in (baseline, arm))


def other_version(baseline: Arm, arm: Arm, measure: str) -> str:
    """Why the two arms' figures of a measure mean different things; "" if they do not."""
    ours, theirs = (_versions(one, measure) for one in (baseline, arm))
    if len(ours | theirs) < 2:
        return ""
    if ours and theirs and ours != theirs:
        return f"another version of {measure}: {_listed(ours)} against {_listed(theirs)}"
    one = baseline if len(ours) > 1 else arm
    return f"runs of {one.label} hold versions {_listed(ours | theirs)} of {measure}"


def version_note(baseline: Arm, arm: Arm, measure: str) -> str:
    """That one arm does not say by which version of a measure it was scored; "" if both do."""
    known = [bool(_versions(one, measure)) for one in (baseline, arm)]
    if all(known) or not any(known):
        return ""
    return f"version of {measure} not known for {(arm if known[0] else baseline).label}"


def untested_cost(baseline: Arm, arm: Arm, cost: str) -> str:
    """Why the difference in a cost would be that of the device or of an assumption; else ""."""
    if cost in TIMED:
        for name in ("device", "platform"):
            if _differ(baseline, arm, name):
                return _against(f"another {name}", baseline, arm, name)
    if cost not in ENERGY:
        return ""
    if _differ(baseline, arm, "energy_source"):
        return _against("another energy source", baseline, arm, "energy_source")
    ours, theirs = (_assumed(one, cost) for one in (baseline, arm))
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name]:
            return (
                f"another assumption, {name}: {_listed(ours[name])} against {_listed(theirs[name])}"
            )
    return ""


def cost_notes(baseline: Arm, arm: Arm, cost: str) -> list[str]:
    """What a reader must know of a cost that is compared."""
    if cost not in TIMED:
        return []
    notes = []
    for one in (baseline, arm):
        if False in one.known("device_exclusive"):
            notes.append(f"other processes used the device while {one.label} ran")
        if not _all_known(one, "device"):
            notes.append(f"device of {one.label} not known")
        if cost in ENERGY and not _all_known(one, "energy_source"):
            notes.append(f"energy source of {one.label} not known")
    return notes


def _other_device(baseline: Arm, arm: Arm) -> bool:
    return _differ(baseline, arm, "device") or _differ(baseline, arm, "platform")


def _differ(baseline: Arm, arm: Arm, column: str) -> bool:
    ours, theirs = baseline.known(column), arm.known(column)
    return bool(ours and theirs and ours != theirs)


def _all_known(arm: Arm, column: str) -> bool:
    return all(row.get(column) is not None for row in arm.runs)


def _versions(arm: Arm, measure: str) -> set[Any]:
    named = (versions.get(measure) for versions in arm.objects("metric_versions"))
    return {version for version in named if isinstance(version, int | float | str)}


def _assumed(arm: Arm, cost: str) -> dict[str, set[str]]:
    """Assumption -> the values that the arm's runs rest on, as text."""
    found: dict[str, set[str]] = {}
    for assumptions in arm.objects("cost_assumptions"):
        for name, one in assumptions.items():
            if name in OF_THE_GRID and cost != EMISSIONS:
                continue
            told = one if isinstance(one, dict) else {"value": one}
            text = f"{json.dumps(told.get('value'))} {told.get('unit') or ''}"
            found.setdefault(name, set()).add(text.strip())
    if cost == EMISSIONS:
        intensities = arm.known("carbon_intensity_kg_per_kwh")
        if intensities:
            found["kg CO2e per kWh"] = {f"{one:g}" for one in intensities}
    return found


def _against(what: str, baseline: Arm, arm: Arm, column: str, colon: bool = True) -> str:
    ours, theirs = (_listed(found) for found in _told(baseline, arm, column))
    return f"{what}{':' if colon else ''} {ours} against {theirs}"


def _told(baseline: Arm, arm: Arm, column: str) -> list[set[Any]]:
    """What both say in a column, hashes cut to what tells them apart."""
    both = [set(one.known(column)) for one in (baseline, arm)]
    if column not in DATA:
        return both
    cut = shortened(both[0] | both[1])
    return [{cut[value] for value in found} for found in both]


def _text(arm: Arm, column: str) -> str:
    return _listed(set(arm.known(column)))


def _seeds(seeds: Sequence[int | None]) -> str:
    return ", ".join("?" if seed is None else str(seed) for seed in seeds)


def _listed(values: set[Any]) -> str:
    return ", ".join(sorted(map(setting_text, values))) or "none"
