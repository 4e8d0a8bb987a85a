"""The advice in files: Markdown for people, JSON for programs, and the tornado as SVG."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.advise.advice import Advice
from harness.advise.figures import carbon_per_year
from harness.advise.layout import sections
from harness.advise.rule import Standing
from harness.advise.sensitivity import Bar, Flip
from harness.advise.words import in_short
from harness.compare.render.markdown import escaped, to_markdown
from harness.economics.stated import Assumption
from harness.errors import RecordError
from harness.record import replacing
from harness.report.drawing import Figure, to_svg

MARKDOWN, JSON, CHART = "advice.md", "advice.json", "tornado.svg"


def write(folder: Path, advice: Advice, stated: Sequence[Assumption] = ()) -> None:
    """Write the advice into ``folder``, each file in one step.

    Raises:
        RecordError: the folder cannot be made or written.
    """
    from harness.advise.tornado_chart import tornado_figure

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"--out {folder}: cannot be made: {error.strerror}") from error
    figure = tornado_figure(advice)
    text = to_markdown(sections(advice, stated))
    if figure is not None:
        _save(folder / CHART, to_svg(figure))
        text += f"\n{_of(figure)}"
    _save(folder / MARKDOWN, text)
    _save(folder / JSON, as_json(advice, stated))


def as_json(advice: Advice, stated: Sequence[Assumption] = ()) -> str:
    """The advice as a JSON document; null is unknown, or no limit."""
    situation = advice.situation
    told: dict[str, Any] = {
        "advised": advice.best.arm if advice.best else None,
        "runner_up": advice.other.arm if advice.other else None,
        "in_short": in_short(advice),
        "to_know": list(advice.remarks),
        "situation": {
            "queries_per_month": situation.queries_per_month,
            "months": situation.months,
            "updates_per_month": situation.updates_per_month,
            "changed_share": situation.changed_share,
            "unit": situation.unit,
            "per": "correct" if situation.per_correct else "query",
            "accuracy": advice.arms[0].correct,
            "limits": situation.limits.given(),
        },
        "arms": [_arm(one, advice) for one in advice.standings],
        "how_sure": {
            "draws": advice.certainty.draws,
            "advised": [
                {"arm": arm, "share": share} for arm, share in advice.certainty.shares.items()
            ],
        },
        "against_the_runner_up": None
        if advice.against is None
        else asdict(advice.against) | {"either": advice.against.either},
        "by_volume": [
            {"above": one.low, "below": _finite(one.high), "arm": one.arm}
            for one in advice.stretches
        ],
        "binding": [{"arm": one.arm, "to": one.to} for one in advice.relaxations],
        "sensitivity": [_bar(bar) for bar in advice.bars],
        "stated": [asdict(one) for one in stated],
        "energy_is_an_estimate": any(arm.estimated for arm in advice.arms),
    }
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _arm(one: Standing, advice: Advice) -> dict[str, Any]:
    figures = one.figures
    return {
        "arm": one.arm,
        "cost": one.cost,
        "ranked_by": one.ranked_by,
        "accuracy": figures.accuracy,
        "forgetting": figures.forgetting,
        "latency_seconds": figures.latency,
        "memory_gib": figures.memory,
        "carbon_kg_per_year": carbon_per_year(figures, advice.situation),
        "on_front": one.arm in advice.front,
        "limits": advice.verdicts[one.arm],
    }


def _bar(bar: Bar) -> dict[str, Any]:
    one = bar.assumption

    def flip(found: Flip | None) -> dict[str, Any] | None:
        return None if found is None else {"at": found.value, "arm": found.to}

    return {
        "assumption": one.name,
        "unit": one.unit,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "range": one.said,
        "difference_at_low": bar.low,
        "difference_at_high": bar.high,
        "swing": bar.swing,
        "advised_at_low": bar.at_low,
        "advised_at_high": bar.at_high,
        "flips_below": flip(bar.below),
        "flips_above": flip(bar.above),
    }


def _of(figure: Figure) -> str:
    return f"![{escaped(figure.alt)}]({CHART})\n\n*{escaped(figure.caption)}*\n"


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value


def _save(path: Path, text: str) -> None:
    try:
        with replacing(path) as file:
            file.write(text)
    except OSError as error:
        raise RecordError(f"--out {path}: cannot be written: {error.strerror}") from error
