"""Trials made by hand, and the command line of a search that takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.metering.reading import PhaseReading
from harness.search.trials import Trial


def reading(seconds: float, energy_kwh: float | None = None) -> dict[str, Any]:
    """A stored reading of all phases together."""
    return PhaseReading("total", seconds, seconds, energy_kwh=energy_kwh).to_dict()


def trial(number: int, value: float | None = 0.5, **values: Any) -> Trial:
    """An ok trial with this score; a failed one for None."""
    defaults: dict[str, Any] = {
        "search": "TPE-abc",
        "number": number,
        "state": "failed" if value is None else "ok",
        "arm": "lora",
        "seed": 0,
        "settings": {"adapter.rank": str(number)},
        "digest": f"digest{number}",
        "measure": "contains",
        "value": value,
        "seconds": 10.0,
        "error": "out of memory" if value is None else None,
    }
    return Trial(**{**defaults, **values})


def small_search(model: Path, results: Path) -> list[str]:
    """``harness run`` arguments: LoRA of a tiny model on 18 entities, two settings searched."""
    return [
        "run",
        "-m",
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=4",
        "adapter.rank=choice(2,4)",
        "adapter.learning_rate=tag(log,interval(1e-3,3e-1))",
        "search.measure=multiple_choice",
        f"results={results}",
        "method=lora",
        "model=local",
        f"model.id={model}",
        "model.dtype=float32",
        "model.attention=eager",
        "model.train_dtype=float32",
        "model.train_attention=eager",
        "task=fictional",
        "task.choices=4",
        "task.entities=12",
        "task.distractor_entities=0",
        "task.phrasings=1",
        "task.test_questions=8",
        "task.validation_questions=12",
        "adapter.epochs=1",
        "adapter.batch_size=8",
        "forgetting.probes=[]",
        "measure.latency_questions=0",
        "cost.energy=none",
        "cost.country=FRA",
    ]
