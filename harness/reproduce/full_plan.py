"""What a scale needs before it is run: memory, hours and kWh of each model, by ``harness plan``.

Each cell's settings become a training and an answering as ``harness.economics.plan`` takes them;
how large tasks are stands in ``paper.yaml``. A model whose shape is not known has no figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from harness.economics.plan.catalogue import Device, read_catalogue
from harness.economics.plan.devices import Assumed, Fit
from harness.economics.plan.planning import Asked, make_plan
from harness.economics.plan.predicted import ANSWER_SHARE, LONGEST, shape_of_run, training_of
from harness.economics.plan.render import assumptions, gigabytes, number, table
from harness.economics.plan.serving import Serving
from harness.economics.plan.shape import Shape, shape_of
from harness.economics.plan.terms import Terms
from harness.errors import ConfigError, suggestion
from harness.reproduce.expected import Expected, TaskSize
from harness.types import sha256_of

if TYPE_CHECKING:
    from harness.adapters.config import AdapterConfig
    from harness.config import Config

DTYPE = "bfloat16"
"""Taken where a setting is "auto": on a GPU the fastest."""

WORKS = ("writing pairs", "training", "answering")

REQUEST_TOKENS = 100
"""Of a request to write pairs, beside the part of a document that it is about."""

LEFT_OUT = "loading, retrieval, validation questions, forgetting probes and single latencies"


@dataclass(frozen=True)
class Need:
    """One kind of work with one model, all its cells together.

    Attributes:
        work: one of ``WORKS``.
        times: how many trainings, or cells that answer.
        largest: the device's answer to the one that takes most memory.
        hours, kwh: of all; None is unknown.
    """

    model: str
    work: str
    times: int
    largest: Fit
    hours: float | None
    kwh: float | None


@dataclass(frozen=True)
class Needs:
    """A scale's needs on one device.

    Attributes:
        missing: what has no figures, a line each: why.
        example: one of the plans, for what all of them assume.
    """

    device: Device
    needs: Sequence[Need]
    missing: Sequence[str]
    example: Asked | None


def needs_of(configs: Sequence[Config], expected: Expected) -> Needs:
    """What the cells need together; a training that arms share is counted once, as it is run once.

    Raises:
        ConfigError: the catalogue has no such device.
    """
    device = _device(expected.device)
    fits: dict[tuple[str, str], dict[str, Fit]] = {}
    missing: dict[str, None] = {}
    example = None
    for cell, config in enumerate(configs):
        label = config.model.id or config.model.name
        try:
            for work, key, asked in _works(cell, config, expected, device):
                known = fits.setdefault((label, work), {})
                if key not in known:
                    (known[key],) = make_plan(asked).works[0].fits
                example = asked
        except ConfigError as error:
            missing[f"{label}: {error}"] = None
    models = list(dict.fromkeys(model for model, _ in fits))
    needs = [
        _together(model, work, list(fits[model, work].values()))
        for model in models
        for work in WORKS
        if (model, work) in fits
    ]
    return Needs(device, needs, list(missing), example)


def as_text(found: Needs, expected: Expected) -> str:
    """A table of the needs, their sum, what has no figures, and all that is assumed."""
    device = found.device
    lines = [f"What it needs on {device.name} (harness plan's arithmetic; docs/plan.md):"]
    if found.needs:
        head = ["model", "work", "times", "needs", "has", "fits", "devices", "hours", "kWh"]
        lines += table([head, *map(_row, found.needs)])
        hours = [one.hours for one in found.needs if one.hours is not None]
        kwh = [one.kwh for one in found.needs if one.kwh is not None]
        partly = len(hours) < len(found.needs) or found.missing
        lines.append(
            f"in all {number(sum(hours))} hours and {number(sum(kwh))} kWh"
            + (", without what has no figures" if partly else "")
        )
    lines += [f"no figures: {line}" for line in found.missing]
    figures = (f"{name} {figure.value:g}" for name, figure in device.figures.items())
    sources = dict.fromkeys(figure.source for figure in device.figures.values())
    lines += [
        "Assumed:",
        f"  {device.name}: {', '.join(figures)} ({', '.join(sources)})",
        *(f"  {size.told(task)}" for task, size in expected.tasks.items()),
        *(f"  {model} has the shape of {shape}" for model, shape in expected.shapes.items()),
        f"  {DTYPE} where a number format is auto; the longest example is {LONGEST:g} times the "
        f"mean, {ANSWER_SHARE:.0%} of its tokens carry loss, of raw text all",
        "  all epochs and the longest answers; top_k passages of retriever.chunk_tokens within the "
        "context budget, of several candidates the most",
        f"  a training that arms share is run once; {LEFT_OUT} are left out",
    ]
    if found.example is not None:
        lines.append("  with the assumptions of harness plan, which has these options:")
        lines += [f"    {line}" for line in assumptions(found.example, [])]
    return "\n".join(lines)


def _works(
    cell: int, config: Config, expected: Expected, device: Device
) -> list[tuple[str, str, Asked]]:
    """(work, key, what a plan is asked) of a cell; work of the same key is done once."""
    size = expected.tasks.get(config.task.name)
    if size is None:
        raise ConfigError(
            f"paper.yaml does not say how large task '{config.task.name}' is (plan: tasks)"
        )
    shape = _shape(config, expected)
    works = []
    if config.adapter is not None:
        if config.adapter.pairs.generator == "model":
            key = sha256_of([asdict(config.task), asdict(config.adapter.pairs)])
            works.append(("writing pairs", key, _pairs(config, config.adapter, size, shape)))
        retriever = asdict(config.retriever) if config.retriever else None
        read = retriever if config.adapter.train_passages != "none" else None
        key = sha256_of([asdict(config.task), asdict(config.adapter), read, config.seed])
        works.append(("training", key, _training(config, config.adapter, size, shape)))
    works.append(("answering", str(cell), _answering(config, size, shape)))
    assumed = Assumed(pue=config.cost.pue)
    return [
        (work, key, replace(asked, devices=[device], assumed=assumed)) for work, key, asked in works
    ]


def _shape(config: Config, expected: Expected) -> Shape:
    """The model's shape, or that of the one that ``paper.yaml`` says it has the shape of."""
    stated = expected.shapes.get(config.model.id)
    try:
        return shape_of(stated) if stated else shape_of_run(config)
    except ConfigError as error:
        raise ConfigError(
            f"its shape is not known: {str(error).partition('; ')[0]}, and no config.json of it is "
            "cached here"
        ) from error


def _device(name: str) -> Device:
    catalogue = read_catalogue()
    if name not in catalogue:
        near = suggestion(name, list(catalogue))
        raise ConfigError(
            f"paper.yaml: the plan's device is '{name}'{near}; harness plan --devices lists them"
        )
    return catalogue[name]


def _training(config: Config, adapter: AdapterConfig, size: TaskSize, shape: Shape) -> Asked:
    examples = _examples(config, adapter, size)
    if size.example_tokens is None:
        raise ConfigError(
            f"paper.yaml does not say how long a training example of '{config.task.name}' is"
        )
    mean = min(adapter.max_tokens, size.example_tokens + _trained_passages(config, adapter))
    dtype = _format(config.model.train_dtype)
    # The counts that a row of such a run would hold.
    row = {
        "trained_tokens": mean * examples * adapter.epochs,
        "training_pairs": examples,
        "epochs": adapter.epochs,
        "training_data": config.task.training,
        "update_dtype": adapter.update_dtype(dtype),
    }
    formatted = replace(config, model=replace(config.model, train_dtype=dtype))
    return _asked(
        shape,
        training=training_of(row, formatted, adapter),
        examples=examples,
        mean_tokens=mean,
        epochs=adapter.epochs,
    )


def _examples(config: Config, adapter: AdapterConfig, size: TaskSize) -> float:
    """Training examples of an epoch, those that are replayed among them."""
    pairs = adapter.pairs
    if pairs.on and size.documents is not None:
        count: float | None = size.documents * pairs.pairs_per_document * (1 + pairs.paraphrases)
    else:
        count = size.examples
    if count is None:
        what = "documents" if pairs.on else "examples"
        raise ConfigError(
            f"paper.yaml does not say how many {what} of task '{config.task.name}' are trained on"
        )
    return count / (1 - adapter.replay.share)


def _trained_passages(config: Config, adapter: AdapterConfig) -> float:
    """Tokens of passages in a training prompt."""
    retriever = config.retriever
    if retriever is None or adapter.train_passages == "none":
        return 0.0
    if adapter.train_passages == "raft":
        return _within_budget(config, (1 + adapter.raft.distractors) * retriever.chunk_tokens)
    if adapter.train_passages == "gold":
        return _within_budget(config, retriever.chunk_tokens)
    return _passages(config)


def _passages(config: Config) -> float:
    """Tokens of passages in a prompt at the most."""
    retriever = config.retriever
    if retriever is None:
        return 0.0
    if retriever.kind == "whole_corpus":
        raise ConfigError("retriever.kind=whole_corpus is not covered")
    top_k = retriever.top_k
    if top_k is None and config.task.validation_questions:
        top_k = max(retriever.top_k_candidates)
    elif top_k is None:
        top_k = retriever.top_k_default
    return _within_budget(config, top_k * retriever.chunk_tokens)


def _within_budget(config: Config, tokens: float) -> float:
    budget = config.prompt.context_budget_tokens
    return tokens if budget is None else min(tokens, budget)


def _answering(config: Config, size: TaskSize, shape: Shape) -> Asked:
    shots = config.prompt.shots
    if shots and size.example_tokens is None:
        raise ConfigError(f"paper.yaml does not say how long an example of '{config.task.name}' is")
    prompt = size.prompt_tokens + shots * (size.example_tokens or 0.0) + _passages(config)
    most = config.task.test_questions
    questions = size.questions if most is None else min(most, size.questions)
    return _asked(
        shape,
        serving=_serving(config, prompt, config.prompt.max_new_tokens),
        queries=questions,
    )


def _pairs(config: Config, adapter: AdapterConfig, size: TaskSize, shape: Shape) -> Asked:
    """One request a document, and one for the paraphrases of each pair."""
    if size.documents is None:
        raise ConfigError(
            f"paper.yaml does not say how many documents of task '{config.task.name}' pairs are "
            "written from"
        )
    pairs = adapter.pairs
    requests = size.documents * (1 + (pairs.pairs_per_document if pairs.paraphrases else 0))
    serving = _serving(config, pairs.part_tokens + REQUEST_TOKENS, pairs.max_new_tokens)
    return _asked(shape, serving=serving, queries=requests)


def _serving(config: Config, prompt: float, answer: int) -> Serving:
    model = config.model
    dtype = _format(model.dtype)
    together = max(1, min(model.batch_size, int(model.batch_tokens // prompt)))
    return Serving(
        format=dtype,
        kv_format=dtype,
        concurrency=together,
        prompt_tokens=round(prompt),
        answer_tokens=answer,
    )


def _format(dtype: str) -> str:
    return DTYPE if dtype == "auto" else dtype


def _asked(shape: Shape, **stated: object) -> Asked:
    """What a plan is asked, no device named yet."""
    blank = Asked(shape, None, None, None, [], Assumed(), Terms())
    return replace(blank, **stated)  # type: ignore[arg-type]


def _together(model: str, work: str, fits: Sequence[Fit]) -> Need:
    hours, kwh = [fit.hours for fit in fits], [fit.kwh for fit in fits]
    return Need(
        model=model,
        work=work,
        times=len(fits),
        largest=max(fits, key=lambda fit: fit.needed_bytes),
        hours=None if None in hours else sum(value for value in hours if value is not None),
        kwh=None if None in kwh else sum(value for value in kwh if value is not None),
    )


def _row(need: Need) -> list[str]:
    fit = need.largest
    return [
        need.model,
        need.work,
        str(need.times),
        gigabytes(fit.needed_bytes),
        gigabytes(fit.usable_bytes),
        "yes" if fit.fits else "no",
        str(fit.count) if fit.count is not None else f"more ({fit.wanted})",
        number(need.hours),
        number(need.kwh),
    ]
