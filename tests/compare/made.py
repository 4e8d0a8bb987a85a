"""A comparison made by hand: three arms over three seeds, with a bit of everything printed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.compare.result import (
    BETTER,
    EQUIVALENT,
    NOT_SHOWN,
    NOT_TESTED,
    OVER_SEEDS,
    THESE_WEIGHTS,
    WORSE,
    ArmSummary,
    Bucket,
    ByBucket,
    Comparison,
    Contrast,
    Family,
    Tested,
)

RAG = Contrast("closed_book", "rag")
RAG_LORA = Contrast("closed_book", "rag_lora", marks=("adapter_merged differs",))
REFUSED = Contrast("closed_book", "other_split", refused="another test split (split_sha256)")

SHARE = "share of open answerable questions"


def arm(label: str, **values: Any) -> ArmSummary:
    base: dict[str, Any] = {
        "label": label,
        "arm": label,
        "experiment": "quickstart",
        "task": "world_facts",
        "model": "SmolLM2-135M",
        "folder": "results/quickstart",
        "run_ids": (f"{label}-s0", f"{label}-s1", f"{label}-s2"),
        "seeds": (0, 1, 2),
        "replicates": 3,
        "questions": 600,
    }
    return ArmSummary(**(base | values))


def shown(contrast: Contrast, measure: str, **values: Any) -> Tested:
    """By default a share of 600 questions, 0.100 against 0.433, shown to be better."""
    base: dict[str, Any] = {
        "contrast": contrast,
        "measure": measure,
        "unit": SHARE,
        "higher_is_better": True,
        "estimand": THESE_WEIGHTS,
        "family": "primary",
        "baseline_value": 0.1,
        "arm_value": 0.433,
        "difference": 0.333,
        "low": 0.281,
        "high": 0.385,
        "confidence": 0.975,
        "p": 0.00001,
        "p_adjusted": 0.00002,
        "smallest_effect": 0.06,
        "verdict": BETTER,
        "n": 600,
        "clusters": 200,
        "baseline_seeds": 1,
        "arm_seeds": 3,
        "method": "bootstrap of per-question differences, 10,000 resamples",
    }
    return Tested(**(base | values))


def not_shown(contrast: Contrast, measure: str, **values: Any) -> Tested:
    base: dict[str, Any] = {
        "arm_value": 0.112,
        "difference": 0.012,
        "low": -0.0181,
        "high": 0.0421,
        "confidence": 0.95,
        "p": 0.42,
        "p_adjusted": 0.42,
        "smallest_effect": 0.0312,
        "verdict": NOT_SHOWN,
    }
    return shown(contrast, measure, **(base | values))


def not_tested(contrast: Contrast, measure: str, reason: str, **values: Any) -> Tested:
    none = dict.fromkeys(("low", "high", "confidence", "p", "p_adjusted", "smallest_effect"))
    base: dict[str, Any] = {"verdict": NOT_TESTED, "reason": reason, "method": "", **none}
    return shown(contrast, measure, **(base | values))


EMPTY = dict.fromkeys(("baseline_value", "arm_value", "difference", "n", "clusters"))

PRIMARY_RESULTS = (
    shown(RAG, "contains"),
    not_shown(RAG_LORA, "contains", margin=0.02, equivalent=False),
    shown(RAG, "contains", estimand=OVER_SEEDS, low=0.24, high=0.42, method="t over seeds"),
    not_tested(RAG_LORA, "contains", "needs three seeds or more", estimand=OVER_SEEDS),
)

OTHER_RESULTS = (
    shown(RAG, "f1", unit="mean over open answerable questions"),
    shown(
        RAG,
        "false_refusal",
        higher_is_better=False,
        baseline_value=0.00167,
        arm_value=0.0033,
        difference=0.00163,
        low=0.0001,
        high=0.0042,
        verdict=WORSE,
        notes=("unpaired would not show it",),
    ),
    not_shown(
        RAG,
        "multiple_choice_normalised",
        margin=0.05,
        equivalent=True,
        verdict=EQUIVALENT,
        unit="share of answerable multiple-choice questions",
    ),
    not_shown(RAG, "forgetting_facts_generated", higher_is_better=False, paired=False),
    not_tested(RAG, "recall_at_k", "closed_book retrieves nothing", **EMPTY),
    not_shown(RAG_LORA, "f1", unit="mean over open answerable questions"),
    not_shown(RAG, "f1", estimand=OVER_SEEDS, unit="mean over open answerable questions"),
)

COST_RESULTS = (
    shown(
        RAG,
        "answer_energy_kwh",
        unit="kWh per question",
        higher_is_better=False,
        family="costs",
        baseline_value=2.13e-6,
        arm_value=4.05e-6,
        difference=1.92e-6,
        low=1.5e-6,
        high=2.34e-6,
        verdict=WORSE,
        n=None,
        clusters=None,
    ),
    not_tested(
        RAG,
        "peak_memory_gib",
        "fewer than three readings of an arm",
        unit="GiB",
        higher_is_better=False,
        family="costs",
        baseline_value=1.21,
        arm_value=1.84,
        difference=0.63,
        n=None,
        clusters=None,
    ),
)

BY_BUCKET = ByBucket(
    RAG,
    "contains",
    "bucket",
    (
        Bucket("low", 0.02, 0.41, 0.39, 0.30, 0.48, 200, 70),
        Bucket("middle", 0.10, 0.44, 0.34, 0.26, 0.42, 200, 65),
        Bucket("high", 0.18, 0.449, 0.269, 0.18, 0.358, 200, 65),
    ),
    p=0.012,
    p_adjusted=0.024,
    method="permutation of clusters",
    left_out=4,
)

COMPARISON = Comparison(
    arms=(
        arm("closed_book", replicates=1, frozen=True),
        arm("rag", replicates=1, frozen=True, settings={"retriever": "dense", "top_k": "3"}),
        arm(
            "rag_lora",
            failed=("rag_lora-s3",),
            settings={"retriever": "dense", "top_k": "3", "adapter": "lora", "rank": "16"},
        ),
        arm("other_split", seeds=(0,), replicates=1, questions=None),
    ),
    contrasts=(RAG, RAG_LORA, REFUSED),
    results=(*PRIMARY_RESULTS, *OTHER_RESULTS),
    costs=COST_RESULTS,
    families=(
        Family("primary", THESE_WEIGHTS, ("rag − closed_book: contains",), 0.05),
        Family("costs", THESE_WEIGHTS, ("rag − closed_book: answer_energy_kwh",), 0.05),
    ),
    primary=("contains",),
    alpha=0.05,
    by=(BY_BUCKET,),
    problems=("results/quickstart/runs.csv, line 7: ragged row, left out",),
    sources=("results/quickstart/runs.csv",),
)


def only(*results: Tested, **values: Any) -> Comparison:
    """A comparison of these results alone; the first one's measure is primary."""
    contrasts = tuple(dict.fromkeys(result.contrast for result in results))
    used = {label for one in contrasts for label in (one.baseline, one.arm)}
    made = replace(
        COMPARISON,
        arms=tuple(one for one in COMPARISON.arms if one.label in used),
        contrasts=contrasts,
        results=results,
        costs=(),
        by=(),
        problems=(),
        primary=(results[0].measure,),
    )
    return replace(made, **values)
