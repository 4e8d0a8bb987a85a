"""What ``harness compare`` was asked for, read from its command line."""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.arguments import refusing
from harness.compare.gate import Gate, parse_gate
from harness.compare.result import OVER_SEEDS, THESE_WEIGHTS
from harness.errors import ConfigError, suggestion
from harness.measures.definitions import COSTS

FORMATS = ("table", "markdown", "csv", "latex", "json")
SUFFIXES = {".md": "markdown", ".csv": "csv", ".tex": "latex", ".json": "json"}
"""What a file is written as when --format does not say."""

ESTIMANDS = {"weights": THESE_WEIGHTS, "seeds": OVER_SEEDS}

HIGHEST_ALPHA = 0.5


@dataclass(frozen=True)
class Options:
    """What to compare, and how.

    Attributes:
        baseline: label of the arm that the others are set against; None: chosen from the arms.
        measures: the only measures compared; empty: all.
        primary: the measures whose tests form the primary family; empty: the default ones.
        gated: those of them that --fail-if names.
        has_gates: whether there is any --fail-if, be it of a cost.
        by: columns of the predictions whose values split the questions.
        alpha: error rate of each family of tests.
        margins: measure -> largest difference that counts as none, in the measure's own unit.
        arms: the only arms compared; empty: all.
        seed: of the resampling.
    """

    baseline: str | None = None
    measures: tuple[str, ...] = ()
    primary: tuple[str, ...] = ()
    gated: tuple[str, ...] = ()
    has_gates: bool = False
    by: tuple[str, ...] = ()
    alpha: float = 0.05
    margins: Mapping[str, float] = field(default_factory=dict)
    arms: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """A whole command line: what to compare, how to print it, which gates to judge.

    Attributes:
        format: one of FORMATS; "table" is Markdown where there is no terminal.
        out: the file to write; None: standard output.
        estimand: which one gates judge, and tables of other measures show.
        require_shown: whether an inconclusive gate fails.
        show_all: whether every line is printed, however many there are.
    """

    paths: tuple[Path, ...]
    options: Options
    format: str = "table"
    out: Path | None = None
    gates: tuple[Gate, ...] = ()
    estimand: str = THESE_WEIGHTS
    require_shown: bool = False
    show_all: bool = False


def parse(arguments: Sequence[str]) -> Request:
    """The request that the arguments make.

    Raises:
        ConfigError: an unknown flag, a value that does not fit, no path.
    """
    found = _parser().parse_intermixed_args(list(arguments))
    gates = tuple(parse_gate(text) for text in found.fail_if)
    if found.require_shown and not gates:
        raise ConfigError("--require-shown says how gates are judged: add --fail-if")
    # A gate on one of many secondary measures would be judged at a level adjusted over them all.
    gated = [gate.measure for gate in gates if gate.measure not in COSTS]
    measures = _names(found.measures)
    primary = _unique([*_names(found.primary), *gated])
    if measures:
        measures = _unique([*measures, *primary, *(gate.measure for gate in gates)])
    options = Options(
        baseline=found.baseline,
        measures=measures,
        primary=primary,
        gated=tuple(gated),
        has_gates=bool(gates),
        by=_names(found.by),
        alpha=_alpha(found.alpha),
        margins=dict(_margin(text) for text in found.margin),
        arms=_names(found.arms),
        seed=_seed(found.seed),
    )
    out = None if found.out is None else Path(found.out)
    return Request(
        paths=tuple(Path(text) for text in found.paths),
        options=options,
        format=_format(found.format, out),
        out=out,
        gates=gates,
        estimand=ESTIMANDS[_choice("--estimand", found.estimand, tuple(ESTIMANDS))],
        require_shown=found.require_shown,
        show_all=found.show_all,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness compare", add_help=False, allow_abbrev=False)
    refusing(parser, "compare")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--baseline")
    for flag in ("--arms", "--measures", "--primary", "--by", "--margin", "--fail-if"):
        parser.add_argument(flag, action="append", default=[])
    parser.add_argument("--alpha", default="0.05")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--estimand", default="weights")
    parser.add_argument("--format")
    parser.add_argument("--out")
    parser.add_argument("--require-shown", action="store_true")
    parser.add_argument("--all", action="store_true", dest="show_all")
    return parser


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    """The names in comma-separated lists; one that holds a comma stands in double quotes."""
    lists = csv.reader(texts, skipinitialspace=True)
    return _unique([name.strip() for names in lists for name in names if name.strip()])


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _margin(text: str) -> tuple[str, float]:
    measure, equals, value = text.rpartition("=")
    number = _number(value)
    if not equals or not measure.strip() or number is None or number <= 0:
        raise ConfigError(
            f"--margin '{text}' is not MEASURE=VALUE with a value above 0 in the measure's own "
            "unit, such as exact_match=0.02 (2 points)"
        )
    return measure.strip(), number


def _alpha(text: str) -> float:
    alpha = _number(text)
    if alpha is None or not 0 < alpha <= HIGHEST_ALPHA:
        raise ConfigError(
            f"--alpha '{text}' is no error rate: give one above 0 and up to {HIGHEST_ALPHA}, "
            "such as 0.05"
        )
    return alpha


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"--seed '{text}' is no whole number from 0 up")
    return int(text)


def _format(text: str | None, out: Path | None) -> str:
    if text is not None:
        return _choice("--format", text, FORMATS)
    return SUFFIXES.get(out.suffix.lower(), "table") if out else "table"


def _choice(flag: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ConfigError(
            f"{flag} '{text}' is not one of {', '.join(choices)}{suggestion(text, list(choices))}"
        )
    return text


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
