"""The metered blocks that costs are read from, where one set of them holds every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.blocks.table import readings_by_set
from harness.compare.arms import Arm
from harness.economics.rows import with_reading

Block = tuple[int, Mapping[str, Any]]
"""Number of a block, and the row of an arm as if it had cost what was read in it."""


def newest_blocks(arms: Sequence[Arm]) -> tuple[dict[str, list[Block]], list[str]]:
    """Label of each arm -> its blocks, of the newest set that holds all arms; and what to say.

    Readings of one set were taken in turns on one machine, so they may be set side by side. Where
    a set lacks an arm, none is used: the arms would be compared across machines and days.
    """
    runs = {
        (str(row.get("folder")), row["run_id"]): (arm.label, row)
        for arm in arms
        for row in arm.runs
    }
    sets: dict[str, dict[str, list[Block]]] = {}
    started: dict[str, str] = {}
    for name, readings in readings_by_set(runs).items():
        started[name] = max(reading["started_at"] for _, reading in readings)
        own = sets.setdefault(name, {})
        for (label, row), reading in readings:
            own.setdefault(label, []).append((reading["block"], with_reading(row, reading)))
    whole = [name for name, found in sets.items() if len(found) == len(arms)]
    if not whole:
        lacking = "no set of metered blocks holds every arm: costs are those of the runs"
        return {}, [lacking] if sets else []
    newest = max(whole, key=lambda name: started[name])
    count = max(len(blocks) for blocks in sets[newest].values())
    return sets[newest], [f"costs are read from {count} metered blocks (set {newest})"]
