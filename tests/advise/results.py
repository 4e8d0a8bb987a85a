"""Results made by hand: three arms, two seeds and four questions, with predictions and probes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from harness.columns import COLUMNS

RIGHT = {"lora": (1, 1, 1, 0), "rag": (1, 1, 0, 0), "closed_book": (0, 0, 0, 0)}
"""Which of the four questions each arm answers correctly, with every seed."""

SECONDS: dict[str, dict[str, float]] = {
    "lora": {"train_seconds": 100, "decode_seconds": 4},
    "rag": {"index_seconds": 20, "retrieve_seconds": 4, "decode_seconds": 8},
    "closed_book": {"decode_seconds": 8},
}


def write_results(folder: Path, seeds: tuple[int, ...] = (0, 1), **changes: Any) -> Path:
    """The table; ``changes`` are columns of every row, or of one arm as ``rag={...}``.

    lora trains for 100 s (110 s with seed 1) and answers in 1 s, rag indexes for 20 s and answers
    in 3 s, closed_book answers in 2 s. A second takes 0.01 kWh.
    """
    rows = [_row(arm, seed, changes) for arm in RIGHT for seed in seeds]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "runs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        _write_lines(folder / "predictions" / f"{row['run_id']}.jsonl", _predictions(row["arm"]))
        if row["arm"] == "lora":
            _write_lines(folder / "probes" / f"{row['run_id']}.jsonl", _probes())
    return folder / "runs.csv"


def _row(arm: str, seed: int, changes: dict[str, Any]) -> dict[str, Any]:
    seconds = dict(SECONDS[arm])
    if arm == "lora" and seed == 1:
        seconds["train_seconds"] += 10
    energy = {
        name.replace("_seconds", "_energy_kwh"): value / 100 for name, value in seconds.items()
    }
    trained = {"adapter": "lora", "forgetting_facts_options": 0.25} if arm == "lora" else {}
    own = changes.get(arm, {})
    return {
        "schema_version": 1,
        "run_id": f"{arm}{seed}",
        "created_at": f"2026-01-01T00:00:0{seed}+00:00",
        "status": "ok",
        "experiment": "made",
        "arm": arm,
        "task": "t",
        "model": "m",
        "seed": seed,
        "n_test": 4,
        "contains": sum(RIGHT[arm]) / 4,
        "retriever": "bm25" if arm == "rag" else "",
        "energy_source": "estimate",
        "energy_assumed_share": 1,
        "carbon_intensity_kg_per_kwh": 0.5,
        "carbon_intensity_source": "stated: a test",
        "latency_p95_seconds": 0.5,
        "peak_memory_gib": 2.5 if arm == "lora" else 1.5,
        **seconds,
        **energy,
        **trained,
        **{name: value for name, value in changes.items() if name in COLUMNS},
        **own,
    }


def _predictions(arm: str) -> list[dict[str, Any]]:
    return [
        {"question_id": f"q{n}", "metrics": {"contains": float(right)}, "cluster": ""}
        for n, right in enumerate(RIGHT[arm])
    ]


def _probes() -> list[dict[str, Any]]:
    """One of four facts is lost."""
    return [
        {"measure": "facts_options", "item_id": f"f{n}", "before": 1.0, "after": float(n > 0)}
        for n in range(4)
    ]


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
