"""``harness advise``: which arm to take, how sure that is, and which assumption would change it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.advise.options import MEMORIES, Request, parse
from harness.advise.situation import Limits, Situation
from harness.economics.stated import (
    Assumption,
    assumptions,
    budget_of,
    figure,
    load_cost,
    prices_of,
)
from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.grid import grid_of

if TYPE_CHECKING:
    import pandas as pd

    from harness.advise.advice import Advice

HELP = """\
Say which arm to take, how sure that is, and which assumption would change it.

usage: harness advise PATH --queries-per-month N [OPTIONS]

PATH is a runs.csv or the folder of an experiment.

Use (else from cost.use of --cost):
  --queries-per-month N     how much is asked
  --months 12               for how long; what is paid once is paid in that time
  --updates-per-month 0     after each, adapters are trained and indexes redone

Limits:
  --min-accuracy 0.6        or MEASURE=0.6, as in contains=0.6
  --max-forgetting 0.05     of the probe that lost most, or PROBE=0.05, as in
                            facts_generated=0.05
  --max-latency 0.5         seconds, p95, or p50=0.5
  --max-memory 8            GiB, process, or gpu=8
  --max-carbon 10           kg CO2e a year; else the allowance of cost.budget
  --year YEAR               of that allowance; else this year

How costs are counted:
  --unit UNIT               usd, kwh, kgco2e or seconds; else usd where prices are
                            stated, else kwh
  --per query|correct       rank by the cost, or by that of a correct answer; else
                            the cost if a least accuracy is set
  --accuracy MEASURE        what says what is correct
  --cost NAME|FILE          prices, grid and PUE: a choice of conf/cost, or a file
  --assume NAME=VALUE       a figure over those of --cost

  --task, --model NAME      where the results hold several
  --json                    print the advice for a program
  --out FOLDER              write advice.md, advice.json and tornado.svg
  --seed 0                  of the draws

Example:
  harness advise results/quickstart --queries-per-month 10000 --min-accuracy 0.7

Exit code: 0 an arm is advised, 1 none meets the limits, 2 wrong input.
docs/advise.md explains the rule and the output."""


@dataclass(frozen=True)
class Costs:
    """The cost settings with the grid made a fixed figure, what they state, and what is assumed."""

    cost: CostConfig
    stated: tuple[Assumption, ...]
    remarks: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Print the advice that the arguments ask for; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    request = parse(arguments)
    if not request.path.exists():
        raise ConfigError(f"{request.path}: there is no such file or folder")
    advice, stated = _advice(request)
    if request.out is not None:
        from harness.advise.written import write

        write(request.out, advice, stated)
    _print(request, advice, stated)
    return 0 if advice.best else 1


def _advice(request: Request) -> tuple[Advice, tuple[Assumption, ...]]:
    from harness.advise.advice import advise
    from harness.advise.readings import Asked, read_arms
    from harness.results import read_results

    results = read_results([request.path])
    costs = _costs(request, results.frame)
    situation, remarks = _situation(request, costs)
    asked = Asked(
        task=request.task,
        model=request.model,
        accuracy=request.accuracy,
        probe=request.probe,
        latency=f"latency_{request.latency}_seconds",
        memory=MEMORIES[request.memory],
        unit=situation.unit,
    )
    arms, problems = read_arms(results.frame, asked)
    advice = advise(arms, situation, request.seed)
    told = (*advice.remarks, *remarks, *results.problems, *problems)
    return replace(advice, remarks=tuple(dict.fromkeys(told))), costs.stated


def _costs(request: Request, frame: pd.DataFrame) -> Costs:
    """The cost settings that are asked for; the grid that the runs were recorded with, if none."""
    cost = load_cost(request.cost, request.assumed)
    stated, remarks = assumptions(cost), []
    named = cost.country is not None or cost.carbon_intensity_kg_per_kwh is not None
    recorded = frame[["carbon_intensity_kg_per_kwh", "carbon_intensity_source"]].dropna()
    if not named and len(recorded.drop_duplicates()) == 1:
        intensity, source = recorded.iloc[0]
        cost = replace(cost, carbon_intensity_kg_per_kwh=float(intensity))
        stated = [one for one in stated if one.name != "carbon_intensity_kg_per_kwh"]
        stated.append(
            Assumption(
                "carbon_intensity_kg_per_kwh",
                float(intensity),
                "kg CO2e/kWh",
                f"the runs ({source})",
                "",
            )
        )
    elif not named:
        remarks.append("no grid is stated: carbon is that of the world average")
    grid = grid_of(cost)
    fixed = replace(cost, carbon_intensity_kg_per_kwh=grid.kg_per_kwh)
    return Costs(fixed, tuple(stated), tuple(remarks))


def _situation(request: Request, costs: Costs) -> tuple[Situation, list[str]]:
    """What the advice is for, and what was taken for granted in it."""
    cost, remarks = costs.cost, list(costs.remarks)
    use = {
        name: None if (found := figure(getattr(cost.use, name))) is None else found.value
        for name in ("queries_per_month", "updates_per_month", "changed_share")
    }
    queries = use["queries_per_month"] if request.queries is None else request.queries
    if queries is None:
        raise ConfigError(
            "how much is asked is not stated: give --queries-per-month, or "
            "cost.use.queries_per_month in a file of --cost"
        )
    updates = use["updates_per_month"] if request.updates is None else request.updates
    if updates is None:
        remarks.append("no updates of the knowledge are stated: there are none")
    changed = use["changed_share"]
    if updates and changed is None:
        remarks.append(
            "cost.use.changed_share is not stated: an update is taken to change the whole corpus"
        )
    unit = request.unit or ("kwh" if prices_of(cost).device is None else "usd")
    if request.unit is None and unit == "kwh":
        remarks.append("no price of a machine is stated: costs are in kWh")
    limits, told = _limits(request, cost)
    per = request.per or ("query" if limits.accuracy is not None else "correct")
    if request.per is None and per == "correct":
        told.append(
            "no least accuracy is set: arms are ranked by the cost of a correct answer, as the "
            "cheapest may hardly ever be right"
        )
    situation = Situation(
        queries_per_month=queries,
        months=request.months,
        updates_per_month=updates or 0,
        changed_share=1 if changed is None else changed,
        unit=unit,
        per_correct=per == "correct",
        limits=limits,
        cost=cost,
    )
    return situation, [*told, *remarks]


def _limits(request: Request, cost: CostConfig) -> tuple[Limits, list[str]]:
    """The limits, that on carbon from the stated budget if there is one."""
    budget = budget_of(cost)
    if request.limits.carbon is not None or budget is None:
        return request.limits, []
    year = request.year or datetime.now(UTC).year
    allowed = budget.allowance_kg(year)
    told = f"the limit on carbon is the allowance of cost.budget for {year}: {allowed:g} kg"
    return replace(request.limits, carbon=allowed), [told]


def _print(request: Request, advice: Advice, stated: Sequence[Assumption]) -> None:
    from harness.advise.layout import sections
    from harness.compare.output import show

    if request.json:
        from harness.advise.written import as_json

        show(as_json(advice, stated), sys.stdout)
        return
    found = sections(advice, stated)
    if sys.stdout.isatty():
        from harness.compare.render.terminal import to_terminal

        show(to_terminal(found, shutil.get_terminal_size().columns, colour=True), sys.stdout)
    else:
        from harness.compare.render.markdown import to_markdown

        show(to_markdown(found), sys.stdout)
    if request.out is not None:
        show(f"\nwritten: {request.out}\n", sys.stdout)
