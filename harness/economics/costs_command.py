"""``harness costs``: tokens, money and carbon of each arm, from result rows and stated prices."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.arguments import refusing

if TYPE_CHECKING:
    from harness.economics.study import Study

HELP = """\
Say what each arm takes in tokens, time, energy, carbon and money.

usage: harness costs PATH... [OPTIONS]

PATH is a folder of results, one that holds several, or a runs.csv.

  --cost NAME|FILE     prices, hardware, grid and budget: a choice of conf/cost, or a YAML file
  --assume NAME=VALUE  a figure over those of --cost, as in hourly_usd=2; may be repeated
  --api NAME           what the tokens would cost at a named price; may be repeated
  --accuracy MEASURE   which share of answers counts as correct: contains, else what rows have
  --json               as JSON, in seconds, kWh, kg CO2e and US$

Without --cost the grid is that of each row, and the machine's time has no price.
docs/costs.md explains each table.

Example:
  harness costs results/quickstart --cost laptop --api gpt-4o-mini"""

WIDEST = 120
"""Columns that are used where there is no terminal."""


def main(arguments: Sequence[str]) -> int:
    """Print the account of the results that the arguments name; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    parser = argparse.ArgumentParser("harness costs", add_help=False, allow_abbrev=False)
    refusing(parser, "costs")
    parser.add_argument("paths", nargs="+", metavar="PATH", type=Path)
    parser.add_argument("--cost")
    parser.add_argument("--assume", action="append", default=[])
    parser.add_argument("--api", action="append", default=[])
    parser.add_argument("--accuracy")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_intermixed_args(list(arguments))
    found, problems = _study(asked)
    if asked.json:
        print(json.dumps(asdict(found) | {"problems": problems}, indent=2, allow_nan=False))
    else:
        print(_text(found, problems), end="")
    return 0


def _study(asked: argparse.Namespace) -> tuple[Study, list[str]]:
    """The account, and one line for each thing that could not be read."""
    from harness.compare.arms import line_up
    from harness.economics.stated import cost_given
    from harness.economics.study import study
    from harness.results import read_results

    cost = cost_given(asked.cost, asked.assume)
    results = read_results(asked.paths)
    arms, told = line_up(results.frame)
    # A frozen arm's later seeds repeat the first.
    given = [
        (arm.summary.label, arm.runs, 1 if arm.summary.frozen else len(arm.runs)) for arm in arms
    ]
    return study(given, cost, asked.api, asked.accuracy), [*results.problems, *told]


def _text(found: Study, problems: Sequence[str]) -> str:
    from harness.compare.render.grid import Grid, Section, plain
    from harness.compare.render.terminal import to_terminal
    from harness.report.money import money_lines
    from harness.report.money_tables import money_tables

    grids = [
        Grid(
            table.title,
            tuple(
                f"{plain(one.label)}\n{one.unit}" if one.unit else plain(one.label)
                for one in table.headings
            ),
            tuple(
                tuple(
                    f"{plain(cell.text)}\n({plain(cell.detail)})"
                    if cell.detail
                    else plain(cell.text)
                    for cell in row
                )
                for row in table.rows
            ),
            frozenset(at for at, one in enumerate(table.headings) if not one.number),
            table.notes,
        )
        for table in money_tables(found)
    ]
    told = tuple(plain(line) for line in (*money_lines(found), *problems))
    section = Section("What each arm takes", told, tuple(grids))
    width = shutil.get_terminal_size((WIDEST, 24)).columns if sys.stdout.isatty() else WIDEST
    return to_terminal([section], width, colour=False)
