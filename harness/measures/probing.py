"""Run the forgetting probes of a fitted method, and of its base model, once each."""

from __future__ import annotations

import json
from pathlib import Path

from harness.measures.config import ForgettingConfig
from harness.measures.forgetting import (
    Forgetting,
    Probes,
    Scores,
    clusters_of,
    forgetting,
    probe,
)
from harness.method import Method
from harness.stats import Interval


def measure_forgetting(
    method: Method, items: Probes, config: ForgettingConfig
) -> dict[str, Forgetting]:
    """Each probe measure before and after; empty if no probe is asked for.

    "Before" is the base model, loaded without any adapter. With frozen weights "after" is the same
    measurement and the harm 0 by construction, without an interval to estimate.
    """
    if not config.probes:
        return {}
    after = _probed(method, items, config)
    before = after
    if method.adapter_artifact is not None:
        method.release()  # two models at once may not fit
        before = _probed(method.base(), items, config)
    result = forgetting(before, after, clusters_of(items), method.config.measure.confidence)
    if method.adapter_artifact is not None:
        return result
    return {
        name: Forgetting(one.before, one.after, _none_by_construction(one.harm))
        for name, one in result.items()
    }


def _probed(method: Method, items: Probes, config: ForgettingConfig) -> Scores:
    """The scores of these weights, from the store if they were probed before."""
    prompt = method.config.prompt
    key = {
        "weights": method.weights,
        "items": items.sha256(),
        "text_tokens": config.text_tokens,
        "prompt": prompt.sha256(),
        "max_new_tokens": prompt.max_new_tokens,
        "chat": method.config.model.chat,
        **method.circumstances,
    }

    def make(folder: Path) -> None:
        model = method.model(phase="probe")
        with method.ledger.phase("probe"):
            scores = probe(model, items, config, prompt)
        (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")

    stored = method.ledger.obtain("probes", key, make).folder / "scores.json"
    found: Scores = json.loads(stored.read_text(encoding="utf-8"))
    return found


def _none_by_construction(harm: Interval) -> Interval:
    return Interval(0.0, 0.0, 0.0, harm.n, harm.clusters, "0 by construction")
