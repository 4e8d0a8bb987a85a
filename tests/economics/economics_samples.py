"""Rows and readings of two arms, with figures that are easy to reckon with."""

from __future__ import annotations

from typing import Any

from harness.columns import COLUMNS

BLANK = dict.fromkeys(COLUMNS)

# 36 W for 100 s are 0.001 kWh: the rest of a phase's energy is the processor's.
WATTS = {
    "cpu": {"value": 100.0, "unit": "W", "origin": "assumed", "detail": ""},
    "memory": {"value": 36.0, "unit": "W", "origin": "assumed", "detail": ""},
}

COMMON = BLANK | {
    "status": "ok",
    "task": "t",
    "model": "m",
    "split_sha256": "s",
    "seed": 0,
    "n_test": 10,
    "exact_match": 0.5,
    "energy_source": "estimate",
    "cost_assumptions": WATTS,
}
LORA = COMMON | {
    "run_id": "lora-1",
    "arm": "lora",
    "adapter": "lora",
    "prepare_seconds": 0.0,
    "prepare_energy_kwh": 0.0,
    "train_seconds": 100.0,
    "train_energy_kwh": 0.005,
    "trained_tokens": 50_000,
    "prefill_seconds": 5.0,
    "prefill_energy_kwh": 0.0002,
    "decode_seconds": 5.0,
    "decode_energy_kwh": 0.0002,
    "prefill_tokens": 200,
    "decode_tokens": 50,
}
RAG = COMMON | {
    "run_id": "rag-1",
    "arm": "rag",
    "exact_match": 0.25,
    "index_seconds": 20.0,
    "index_energy_kwh": 0.001,
    "tune_seconds": 7.0,
    "tune_energy_kwh": 0.0003,
    "retrieve_seconds": 1.0,
    "retrieve_energy_kwh": 0.0001,
    "prefill_seconds": 20.0,
    "prefill_energy_kwh": 0.001,
    "decode_seconds": 9.0,
    "decode_energy_kwh": 0.0004,
    "prefill_tokens": 2200,
    "decode_tokens": 70,
}


def reading(arm: str, block: int, position: int) -> dict[str, Any]:
    """A reading of a block; of each next block its phases take a second more."""
    row = LORA if arm == "lora" else RAG
    fixed = {"train_seconds": 100.0 + block} if arm == "lora" else {"index_seconds": 20.0 + block}
    return {
        "set_id": "set",
        "run_id": row["run_id"],
        "arm": arm,
        "seed": 0,
        "phases": "all",
        "block": block,
        "position": position,
        "started_at": "2026-01-01T00:00:00+00:00",
        "n_test": 10,
        "same_answers": True,
        "prefill_tokens": row["prefill_tokens"],
        "energy_source": "none",
        "device": "CPU, quoted, and 'odd'",
        "device_exclusive": True,
        "decode_seconds": 10.0 + block if arm == "lora" else 30.0 + block,
        **fixed,
    }
