"""Run the forgetting probes of a fitted method, and of its base model, once each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from harness import method_keys, store
from harness.measures.config import ForgettingConfig
from harness.measures.forgetting import (
    Forgetting,
    Probes,
    Scores,
    forgetting,
    items_of,
    probe,
)
from harness.method import Method
from harness.probe_items import ProbeLine
from harness.stats import Interval


@dataclass(frozen=True)
class Probed:
    """The forgetting of one arm, and each item's own score, for paired comparisons of arms.

    Attributes:
        measures: probe measure -> before, after and harm; empty if no probe was asked for.
        items: a line for each item of each measure: id, cluster, score before and after.
    """

    measures: dict[str, Forgetting] = field(default_factory=dict)
    items: list[ProbeLine] = field(default_factory=list)


def measure_forgetting(method: Method, items: Probes, config: ForgettingConfig) -> Probed:
    """Each probe measure before and after.

    "Before" is the base model, loaded without any adapter. With frozen weights "after" is the same
    measurement and the harm 0 by construction, without an interval to estimate.
    """
    if not config.probes:
        return Probed()
    after = _probed(method, items, config)
    before = after
    if method.adapter_artifact is not None:
        method.release()  # two models at once may not fit
        before = _probed(method.base(), items, config)
    known = items_of(items)
    clusters = {name: [cluster for _, cluster in pairs] for name, pairs in known.items()}
    measures = forgetting(before, after, clusters, method.config.measure.confidence)
    if method.adapter_artifact is None:
        measures = {
            name: Forgetting(one.before, one.after, _none_by_construction(one.harm))
            for name, one in measures.items()
        }
    lines = [
        ProbeLine(name, item, cluster, was, now)
        for name in measures
        for (item, cluster), was, now in zip(known[name], before[name], after[name], strict=True)
    ]
    return Probed(measures, lines)


def _probed(method: Method, items: Probes, config: ForgettingConfig) -> Scores:
    """The scores of these weights, from the store if they were probed before."""
    prompt = method.config.prompt
    own = method_keys.probes_key(method.config, method.weights, items.sha256())
    key = {**own, **method.circumstances}

    def make(folder: Path) -> None:
        model = method.model(phase="probe")
        work = store.work_folder("probes", key)
        with model.remembering(work), method.ledger.phase("probe"):
            scores = probe(model, items, config, prompt)
        (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")

    stored = method.ledger.obtain("probes", key, make).folder / "scores.json"
    found: Scores = json.loads(stored.read_text(encoding="utf-8"))
    return found


def _none_by_construction(harm: Interval) -> Interval:
    return Interval(0.0, 0.0, 0.0, harm.n, harm.clusters, "0 by construction")
