"""``harness label``: a blind sample of answers for people; measures held against what they say."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.arguments import refusing
from harness.errors import ConfigError, suggestion

HELP = """\
Have people mark answers without knowing whose they are; hold each measure against them.

usage: harness label export results/EXPERIMENT --out FILE.csv [OPTIONS]
       harness label score FILE.csv [MORE.csv ...] --results results/EXPERIMENT [OPTIONS]

export writes a sheet: question, gold answers and an answer on each line, no arm, no
model, no measure. People write yes, no or unsure into its column 'correct'. What the
lines stand for is kept in results/EXPERIMENT/labels, which score needs.

  --n 100            lines of the sheet; every arm has an equal share of it
  --seed 0           of the sample and its order
  --with-passages    show the passages, too: they tell arms that retrieve from others

score says how far people and each measure agree (share, Cohen's kappa), and the judge's
verdicts where there are some, what each arm's share is by people and by measure, and
where they differ. Several files are several labelers: the majority counts.

  --threshold 0.5    from where a graded measure (f1, say) counts as a yes
  --json             as JSON

Examples:
  harness label export results/quickstart --n 100 --out labels.csv
  harness label score labels.csv --results results/quickstart

Exit code: 0 done, 2 the input is wrong.
docs/label.md says how answers are drawn and what the intervals assume."""


def main(arguments: Sequence[str]) -> int:
    """Run ``export`` or ``score`` and return the exit code.

    Raises:
        HarnessError: the arguments, the results or a sheet are not what they should be.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    name = arguments[0] if arguments else ""
    if name not in ACTIONS:
        raise ConfigError(
            f"harness label {name}: not one of {', '.join(ACTIONS)}"
            f"{suggestion(name, list(ACTIONS))}; harness label --help explains the command"
        )
    parser, action = ACTIONS[name]
    return action(_parse(parser(), arguments[1:]))


def _export(options: argparse.Namespace) -> int:
    from harness.foreign import Problems
    from harness.label.answers import open_experiment, read_answers
    from harness.label.draw import draw
    from harness.label.key import write_key
    from harness.label.sheet import check_new, write_sheet

    if options.n < 1:
        raise ConfigError(f"--n is {options.n}; it is at least 1")
    if options.seed < 0:
        raise ConfigError(f"--seed is {options.seed}; it is at least 0")
    check_new(options.out)
    experiment, notes = open_experiment(options.path)
    problems = Problems()
    answers = {
        label: {
            run_id: list(read_answers(experiment, run_id, options.passages, problems).values())
            for run_id in runs
        }
        for label, runs in experiment.arms.items()
    }
    sheet, items = draw(answers, options.n, options.seed)
    if not items:
        raise ConfigError(f"{options.path} holds no answer that people could judge")
    key = write_key(experiment, sheet, items, options.passages)
    write_sheet(options.out, items, options.passages)
    _note([*notes, *problems.lines()])
    if len(items) < options.n:
        _note([f"there are only {len(items)} different answers, all of them are on the sheet"])
    if options.passages:
        _note(["the passages tell arms that retrieve from those that do not: not blind to that"])
    drawn = [one for item in items for one in item.drawn]
    print(f"{len(items)} lines for {len(drawn)} answers written to {options.out}")
    for label, runs in experiment.arms.items():
        print(f"  {label}: {sum(one.run_id in runs for one in drawn)}")
    print(f"what they stand for: {key} (do not pass it on with the sheet)")
    return 0


def _score(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from harness.foreign import Problems
    from harness.label.answers import open_experiment
    from harness.label.render import shown
    from harness.label.scoring import score

    if not 0 < options.threshold <= 1:
        raise ConfigError(f"--threshold is {options.threshold:g}; it is above 0 and at most 1")
    for path in options.sheets:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file")
    if len({path.resolve() for path in options.sheets}) < len(options.sheets):
        raise ConfigError("a sheet is named twice; each file is one labeler's")
    experiment, _ = open_experiment(options.results)
    problems = Problems()
    card = score(options.sheets, experiment, options.threshold, problems)
    _note(problems.lines())
    if options.json:
        print(json.dumps(asdict(card), ensure_ascii=False, indent=1))
    else:
        sys.stdout.write(shown(card))
    return 0


def _note(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    refusing(parser, "label")
    return parser.parse_intermixed_args(list(arguments))


def _export_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("harness label export", add_help=False, allow_abbrev=False)
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--with-passages", dest="passages", action="store_true")
    return parser


def _score_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("harness label score", add_help=False, allow_abbrev=False)
    parser.add_argument("sheets", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--json", action="store_true")
    return parser


ACTIONS = {"export": (_export_parser, _export), "score": (_score_parser, _score)}
