"""``harness breakeven``: the query volume at which one arm overtakes another, from results."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.arguments import refusing
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.economics.pairs import Pairs
    from harness.economics.volume import Question, Study

HELP = """\
Say at what query volume one arm overtakes another.

usage: harness breakeven PATH --arm A --against B [OPTIONS]

PATH is a runs.csv or the folder of an experiment. Blocks that `harness meter` took
there are resampled; where there are none, each seed is one block.

  --unit seconds          seconds, kwh, kgco2e, usd or all
  --per query             query, or correct: per correct answer
  --accuracy exact_match  the measure that says what is correct
  --updates 0             updates of the knowledge over the whole time: a fine-tuning is
                          done anew, an index embeds cost.use.changed_share of the corpus
  --cost NAME|FILE        prices, grid, PUE, idle power: a choice of conf/cost, or a YAML file
  --assume NAME=VALUE     a figure over those of --cost, as in electricity_usd_per_kwh=0.3
  --readings auto         auto, or blocks or seeds alone
  --task, --model         which rows, where there are several
  --json                  one JSON object
  --seed 0                of the resampling

Fixed: prepare, index and train. Per query: retrieve, prefill and decode, over the
test questions, and idling where idle_watts and utilisation are stated.
docs/economics.md explains the output.

Example:
  harness breakeven results/quickstart --arm lora --against rag --unit kwh"""

ALL = "all"


def main(arguments: Sequence[str]) -> int:
    """Print the break-even that the arguments ask for; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    from harness.economics.breakeven import UNITS

    parser = argparse.ArgumentParser("harness breakeven", add_help=False, allow_abbrev=False)
    refusing(parser, "breakeven")
    parser.add_argument("path", type=Path)
    parser.add_argument("--arm", required=True)
    parser.add_argument("--against", required=True)
    parser.add_argument("--unit", choices=(*UNITS, ALL), default="seconds")
    parser.add_argument("--per", choices=("query", "correct"), default="query")
    parser.add_argument("--accuracy", default="exact_match")
    parser.add_argument("--updates", type=float, default=0)
    parser.add_argument("--cost")
    parser.add_argument("--assume", action="append", default=[])
    parser.add_argument("--readings", choices=("auto", "blocks", "seeds"), default="auto")
    parser.add_argument("--task")
    parser.add_argument("--model")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    _print(parser.parse_args(list(arguments)))
    return 0


def _print(asked: argparse.Namespace) -> None:
    from harness.economics import told
    from harness.economics.pairs import paired
    from harness.economics.predicted import predicted
    from harness.economics.stated import cost_given
    from harness.economics.volume import Question
    from harness.measures.definitions import ACCURACY
    from harness.results import read_results

    if asked.accuracy not in ACCURACY:
        raise ConfigError(f"--accuracy is '{asked.accuracy}'; it is one of {', '.join(ACCURACY)}")
    frame = read_results([asked.path]).frame
    cost = cost_given(asked.cost, asked.assume)
    narrowed = {"task": asked.task, "model": asked.model}
    pairs = paired(frame, asked.arm, asked.against, asked.readings, narrowed)
    right = asked.accuracy if asked.per == "correct" else None
    question = Question(asked.updates, right, cost, asked.seed)
    studies, refused = _studies(pairs, asked.unit, question)
    prediction = predicted(pairs)
    if asked.json:
        print(json.dumps(told.as_data(pairs, studies, prediction, question) | {"refused": refused}))
        return
    for one in studies:
        print("\n".join([*told.lines_of(pairs, one, question), ""]))
    lines = [
        *told.words_on_prediction(prediction, studies, question),
        *pairs.told,
        *_updates(question),
    ]
    if any(one.unit != "seconds" for one in studies):
        lines += told.words_on_energy(pairs)
    print("\n".join([*lines, *(f"{unit}: {why}" for unit, why in refused.items())]))


def _studies(pairs: Pairs, unit: str, question: Question) -> tuple[list[Study], dict[str, str]]:
    """The break-even in each unit asked for; of "all", why one cannot be told.

    Raises:
        ConfigError: none can be.
    """
    from harness.economics.breakeven import UNITS
    from harness.economics.volume import study

    if unit != ALL:
        return [study(pairs, unit, question)], {}
    studies, refused = [], {}
    for name in UNITS:
        try:
            studies.append(study(pairs, name, question))
        except ConfigError as error:
            refused[name] = str(error)
    if not studies:
        raise ConfigError(next(iter(refused.values())))
    return studies, refused


def _updates(question: Question) -> list[str]:
    """What an update is taken to be."""
    share = None if question.cost is None else question.cost.use.changed_share.value
    told = "all of it, as no changed_share is stated" if share is None else f"{share:.0%} of it"
    return [f"an update makes training data and adapter anew, and indexes the corpus: {told}"]
