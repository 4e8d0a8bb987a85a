"""A plan: what training and answering with a model need, and what each device makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.economics.checks import checked_positive
from harness.economics.plan.catalogue import Device
from harness.economics.plan.devices import (
    Assumed,
    Fit,
    QueryWork,
    fit_serving,
    fit_training,
)
from harness.economics.plan.retrieval import (
    ENCODERS,
    Retrieval,
    encoding_flop,
    retrieval_bytes,
    search_flop,
)
from harness.economics.plan.serving import (
    Serving,
    decode_flop,
    kv_cache,
    prefill_flop,
    serving_bytes,
    weight_bytes,
)
from harness.economics.plan.shape import Shape
from harness.economics.plan.terms import Terms
from harness.economics.plan.training import (
    Training,
    trained_parameters,
    training_bytes,
    training_flop,
)
from harness.errors import ConfigError


@dataclass(frozen=True)
class Asked:
    """What a plan is asked for; what is None is not planned, or not stated.

    Attributes:
        examples, epochs: trained on; without examples there is no time of training.
        mean_tokens: of an example, without padding.
        queries: answered in all; without them there is no time of answering.
        demand: queries a second that have to be answered.
        within_hours: the training has to be done in.
    """

    shape: Shape
    training: Training | None
    serving: Serving | None
    retrieval: Retrieval | None
    devices: Sequence[Device]
    assumed: Assumed
    terms: Terms
    examples: float | None = None
    mean_tokens: float | None = None
    epochs: float = 1
    queries: float | None = None
    demand: float | None = None
    within_hours: float | None = None
    top_k: int = 3


@dataclass(frozen=True)
class Work:
    """One kind of work: its bytes and FLOP by part, and the devices' answers.

    Attributes:
        what: "training", "indexing" or "answering".
        flop: of all of it, or of one query when answering; empty where nothing says how much.
    """

    what: str
    bytes: Mapping[str, float]
    flop: Mapping[str, float]
    fits: Sequence[Fit]


@dataclass(frozen=True)
class Plan:
    """All work that was asked about."""

    asked: Asked
    trained: int | None
    works: Sequence[Work]


def make_plan(asked: Asked) -> Plan:
    """The plan.

    Raises:
        HarnessError: a figure that was given cannot be.
    """
    works = []
    if asked.training is not None:
        works.append(_train(asked, asked.training))
    if asked.retrieval is not None:
        works.append(_index(asked, asked.retrieval))
    if asked.serving is not None:
        works.append(_serve(asked, asked.serving))
    trained = trained_parameters(asked.shape, asked.training) if asked.training else None
    return Plan(asked, trained, works)


def _train(asked: Asked, training: Training) -> Work:
    parts = training_bytes(asked.shape, training)
    flop: dict[str, float] = {}
    if asked.examples is not None:
        checked_positive(asked.examples, "--examples")
        checked_positive(asked.epochs, "--epochs")
        mean = float(training.tokens) if asked.mean_tokens is None else asked.mean_tokens
        if checked_positive(mean, "--mean-tokens") > training.tokens:
            raise ConfigError(
                f"--mean-tokens is {mean:g}, above the {training.tokens} of the longest "
                "(--example-tokens)"
            )
        flop = training_flop(asked.shape, training, asked.examples * mean * asked.epochs)
    fits = [
        fit_training(
            device,
            parts,
            sum(flop.values()) if flop else None,
            training.dtype,
            asked.assumed,
            asked.terms,
            asked.within_hours,
        )
        for device in asked.devices
    ]
    return Work("training", parts, flop, fits)


def _index(asked: Asked, retrieval: Retrieval) -> Work:
    """Encoding the corpus; building an approximate index on top of it is left out."""
    parts = retrieval_bytes(retrieval)
    flop = {"encoder": retrieval.passages * encoding_flop(retrieval, retrieval.passage_tokens)}
    fits = [
        fit_training(
            device, parts, flop["encoder"], retrieval.encoder_dtype, asked.assumed, asked.terms
        )
        for device in asked.devices
    ]
    return Work("indexing", parts, flop, fits)


def _serve(asked: Asked, serving: Serving) -> Work:
    shape, retrieval = asked.shape, asked.retrieval
    plain = prefill_flop(shape, serving.prompt_tokens)
    flop = {"reading the question": plain}
    extra_bytes: dict[str, float] = {}
    searching = 0.0
    if retrieval is not None:
        passages = asked.top_k * retrieval.passage_tokens
        room = None if serving.context is None else serving.context
        serving = replace(serving, prompt_tokens=serving.prompt_tokens + passages, context=room)
        dimensions = ENCODERS[retrieval.encoder].dimensions
        flop |= {
            "reading passages": prefill_flop(shape, serving.prompt_tokens) - plain,
            "encoding the question": encoding_flop(retrieval, retrieval.query_tokens),
            "searching": search_flop(retrieval.index, retrieval.passages, dimensions),
        }
        searching = flop["encoding the question"] + flop["searching"]
        extra_bytes = retrieval_bytes(retrieval)
    decoding = decode_flop(shape, serving.prompt_tokens, serving.answer_tokens)
    flop["answering"] = decoding
    parts = serving_bytes(shape, serving) | extra_bytes
    work = QueryWork(
        prefill_flop=prefill_flop(shape, serving.prompt_tokens),
        decode_flop=decoding,
        retrieval_flop=searching,
        weight_bytes=weight_bytes(shape, serving.format),
        kv_bytes=kv_cache(shape, serving, serving.prompt_tokens + serving.answer_tokens // 2),
        batch=serving.concurrency,
        answer_tokens=serving.answer_tokens,
    )
    fits = [
        fit_serving(device, parts, work, asked.queries, asked.demand, asked.assumed, asked.terms)
        for device in asked.devices
    ]
    return Work("answering", parts, flop, fits)
