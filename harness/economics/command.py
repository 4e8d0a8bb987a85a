"""``harness breakeven``: the query volume at which one arm overtakes another, from result rows."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from harness.arguments import refusing
from harness.errors import ConfigError

HELP = """\
Say at what query volume one arm overtakes another.

usage: harness breakeven PATH --arm A --against B [OPTIONS]

PATH is a runs.csv or the folder of an experiment.

  --unit seconds          seconds, kwh, kgco2e or usd
  --per query             query, or correct: per correct answer
  --accuracy exact_match  the measure that says what is correct
  --cost NAME|FILE        prices, grid and PUE: a choice of conf/cost, or a YAML file
  --assume NAME=VALUE     a figure over those of --cost, as in electricity_usd_per_kwh=0.3
  --seed 0                of the resampling

Fixed: prepare, index and train. Per query: retrieve, prefill and decode, over
the test questions. A block is one seed. docs/economics.md explains the output.

Example:
  harness breakeven results/quickstart --arm lora --against rag --unit kwh"""


SAID = {
    "above": "is cheaper than {against} above {queries} queries",
    "below": "is cheaper than {against} below {queries} queries",
    "always": "is cheaper than {against} at every volume",
    "never": "is cheaper than {against} at no volume",
    "tie": "costs what {against} costs at every volume",
}


def main(arguments: Sequence[str]) -> int:
    """Print the break-even that the arguments ask for; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    parser = argparse.ArgumentParser("harness breakeven", add_help=False, allow_abbrev=False)
    refusing(parser, "breakeven")
    parser.add_argument("path", type=Path)
    parser.add_argument("--arm", required=True)
    parser.add_argument("--against", required=True)
    parser.add_argument("--unit", choices=("seconds", "kwh", "kgco2e", "usd"), default="seconds")
    parser.add_argument("--per", choices=("query", "correct"), default="query")
    parser.add_argument("--accuracy", default="exact_match")
    parser.add_argument("--cost")
    parser.add_argument("--assume", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(list(arguments))
    print("\n".join(_lines(asked)))
    return 0


def _lines(asked: argparse.Namespace) -> list[str]:
    from harness.economics.resampling import FEW_BLOCKS, resampled_break_even
    from harness.economics.rows import UNITS, seed_blocks
    from harness.economics.stated import load_cost
    from harness.measures.definitions import ACCURACY
    from harness.results import read_results

    if asked.accuracy not in ACCURACY:
        raise ConfigError(f"--accuracy is '{asked.accuracy}'; it is one of {', '.join(ACCURACY)}")
    per_correct = asked.per == "correct"
    frame = read_results([asked.path]).frame
    cost = load_cost(asked.cost, asked.assume) if asked.cost or asked.assume else None
    blocks = seed_blocks(
        frame, asked.arm, asked.against, asked.unit, asked.accuracy if per_correct else None, cost
    )
    found = resampled_break_even(blocks, per_correct=per_correct, seed=asked.seed)
    if found is None:
        raise ConfigError(
            f"the rows of {asked.arm} and {asked.against} do not hold every cost in {asked.unit}"
            f"{' or ' + asked.accuracy if per_correct else ''}: the break-even is unknown"
        )
    queries = "" if found.point.queries is None else f"{found.point.queries:,.0f}"
    said = SAID[found.point.case].format(against=asked.against, queries=queries)
    each = f" per correct answer ({asked.accuracy})" if per_correct else ""
    lines = [f"{asked.arm} {said}, in {UNITS[asked.unit]}{each}"]
    if found.low is not None and found.high is not None:
        low, high = (f"{v:,.0f}" if v < math.inf else "no limit" for v in (found.low, found.high))
        shares = ", ".join(f"{case} {share:.0%}" for case, share in found.shares.items())
        lines += [f"95 % interval: {low} to {high}; resamples: {shares}"]
    for side, arm in enumerate((asked.arm, asked.against)):
        fixed, each_query = (
            len({getattr(block[side], cost) for block in blocks}) for cost in ("fixed", "per_query")
        )
        lines.append(
            f"{arm}: {fixed} different readings of the fixed cost and {each_query} of the cost per "
            f"query in {len(blocks)} seeds; what was reused adds no spread"
        )
    if len(blocks) < FEW_BLOCKS:
        lines.append(f"fewer than {FEW_BLOCKS} blocks: an interval is too narrow, or there is none")
    if asked.unit != "seconds":
        used = frame[frame["arm"].isin([asked.arm, asked.against])]
        sources = sorted({str(s) for s in used["energy_source"].dropna()} - {"counter"})
        if sources or used["energy_source"].isna().any():
            lines.append("energy is an estimate, not read from a counter")
    return lines
