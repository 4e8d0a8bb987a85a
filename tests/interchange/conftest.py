"""Real files of the tools, and the check that nothing of them is dropped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.interchange.foreign_run import ForeignRun
from harness.interchange.leftover import leaves

FILES = Path(__file__).parent / "files"


@pytest.fixture
def files() -> Path:
    """Folder of the foreign files."""
    return FILES


@pytest.fixture
def lost() -> Callable[..., list[str]]:
    """What ``lost_leaves`` finds."""
    return lost_leaves


def lost_leaves(
    content: Any,
    runs: Sequence[ForeignRun],
    converted: Mapping[str, Callable[[Any], Any]] | None = None,
) -> list[str]:
    """The leaves of a foreign file that are in no run: neither in a place of ours nor in the rest.

    ``converted``: place to what turns the file's value into ours, where the two differ.
    """
    found = []
    for path, value in leaves(content):
        wanted = "NaN" if isinstance(value, float) and math.isnan(value) else value
        if not any(_holds(run, path, wanted, converted or {}) for run in runs):
            found.append(".".join(map(str, path)))
    return found


def _holds(
    run: ForeignRun, path: tuple[Any, ...], value: Any, converted: Mapping[str, Any]
) -> bool:
    rest = dict(leaves(run.rest))
    if path in rest and rest[path] == value and type(rest[path]) is type(value):
        return True
    place = run.placed.get(path)
    if place is None:
        return False
    kind, _, name = place.partition(".")
    if kind == "other_measures":
        held: Any = [run.measures[name].value]
    elif kind == "cost_assumptions":
        held = [run.columns[kind][name]]
    elif kind == "error":
        held = [run.error]
    elif kind == "metric_versions":
        held = list(run.versions.values())
    else:
        held = [inner for _, inner in leaves(run.columns[kind])]
    expected = converted[place](value) if place in converted else value
    return any(one == expected for one in held)
