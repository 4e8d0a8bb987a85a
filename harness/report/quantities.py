"""How figures are written for a reader: in the unit people think in, with the digits that count."""

from __future__ import annotations

import math
from dataclasses import dataclass

EMPTY = "–"
"""An unknown or inapplicable figure: never zero."""

MINUS = "−"

NOTHING = 1e-9
"""What is nearer to 0, in the unit shown, is 0 but for rounding."""

LABELS = {
    "exact_match": "exact match",
    "f1": "token F1",
    "rouge_l": "ROUGE-L",
    "contains": "correct answers (contains)",
    "contains_paper": "correct answers (contains, as in the paper)",
    "embedding_similarity": "similarity to gold (cosine)",
    "multiple_choice": "multiple choice",
    "multiple_choice_normalised": "multiple choice, by length",
    "false_answer": "answers where there is none",
    "false_refusal": "refusals where there is an answer",
    "recall_at_k": "recall@k",
    "mrr": "MRR",
    "ndcg": "nDCG@k",
    "answer_in_context": "answer in the prompt's passages",
    "forgetting_facts_generated": "forgetting of facts, asked openly",
    "forgetting_facts_options": "forgetting of facts, by options",
    "forgetting_glosses_options": "forgetting of word meanings, by options",
    "forgetting_text_loss_nats": "forgetting as loss on held-out text",
    "forgetting_context_use": "forgetting how to use a passage",
    "setup_seconds": "setup time",
    "answer_seconds": "time per answer, in batches",
    "latency_p50_seconds": "latency, median",
    "latency_p95_seconds": "latency, 95th percentile",
    "setup_energy_kwh": "setup energy",
    "answer_energy_kwh": "energy per answer",
    "total_energy_kwh": "total energy",
    "emissions_kg": "emissions",
    "peak_memory_gib": "peak memory",
    "peak_gpu_memory_gib": "peak GPU memory",
    "api_cost_usd": "money paid to an endpoint",
    "prompt_tokens": "prompt tokens",
    "answer_tokens": "generated tokens",
}


@dataclass(frozen=True)
class Scale:
    """What a stored figure is multiplied with, and the unit it then has."""

    factor: float
    unit: str
    decimals: int | None = None
    difference_unit: str = ""


_SHARE = Scale(100, "%", 1, "points")
_SCALES = {
    "s per question": Scale(1e3, "ms per question"),
    "kWh": Scale(1e3, "Wh"),
    "kWh per question": Scale(1e6, "mWh per question"),
    "kg CO2e": Scale(1e3, "g CO2e"),
    "mean cosine over open answerable questions": Scale(1, "cosine", 3),
    "nats per token": Scale(1, "nats per token", 3),
}


def label(measure: str) -> str:
    """A measure's name in words; the name itself where there are none."""
    return LABELS.get(measure, measure)


def scale(unit: str) -> Scale:
    """How a figure stored in ``unit`` is shown."""
    if unit.startswith(("share", "mean over")):
        return _SHARE
    return _SCALES.get(unit, Scale(1, unit))


def shown(value: float | None, unit: str) -> str:
    """The figure without its unit, as "74.6"; a dash where there is none."""
    return _written(value, scale(unit), sign=False)


def shown_difference(value: float | None, unit: str) -> str:
    """The figure with its sign and without its unit, as "+74.6"."""
    return _written(value, scale(unit), sign=True)


def shown_interval(low: float | None, high: float | None, unit: str, sign: bool = False) -> str:
    """ "65.5 to 81.9"; empty where there is none."""
    if low is None or high is None:
        return ""
    by = scale(unit)
    return f"{_written(low, by, sign)} to {_written(high, by, sign)}"


def difference_unit(unit: str) -> str:
    """The unit of a difference: points for shares."""
    return scale(unit).difference_unit or scale(unit).unit


def digits(value: float | None) -> str:
    """A figure of any size with three digits that count: "0.0123", "4.56", "12,300"."""
    if value is None or not math.isfinite(value):
        return EMPTY
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _written(value: float | None, by: Scale, sign: bool) -> str:
    if value is None or not math.isfinite(value):
        return EMPTY
    scaled = value * by.factor
    text = digits(abs(scaled)) if by.decimals is None else f"{abs(scaled):.{by.decimals}f}"
    if not any(digit in text for digit in "123456789"):
        if abs(scaled) < NOTHING:
            return text
        text = f"{abs(scaled):.1g}"  # an interval that ends just above 0 does not hold it
    return f"{MINUS if scaled < 0 else '+' if sign else ''}{text}"
