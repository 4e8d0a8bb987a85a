"""A row and settings whose every cost can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.economics.config import BudgetConfig, HardwareConfig, PricesConfig, Stated
from harness.metering.config import CostConfig


def row(**cells: Any) -> dict[str, Any]:
    """100 questions, half of them right: 1 s and 1e-4 kWh a query; index 1 h, tuning half an h."""
    return {
        "schema_version": 1,
        "run_id": "rag-s0-abc",
        "status": "ok",
        "experiment": "made",
        "arm": "rag",
        "task": "t",
        "model": "m",
        "seed": 0,
        "n_test": 100,
        "contains": 0.5,
        "tune_seconds": 1800.0,
        "tune_energy_kwh": 0.1,
        "index_seconds": 3600.0,
        "index_energy_kwh": 0.5,
        "retrieve_seconds": 10.0,
        "retrieve_energy_kwh": 0.001,
        "prefill_seconds": 20.0,
        "prefill_energy_kwh": 0.002,
        "decode_seconds": 70.0,
        "decode_energy_kwh": 0.007,
        "prefill_tokens": 5000,
        "passage_tokens": 2000,
        "decode_tokens": 1000,
        "total_energy_kwh": 0.61,
        "emissions_kg": 0.61 * 0.4,
        "spent_seconds": 9000.0,
        "spent_energy_kwh": 0.7,
        "energy_source": "estimate",
    } | cells


def stated(value: float) -> Stated:
    return Stated(value, "an invoice", "2026-01-31")


def cost(**more: Any) -> CostConfig:
    """Rented at 3.6 US$/h; 0.5 kg a kWh, PUE 2; 0.1 kg embodied an hour; 100 kg in 2025."""
    settings: dict[str, Any] = {
        "carbon_intensity_kg_per_kwh": 0.5,
        "pue": 2.0,
        "prices": PricesConfig(hourly_usd=stated(3.6)),
        "hardware": HardwareConfig(life_years=stated(1), embodied_kg=stated(876)),
        "budget": BudgetConfig(stated(100), 2025, stated(0.1), "a rule, 1.0"),
    }
    return CostConfig(**(settings | more))


def write_prompts(folder: Path, run_id: str = "rag-s0-abc") -> None:
    """Two prompts of 5 characters and 10 tokens, 4 characters of them shared: 8 tokens."""
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    lines = [
        {"question_id": end, "prompt": f"abcd{end}", "tokens_in": 10, "metrics": {}} for end in "xy"
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "predictions" / f"{run_id}.jsonl").write_text(text)
