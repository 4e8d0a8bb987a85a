"""``harness plan``: what a model needs before any run, and how far such plans were off after it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.economics.plan.options import parser
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.economics.plan.planning import Asked
    from harness.economics.plan.retrieval import Retrieval
    from harness.economics.plan.serving import Serving
    from harness.economics.plan.terms import Terms
    from harness.economics.plan.training import Training

HELP = """\
Say what a model needs before anything is run: memory, FLOP, devices, hours, kWh, money,
carbon. Only its config is read, no weights.

usage: harness plan MODEL [OPTIONS]
       harness plan --check results/EXPERIMENT [--no-time]

MODEL is a name of the bundled table (llama_3_8b) or of conf/model, a folder or file with
a config.json, or a hub id that is cached here. Training and answering are planned; with
one of --train and --serve only that.

Training
  --train lora            full, lora, qlora or mezo (zeroth order)
  --rank 16               of LoRA on every linear layer
  --examples N            trained on; without it there is memory and no time
  --example-tokens 512    of the longest; --mean-tokens of one on average
  --epochs 1
  --micro-batch 1         sequences on the device at once
  --train-dtype bfloat16  of weights and activations
  --trained-dtype float32 of what is trained, its gradients and moments
  --optimiser adamw       adamw, adamw_8bit or sgd
  --attention sdpa        or eager
  --loss-share 1          share of the tokens that carry loss
  --checkpointing         recompute activations
  --within-hours H        more devices work together for it

Answering
  --serve                 plan this alone
  --format bfloat16       of the weights: float32, int8, nf4, q8_0, q5_0, q4_1, q4_0
  --kv-format bfloat16    of cached keys and values
  --concurrency 1         sequences at once
  --prompt-tokens 512, --answer-tokens 64, --context TOKENS kept room for
  --queries N             in all; without it there is no time
  --demand R              queries a second that have to be answered

Retrieval, a part of answering
  --passages N            in the corpus; --passage-tokens 128
  --top-k 3               passages in a prompt
  --encoder minilm        or bge_base, bge_large; --encoder-dtype float32
  --index flat            or ivf, hnsw, ivf_sq, ivf_pq

Devices
  --device NAME           again for more; all without. --devices lists them
  --catalogue FILE.csv    one's own, with the columns of harness/data/devices.csv
  --mfu 0.3, --bandwidth-share 0.6, --memory-share 0.9, --power-share 1, --most 8
  --cost NAME|FILE.yaml   prices, grid and PUE; --assume NAME=VALUE one of them
  --json                  as JSON

Check
  --check PATH            hold predicted memory and training time against finished runs;
                          time after ten seconds of calibration, on the runs' own device

Examples:
  harness plan llama_3_8b --train lora --examples 10000 --example-tokens 512
  harness plan llama_3_8b --serve --format q4_0 --device raspberry_pi_5_8gb --queries 1e3
  harness plan --check results/quickstart

Exit code: 0 done, 2 the input is wrong.
docs/plan.md has the formulas and what they assume."""


def main(arguments: Sequence[str]) -> int:
    """Print a plan, or a check of plans; return the exit code.

    Raises:
        HarnessError: the arguments or the results are not what they should be.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    asked = parser().parse_args(list(arguments))
    if asked.check:
        if asked.model:
            raise ConfigError("--check takes results and no MODEL: the rows say which model it was")
        from harness.economics.plan.check import check, check_as_data, check_as_text

        found = check(asked.check, timed=not asked.no_time)
        print(json.dumps(check_as_data(found), indent=2) if asked.json else check_as_text(found))
        return 0
    if asked.devices:
        print("\n".join(_device_lines(asked.catalogue)))
        return 0
    if not asked.model:
        raise ConfigError("harness plan needs a MODEL, or --check; harness plan --help explains it")
    print(_planned(asked))
    return 0


def _planned(asked: argparse.Namespace) -> str:
    from harness.economics.plan.planning import make_plan
    from harness.economics.plan.render import as_data, as_text, assumptions

    request, stated = _request(asked)
    plan = make_plan(request)
    lines = assumptions(request, stated)
    return json.dumps(as_data(plan, lines), indent=2) if asked.json else as_text(plan, lines)


def _request(asked: argparse.Namespace) -> tuple[Asked, list[str]]:
    """What is asked for, and a line for each price that is stated."""
    from harness.economics.plan.catalogue import chosen, read_catalogue
    from harness.economics.plan.devices import Assumed
    from harness.economics.plan.planning import Asked
    from harness.economics.plan.shape import shape_of

    shape = shape_of(asked.model)
    devices = chosen(read_catalogue(asked.catalogue), asked.device)
    training = None if asked.serve and not asked.train else _training(asked)
    serving = None if asked.train and not asked.serve else _serving(asked)
    retrieval = _retrieval(asked)
    terms, pue, stated = _terms(asked)  # last: it loads the tables of grids
    assumed = Assumed(
        asked.mfu, asked.bandwidth_share, asked.memory_share, asked.power_share, pue, asked.most
    )
    request = Asked(
        shape=shape,
        training=training,
        serving=serving,
        retrieval=retrieval,
        devices=devices,
        assumed=assumed,
        terms=terms,
        examples=asked.examples,
        mean_tokens=asked.mean_tokens,
        epochs=asked.epochs,
        queries=asked.queries,
        demand=asked.demand,
        within_hours=asked.within_hours,
        top_k=asked.top_k,
    )
    return request, stated


def _training(asked: argparse.Namespace) -> Training:
    from harness.economics.plan.training import Training

    return Training(
        method=asked.train or "lora",
        rank=asked.rank,
        dtype=asked.train_dtype,
        trained_dtype=asked.trained_dtype,
        optimiser=asked.optimiser,
        micro_batch=asked.micro_batch,
        tokens=asked.example_tokens,
        loss_share=asked.loss_share,
        attention=asked.attention,
        checkpointing=asked.checkpointing,
    )


def _serving(asked: argparse.Namespace) -> Serving:
    from harness.economics.plan.serving import Serving

    return Serving(
        format=asked.format,
        kv_format=asked.kv_format,
        concurrency=asked.concurrency,
        prompt_tokens=asked.prompt_tokens,
        answer_tokens=asked.answer_tokens,
        context=asked.context,
    )


def _retrieval(asked: argparse.Namespace) -> Retrieval | None:
    if asked.passages is None or (asked.train and not asked.serve):
        return None
    from harness.economics.plan.retrieval import Retrieval

    if asked.top_k < 1:
        raise ConfigError(f"--top-k is {asked.top_k}; it is at least 1")
    return Retrieval(
        passages=asked.passages,
        passage_tokens=asked.passage_tokens,
        encoder=asked.encoder,
        encoder_dtype=asked.encoder_dtype,
        index=asked.index,
    )


def _terms(asked: argparse.Namespace) -> tuple[Terms, float, list[str]]:
    """Money and carbon as stated, the PUE, and a line for each stated figure."""
    from harness.economics.plan.terms import Terms
    from harness.economics.stated import assumptions, embodied_of, load_cost, prices_of
    from harness.metering.grid import grid_of

    cost = load_cost(asked.cost, asked.assume)
    alone = len(dict.fromkeys(asked.device)) == 1
    terms = Terms(prices_of(cost), grid_of(cost), embodied_of(cost), machine=alone)
    lines = [
        f"{one.name} {one.value:g} {one.unit}: {one.source}, {one.date}"
        for one in assumptions(cost)
        if one.date
    ]
    if (terms.prices.device or terms.embodied) and not alone:
        lines.append("the stated machine is no device of the table: name one with --device for it")
    return terms, cost.pue, lines


def _device_lines(catalogue: Path | None) -> list[str]:
    """Every figure of the catalogue, with source and date."""
    from harness.economics.plan.catalogue import read_catalogue

    lines = []
    for device in read_catalogue(catalogue).values():
        lines.append(f"{device.name} ({device.kind})")
        lines += [
            f"  {name} {figure.value:g}  {figure.source}, {figure.date}"
            for name, figure in device.figures.items()
        ]
    return lines
