"""What a run cost, from its row: the figures named in ``definitions.COSTS``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.columns import phase_columns

SETUP = ("prepare", "index", "train")
"""Phases before the first answer that the arm cannot do without."""

ANSWERING = ("retrieve", "prefill", "decode")
"""Phases between a question and its answer."""

TIMED = (
    "setup_seconds",
    "answer_seconds",
    "latency_p50_seconds",
    "latency_p95_seconds",
    "setup_energy_kwh",
    "answer_energy_kwh",
    "total_energy_kwh",
    "emissions_kg",
    "peak_memory_gib",
    "peak_gpu_memory_gib",
)
"""Costs that depend on the device: another device, another figure."""


STORED = (
    "latency_p50_seconds",
    "latency_p95_seconds",
    "total_energy_kwh",
    "emissions_kg",
    "peak_memory_gib",
    "peak_gpu_memory_gib",
)
"""Costs with a column of their own; the others are made from several."""


def costs(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Each figure of ``COSTS``; None where the row does not know it."""
    questions = row.get("n_test")
    known = {name: _number(row.get(name)) for name in STORED}
    return known | {
        "setup_seconds": _setup(row, 0),
        "answer_seconds": _per(_sum(row, ANSWERING, 0), questions),
        "setup_energy_kwh": _setup(row, 3),
        "answer_energy_kwh": _per(_sum(row, ANSWERING, 3), questions),
        "prompt_tokens": _per(_number(row.get("prefill_tokens")), questions),
        "answer_tokens": _per(_number(row.get("decode_tokens")), questions),
    }


def _setup(row: Mapping[str, Any], quantity: int) -> float | None:
    """What the arm cost before its first answer: nothing, if both slots are empty."""
    empty = not (
        _text(row.get("retriever")) or _text(row.get("adapter")) or _text(row.get("source"))
    )
    known = _sum(row, SETUP, quantity)
    return 0.0 if known is None and empty and _sum(row, ANSWERING, quantity) is not None else known


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _sum(row: Mapping[str, Any], phases: tuple[str, ...], quantity: int) -> float | None:
    """The sum over the phases that took place; None where one of them has no such figure.

    A phase took place if it has seconds. A sum without one of them (a remote model's energy, say)
    would be taken for the whole.
    """
    columns = [phase_columns(phase) for phase in phases]
    found = [_number(row.get(names[quantity])) for names in columns]
    seconds = [_number(row.get(names[0])) for names in columns]
    if any(one is None and took is not None for one, took in zip(found, seconds, strict=True)):
        return None
    known = [value for value in found if value is not None]
    return sum(known) if known else None


def _per(value: float | None, questions: Any) -> float | None:
    return None if value is None or not _number(questions) else value / float(questions)


def _number(value: Any) -> float | None:
    """The value as a float; None for None, NaN and pandas' NA."""
    if type(value) is float:  # by far the most: ten thousand rows are asked for each figure
        return value if value == value else None  # noqa: PLR0124
    if value is None or value != value or not isinstance(value, int | float):  # noqa: PLR0124
        return None
    return float(value)
