"""Small sweeps as a user starts them, in processes of their own, and what is compared of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.record import read_rows
from harness.sweep.journal import latest

ARMS = "rag_bm25,lora"
SETTINGS = (
    "-m",
    "experiment=smoke",
    "seed=0,1",
    "model=local",
    "model.name=tiny",
    "model.dtype=float32",
    "model.attention=eager",
    "model.train_dtype=float32",
    "model.train_attention=eager",
    "cost.energy=none",
    "measure.latency_questions=1",
    "forgetting.probes=[]",
    "sweep.threads=1",  # sums are rounded alike, however many workers share the machine
)

SAME = [
    "run_id",
    "status",
    "error",
    "arm",
    "seed",
    "config_hash",
    "split_sha256",
    "corpus_sha256",
    "model_identity",
    "n_test",
    "contains",
    "contains_low",
    "contains_high",
    "exact_match",
    "f1",
    "by_bucket",
    "recall_at_k",
    "top_k",
    "trained_steps",
    "trained_tokens",
    "training_pairs",
    "prefill_tokens",
    "decode_tokens",
    "passage_tokens",
]
"""What an interruption, or another process, must not change in a row."""


def start(folder: Path, model: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ``harness run`` in ``folder``, with a cache of its own there."""
    folder.mkdir(exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")
    }
    environment["HARNESS_CACHE"] = str(folder / "cache")
    command = [sys.executable, "-m", "harness.cli", "run", *SETTINGS, f"model.id={model}"]
    if not any(text.startswith("method=") for text in arguments):
        command.append(f"method={ARMS}")
    return subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(sweep: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a sweep; what it said on stderr."""
    out, err = sweep.communicate(timeout=300)
    assert sweep.returncode == code, out + err
    return err


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """Run id to what must be the same in every sweep: of the row, and of each answer."""
    experiment = folder / "results" / "smoke"
    found = {}
    rows = read_rows(experiment / "runs.csv")
    for row in rows:
        lines = (experiment / "predictions" / f"{row['run_id']}.jsonl").read_text().splitlines()
        answers = [json.loads(line) for line in lines]
        for answer in answers:
            answer.pop("latency_seconds")
        found[row["run_id"]] = {name: row[name] for name in SAME} | {"answers": answers}
    assert len(found) == len(rows), "a row is there twice"
    return found


def events(folder: Path) -> list[dict[str, Any]]:
    """The journal of the last sweep in ``folder``, whole lines only."""
    path = latest(folder / "results" / "smoke")
    lines = path.read_text().split("\n")[:-1] if path else []
    return [event for event in map(json.loads, lines) if "cell" in event]


def artifacts(folder: Path) -> list[str]:
    """The artifacts in the store: kind and key."""
    manifests = (folder / "cache" / "store").glob("*/*/manifest.json")
    return sorted(f"{path.parent.parent.name}/{path.parent.name}" for path in manifests)
