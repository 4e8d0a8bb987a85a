"""``harness compare``: lines arms up on the same questions and says what was shown."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.gate import check_gates, exit_code, judge
from harness.compare.options import parse
from harness.compare.output import check_output, write
from harness.errors import ConfigError

HELP = """\
Line arms up on the same questions; print each difference, its interval, a verdict.

usage: harness compare PATH [PATH ...] [OPTIONS]

PATH is a runs.csv, the folder of an experiment, or a folder that holds several.

What is compared:
  --baseline ARM          set the others against this arm
  --arms A,B              only these arms
  --measures X,Y          only these measures
  --primary X,Y           the measures that share one family of tests
  --by COLUMN             the effect in each value of a column of the predictions,
                          such as bucket or relation
  --margin MEASURE=VALUE  differences within it count as none, which allows the
                          verdict "equivalent"
  --alpha 0.05            error rate of each family of tests
  --seed 0                of the resampling

What is printed:
  --format FORMAT         table (Markdown where there is no terminal), markdown,
                          csv, latex or json
  --out FILE              write a file; .md, .csv, .tex and .json choose the format
  --estimand weights      what gates judge and tables of other measures show:
                          weights (these trained weights) or seeds (the method
                          over seeds; three seeds or more)
  --all                   long tables whole, both estimands, what was not tested

A gate for CI:
  --fail-if "[ARM.]MEASURE < NUMBER"    (or >)
                          fail if the interval of the difference arm - baseline
                          lies wholly there. In the measure's own unit: -0.02 of
                          a share is 2 points. The measure becomes primary
  --require-shown         fail too unless it lies wholly on the other side

Options that take several values may be repeated.

Examples:
  harness compare results/quickstart
  harness compare results/quickstart --baseline rag --measures contains,f1
  harness compare results/quickstart --by bucket --format latex --out table.tex
  harness compare old/runs.csv new/runs.csv --margin exact_match=0.02
  harness compare results/nightly --fail-if "rag.exact_match < -0.02"

Exit code: 0 done and every gate passed, 1 a gate failed, 2 wrong input, 3 a gate
is inconclusive and none failed, 130 interrupted. docs/compare.md explains the output."""


def main(arguments: Sequence[str]) -> int:
    """Compare what the arguments name, print it, judge the gates; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    request = parse(arguments)
    for path in request.paths:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file or folder")
    if request.out is not None:
        check_output(request.out, request.paths)
    # The statistics take a second to load: after what can be known without them.
    from harness.compare.comparison import compare

    comparison = compare(request.paths, request.options)
    check_gates(request.gates, comparison)
    outcomes = [judge(gate, comparison, request.estimand) for gate in request.gates]
    write(request, comparison, outcomes)
    return exit_code(outcomes, request.require_shown)
