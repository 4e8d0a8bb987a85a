"""Frames and comparisons of a few made-up runs, as charts are given them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.columns import COLUMNS
from harness.compare.result import (
    BETTER,
    NOT_SHOWN,
    NOT_TESTED,
    OVER_SEEDS,
    THESE_WEIGHTS,
    ArmSummary,
    Comparison,
    Contrast,
    Tested,
)

EXACT_MATCH_UNIT = "share of open answerable questions"


def run(arm: str, seed: int = 0, **cells: Any) -> dict[str, Any]:
    """One row with the columns that charts need, and those given."""
    return {
        "run_id": f"{arm}-{seed}",
        "status": "ok",
        "experiment": "made_up",
        "arm": arm,
        "task": "questions",
        "model": "tiny",
        "seed": seed,
        "split_sha256": "a" * 64,
        "device": "a processor",
        "n_test": 100,
    } | cells


def exact_match(mean: float, low: float, high: float) -> dict[str, float]:
    return {"exact_match": mean, "exact_match_low": low, "exact_match_high": high}


def frame_of(*rows: dict[str, Any]) -> pd.DataFrame:
    """The rows with every column, typed as ``harness.results`` types them."""
    kinds = {"int": "Int64", "float": "float64", "bool": "boolean"}
    columns = {
        name: pd.Series([row.get(name) for row in rows], dtype=kinds.get(column.type, object))
        for name, column in COLUMNS.items()
    }
    folders = [row.get("folder", "made_up") for row in rows]
    return pd.DataFrame(columns | {"folder": pd.Series(folders, dtype=object)})


def comparison_of(
    frame: pd.DataFrame,
    results: tuple[Tested, ...] = (),
    primary: tuple[str, ...] = ("exact_match",),
    frozen: tuple[str, ...] = (),
) -> Comparison:
    """One arm for each label of the column, in the order of the rows."""
    arms = tuple(
        ArmSummary(
            label=arm,
            arm=arm,
            experiment="made_up",
            task=rows["task"].iloc[0],
            model="tiny",
            folder=rows["folder"].iloc[0],
            run_ids=tuple(rows["run_id"]),
            seeds=tuple(rows["seed"]),
            replicates=1 if arm in frozen else len(rows),
            questions=100,
            frozen=arm in frozen,
        )
        for arm, rows in frame.groupby("arm", sort=False)
    )
    contrasts = tuple(Contrast(arms[0].label, arm.label) for arm in arms[1:])
    return Comparison(arms, contrasts, results, (), (), primary, 0.05)


def outcome(baseline: str, arm: str, difference: float | None = 0.3, **more: Any) -> Tested:
    """A difference in exact match, shown unless said otherwise."""
    values: dict[str, Any] = {
        "estimand": THESE_WEIGHTS,
        "family": "primary",
        "baseline_value": 0.4,
        "arm_value": 0.7,
        "verdict": BETTER,
        "low": 0.2,
        "high": 0.4,
        "confidence": 0.975,
    }
    return Tested(
        contrast=Contrast(baseline, arm),
        measure="exact_match",
        unit=EXACT_MATCH_UNIT,
        higher_is_better=True,
        difference=difference,
        **values | more,
    )


def full_frame() -> pd.DataFrame:
    """Three arms with every figure: ``closed`` is frozen, ``rag`` retrieves, ``lora`` has 2 seeds.

    Costs are chosen so that units and fronts can be told by hand.
    """

    def bucket(mean: float) -> dict[str, Any]:
        return {"exact_match": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 50}}

    closed = run(
        "closed",
        **exact_match(0.1, 0.05, 0.2),
        by_bucket={"low": bucket(0.1), "high": bucket(0.2), "middle": bucket(0.15)},
        forgetting_facts_options=0.0,
        forgetting_text_loss_nats=0.0,
        forgetting_by_construction=True,
        total_energy_kwh=0.001,
        energy_source="estimate",
        load_seconds=1.0,
        prefill_seconds=2.0,
        decode_seconds=3.0,
        probe_seconds=50.0,
        prefill_energy_kwh=0.001,
    )
    rag = run(
        "rag",
        **exact_match(0.6, 0.5, 0.7),
        by_bucket={"low": bucket(0.5), "middle": bucket(0.6), "high": bucket(0.7)},
        recall_at_k=0.9,
        recall_at_k_low=0.8,
        recall_at_k_high=0.95,
        mrr=0.8,
        top_k=3,
        forgetting_facts_options=0.0,
        forgetting_text_loss_nats=0.0,
        forgetting_by_construction=True,
        total_energy_kwh=0.002,
        energy_source="estimate",
        index_seconds=10.0,
        prefill_seconds=4.0,
        decode_seconds=3.0,
        prefill_energy_kwh=0.001,
        index_energy_kwh=0.001,
    )
    lora = [
        run(
            "lora",
            seed,
            **exact_match(mean, mean - 0.1, mean + 0.05),
            forgetting_facts_options=0.2,
            forgetting_facts_options_low=0.1,
            forgetting_facts_options_high=0.3,
            forgetting_text_loss_nats=0.4,
            forgetting_by_construction=False,
            total_energy_kwh=0.05,
            energy_source="estimate",
            train_seconds=200.0,
            prefill_seconds=2.0,
            decode_seconds=1.0,
            train_energy_kwh=0.049,
        )
        for seed, mean in ((0, 0.8), (1, 0.9))
    ]
    return frame_of(closed, rag, *lora)


def full_comparison(frame: pd.DataFrame) -> Comparison:
    """The comparison of ``full_frame``: one verdict of each kind."""
    return comparison_of(
        frame,
        results=(
            outcome("closed", "rag"),
            outcome(
                "closed",
                "lora",
                0.02,
                low=-0.1,
                high=0.14,
                verdict=NOT_SHOWN,
                smallest_effect=0.15,
            ),
            outcome(
                "closed",
                "lora",
                None,
                low=None,
                high=None,
                estimand=OVER_SEEDS,
                verdict=NOT_TESTED,
                reason="2 seeds, 3 needed",
            ),
        ),
        frozen=("closed", "rag"),
    )
