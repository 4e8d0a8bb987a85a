"""Labels of arms: the bare name where that is enough, else what tells it from its namesakes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

IN_FRONT = ("experiment", "folder", "task", "model")
"""What is put before a name, in this order, joined by "/"."""

Names = Mapping[str, Any]


def labels(arms: Sequence[Names]) -> list[str]:
    """A unique label for each arm, from its ``arm``, ``experiment``, ``table``, ``task``, ``model``
    and settings (all other keys)."""
    namesakes: dict[str, list[int]] = defaultdict(list)
    for position, names in enumerate(arms):
        namesakes[str(names["arm"])].append(position)
    found = [""] * len(arms)
    for positions in namesakes.values():
        for position, label in zip(
            positions, _told_apart([arms[position] for position in positions]), strict=True
        ):
            found[position] = label
    return _numbered(found)


def _told_apart(arms: Sequence[Names]) -> list[str]:
    if len(arms) == 1:
        return [str(arms[0]["arm"])]
    tails = _tails([str(names["table"]) for names in arms])
    known = [{**names, "folder": tail} for names, tail in zip(arms, tails, strict=True)]
    settings = [name for name in arms[0] if name not in (*IN_FRONT, "arm", "table")]
    settings += [name for names in arms for name in names if name not in known[0]]
    candidates = [
        name
        for name in dict.fromkeys((*IN_FRONT, *settings))
        if len({names.get(name) for names in known}) > 1
    ]
    chosen = _enough(known, candidates)
    return [_label(names, chosen) for names in known]


def _enough(arms: Sequence[Names], candidates: Sequence[str]) -> list[str]:
    """One candidate that tells all arms apart; else the first few that together do."""
    for name in candidates:
        if len({names.get(name) for names in arms}) == len(arms):
            return [name]
    chosen: list[str] = []
    told = 1
    for name in candidates:
        now = len({tuple(names.get(one) for one in (*chosen, name)) for names in arms})
        if now > told:
            chosen, told = [*chosen, name], now
        if told == len(arms):
            break
    return chosen


def _label(names: Names, chosen: Sequence[str]) -> str:
    front = [str(names[name] or "none") for name in IN_FRONT if name in chosen]
    behind = [f"{name}={setting_text(names.get(name))}" for name in chosen if name not in IN_FRONT]
    label = "/".join((*front, str(names["arm"])))
    return f"{label}[{', '.join(behind)}]" if behind else label


def setting_text(value: Any) -> str:
    """A setting as it is shown."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tails(tables: Sequence[str]) -> list[str]:
    """The last parts of each table's path, as few as tell the tables apart."""
    parts = {table: _parts(table) for table in tables}
    longest = max(map(len, parts.values()))
    for count in range(1, longest + 1):
        tails = {table: "/".join(found[-count:]) for table, found in parts.items()}
        if len(set(tails.values())) == len(tails):
            break
    return [tails[table] for table in tables]


def _parts(table: str) -> tuple[str, ...]:
    path = PurePath(table)
    # Every experiment's table is called runs.csv; its folder says more.
    parts = path.parent.parts if path.name == "runs.csv" else path.with_suffix("").parts
    return tuple(part for part in parts if part not in ("/", "..")) or (path.stem,)


def _numbered(found: Sequence[str]) -> list[str]:
    """The labels, a number behind those that still stand more than once."""
    often, met = Counter(found), Counter[str]()
    numbered = []
    for label in found:
        met[label] += 1
        numbered.append(f"{label} #{met[label]}" if often[label] > 1 else label)
    return numbered
