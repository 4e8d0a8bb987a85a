"""Small results made by hand: rows in memory, and folders as a run writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.compare.arms import Arm, line_up
from harness.probe_items import ProbeLine, write_probe_items
from harness.record import append_row
from harness.row import new_row

SPLIT, OTHER_SPLIT = "1a2b" * 16, "3c4d" * 16
BASE: dict[str, Any] = {
    "status": "ok",
    "experiment": "mine",
    "arm": "closed_book",
    "task": "facts",
    "model": "tiny",
    "seed": 0,
    "split_sha256": SPLIT,
    "corpus_sha256": "c0" * 32,
}


def row(**values: Any) -> dict[str, Any]:
    """A checked row; its run id is arm-sSEED unless given."""
    named = BASE | values
    return new_row(**({"run_id": f"{named['arm']}-s{named['seed']}"} | named))


def frame(*rows: Mapping[str, Any], table: str = "results/mine/runs.csv") -> pd.DataFrame:
    """Rows as ``read_results`` gives them; a row may hold its own ``table``."""
    placed = [{"table": table, **one} for one in rows]
    return pd.DataFrame(
        [
            one | {"line": number, "folder": str(Path(one["table"]).parent)}
            for number, one in enumerate(placed, start=2)
        ],
        dtype=object,
    )


def arms(*rows: Mapping[str, Any]) -> dict[str, Arm]:
    """Label to arm."""
    return {arm.label: arm for arm in line_up(frame(*rows))[0]}


def write_run(
    folder: Path,
    scores: Mapping[str, Mapping[str, float] | float] | None = None,
    *,
    fields: Mapping[str, Mapping[str, Any]] | None = None,
    harm: Mapping[str, float] | None = None,
    table: str = "runs.csv",
    **columns: Any,
) -> str:
    """Append a run to a folder of results and return its id.

    Args:
        scores: question id -> its metrics, or that of exact_match; None: no predictions file.
        fields: question id -> other fields of its prediction.
        harm: item id -> before − after of the probe facts_options; None: no probes file.
    """
    made = row(**columns)
    run_id = str(made["run_id"])
    append_row(folder / table, made)
    if scores is not None:
        lines = []
        for name, found in scores.items():
            metrics = found if isinstance(found, Mapping) else {"exact_match": float(found)}
            line = {"question_id": name, "metrics": dict(metrics), "cluster": ""}
            lines.append(json.dumps(line | dict((fields or {}).get(name, {}))))
        write_lines(folder, run_id, lines)
    if harm is not None:
        items = [ProbeLine("facts_options", name, "", 1.0, 1.0 - h) for name, h in harm.items()]
        write_probe_items(folder / "probes", run_id, items)
    return run_id


def write_lines(folder: Path, run_id: str, lines: Sequence[str]) -> None:
    """A predictions file of these lines as they are."""
    path = folder / "predictions" / f"{run_id}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def answers(right: int, of: int = 40) -> dict[str, float]:
    """The first ``right`` questions right, the others wrong."""
    return {f"q{number}": float(number < right) for number in range(of)}
