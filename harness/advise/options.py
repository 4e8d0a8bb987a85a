"""What ``harness advise`` was asked for, read from its command line; imports nothing heavy."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.advise.situation import PER, Limits
from harness.arguments import refusing
from harness.economics.breakeven import UNITS
from harness.errors import ConfigError, suggestion
from harness.measures.definitions import ACCURACY, PROBES

PERCENTILES = ("p50", "p95", "p99")
MEMORIES = {"process": "peak_memory_gib", "gpu": "peak_gpu_memory_gib"}
RIGHT = tuple(name for name, measure in ACCURACY.items() if measure.higher_is_better)
"""The measures that can say what share of queries is answered correctly."""


@dataclass(frozen=True)
class Request:
    """The command line; None is not said.

    Attributes:
        accuracy: the measure that says what is correct.
        probe: whose harm is limited.
        latency: the percentile that is limited.
        memory: a key of MEMORIES.
        year: of the budget in ``cost.budget``, where that is the limit on carbon.
    """

    path: Path
    queries: float | None
    months: float
    updates: float | None
    limits: Limits
    accuracy: str | None
    probe: str | None
    latency: str
    memory: str
    unit: str | None
    per: str | None
    task: str | None
    model: str | None
    cost: str | None
    assumed: tuple[str, ...]
    year: int | None
    json: bool
    out: Path | None
    seed: int


def parse(arguments: Sequence[str]) -> Request:
    """The request that the arguments make.

    Raises:
        ConfigError: an argument is unknown, or its value cannot be.
    """
    found = _parser().parse_args(list(arguments))
    measure, least = _named("--min-accuracy", found.min_accuracy, RIGHT)
    if found.accuracy is not None and found.accuracy not in RIGHT:
        raise _unknown("--accuracy", found.accuracy, RIGHT)
    if measure is not None and found.accuracy not in (None, measure):
        raise ConfigError(
            f"--min-accuracy is of {measure} and --accuracy of {found.accuracy}: name one measure"
        )
    probe, most_harm = _named("--max-forgetting", found.max_forgetting, tuple(PROBES))
    percentile, slowest = _named("--max-latency", found.max_latency, PERCENTILES)
    memory, most_memory = _named("--max-memory", found.max_memory, tuple(MEMORIES))
    return Request(
        path=Path(found.path),
        queries=_number("--queries-per-month", found.queries_per_month),
        months=_number("--months", found.months) or 0.0,
        updates=_number("--updates-per-month", found.updates_per_month),
        limits=Limits(
            least, most_harm, slowest, most_memory, _number("--max-carbon", found.max_carbon)
        ),
        accuracy=measure or found.accuracy,
        probe=probe,
        latency=percentile or "p95",
        memory=memory or "process",
        unit=_choice("--unit", found.unit, tuple(UNITS)),
        per=_choice("--per", found.per, PER),
        task=found.task,
        model=found.model,
        cost=found.cost,
        assumed=tuple(found.assume),
        year=_whole("--year", found.year),
        json=found.json,
        out=None if found.out is None else Path(found.out),
        seed=_whole("--seed", found.seed) or 0,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("harness advise", add_help=False, allow_abbrev=False)
    refusing(parser, "advise")
    parser.add_argument("path")
    for flag in (
        *("--queries-per-month", "--updates-per-month", "--min-accuracy", "--max-forgetting"),
        *("--max-latency", "--max-memory", "--max-carbon", "--accuracy", "--unit", "--per"),
        *("--task", "--model", "--cost", "--year", "--out"),
    ):
        parser.add_argument(flag)
    parser.add_argument("--months", default="12")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--assume", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    return parser


def _named(flag: str, text: str | None, names: tuple[str, ...]) -> tuple[str | None, float | None]:
    """The name and the number of NAME=NUMBER; the name may be left away."""
    if text is None:
        return None, None
    name, equals, value = text.rpartition("=")
    if equals and name not in names:
        raise _unknown(flag, name, names)
    return name or None, _number(flag, value)


def _number(flag: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{flag}: '{text}' is no number") from None
    if not math.isfinite(value):
        raise ConfigError(f"{flag} is {value}; it is a finite number")
    return value


def _whole(flag: str, text: str | None) -> int | None:
    if text is not None and not text.isdecimal():
        raise ConfigError(f"{flag} '{text}' is no whole number from 0 up")
    return None if text is None else int(text)


def _choice(flag: str, text: str | None, choices: tuple[str, ...]) -> str | None:
    if text is not None and text not in choices:
        raise _unknown(flag, text, choices)
    return text


def _unknown(flag: str, text: str, choices: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"{flag} '{text}' is not one of {', '.join(choices)}{suggestion(text, list(choices))}"
    )
