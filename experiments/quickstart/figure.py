"""The figure and the table of README.md, made from committed runs.csv files and nothing else.

python experiments/quickstart/figure.py results/quickstart [results/OTHER …] [--readme README.md]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arms import CORRECT, Arm, estimate, read_arms, table

from harness.errors import DataError, HarnessError, RecordError
from harness.tasks.popularity import BUCKETS

# Okabe and Ito's palette, which colour-blind readers can tell apart: https://jfly.uni-koeln.de/color/
BUCKET_COLOURS = {"low": "#E69F00", "middle": "#56B4E9", "high": "#0072B2"}
ARM_COLOURS = ("#000000", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#E69F00", "#56B4E9")
PROBES = (
    ("forgetting_facts_generated", "o", "asked openly"),
    ("forgetting_facts_options", "^", "by likelihood of options"),
)
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure, print the table, put it into a README if asked; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, help="results/EXPERIMENT")
    parser.add_argument("--readme", type=Path, help=f"write the table between {BEGIN} and {END}")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/quickstart"),
        help="the figure's path; .svg and .png are added",
    )
    asked = parser.parse_args(arguments)
    try:
        arms = read_arms(asked.folders)
        text = table(arms)
        draw(arms, asked.out)
        if asked.readme:
            put_between_markers(asked.readme, text)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def put_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the two markers of a Markdown file.

    Raises:
        DataError: the file does not hold each marker once, in order.
    """
    whole = path.read_text(encoding="utf-8")
    head, begin, rest = whole.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in tail:
        raise DataError(f"{path} must hold {BEGIN} and, after it, {END}, each once")
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


def draw(arms: Sequence[Arm], out: Path) -> None:
    """Write ``out``.svg and ``out``.png: accuracy by popularity; accuracy against forgetting."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    if len(arms) > len(ARM_COLOURS):
        raise RecordError(f"{len(arms)} arms: colours tell {len(ARM_COLOURS)} apart at most")
    style: Any = {
        "svg.fonttype": "none",  # text stays text: small files that can be searched
        "svg.hashsalt": "quickstart",  # the same rows give the same file
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(style):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(12, 5.2), width_ratios=[3, 2], layout="constrained", facecolor="white"
        )
        _draw_popularity(left, arms)
        _draw_forgetting(right, arms)
        figure.supxlabel(caption(arms), fontsize=8.5, x=0.01, ha="left")
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(out.with_suffix(".png"), dpi=130)
        plt.close(figure)


def caption(arms: Sequence[Arm]) -> str:
    """What the marks mean, as far as these rows call for it."""
    row = arms[0].rows[0]
    several = any(len(arm.replicates) > 1 for arm in arms)
    seeds = "dots: each seed (bars and large marks: their mean). " if several else ""
    return (
        f"{row['task']}, {row['model']}: {row['n_test']} questions about {row['n_clusters']} "
        f"entities. Correct: a gold answer stands in the answer.\n"
        f"Whiskers: 95 % interval over questions, for arms measured once; {seeds}"
        "Without training nothing depends on the seed."
    )


def _draw_popularity(axes: Any, arms: Sequence[Arm]) -> None:
    found = {bucket for arm in arms for row in arm.rows for bucket in row["by_bucket"] or {}}
    buckets = [bucket for bucket in BUCKETS if bucket in found]
    width = 0.8 / max(1, len(buckets))
    for number, bucket in enumerate(buckets):
        for position, arm in enumerate(arms):
            place = position + (number - (len(buckets) - 1) / 2) * width
            one = estimate(arm, CORRECT, bucket)
            if one is None:
                continue
            axes.bar(
                place,
                100 * one.mean,
                0.92 * width,
                color=BUCKET_COLOURS[bucket],
                label=f"{bucket} popularity" if position == 0 else None,
            )
            if len(one.seeds) > 1:
                values = [100 * value for value in one.seeds]
                axes.plot(
                    [place] * len(values), values, "o", color="black", mec="white", mew=0.6, ms=4.5
                )
            elif one.low is not None and one.high is not None:
                below, above = one.mean - one.low, one.high - one.mean
                axes.errorbar(
                    place, 100 * one.mean, [[100 * below], [100 * above]], color="black", lw=1
                )
    for position, arm in enumerate(arms):
        whole = estimate(arm, CORRECT)
        if whole is not None:
            label = "all questions" if position == 0 else None
            level = 100 * whole.mean
            axes.hlines(level, position - 0.41, position + 0.41, "black", lw=2, label=label)
            axes.annotate(
                f"{level:.0f}",
                (position + 0.42, level),
                va="center",
                fontsize=8.5,
                fontweight="bold",
            )
    axes.set_xticks(range(len(arms)), [arm.label.replace(" ", "\n") for arm in arms])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("correct answers (%)")
    axes.set_title("What each arm answers, by popularity of what is asked about", fontsize=10.5)
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _draw_forgetting(axes: Any, arms: Sequence[Arm]) -> None:
    from matplotlib.lines import Line2D

    keys = []
    for arm, colour in zip(arms, ARM_COLOURS, strict=False):
        right = estimate(arm, CORRECT)
        marks = [(estimate(arm, probe), marker) for probe, marker, _ in PROBES]
        if right is None or all(one is None for one, _ in marks):
            continue
        level = 100 * right.mean
        harms = [100 * one.mean for one, _ in marks if one is not None]
        axes.plot(harms, [level] * len(harms), color=colour, lw=1, alpha=0.4)
        for one, marker in marks:
            if one is None:
                continue
            if len(one.seeds) > 1:
                own = [100 * row[CORRECT] for row in arm.replicates]
                if len(own) == len(one.seeds):
                    axes.plot(
                        [100 * harm for harm in one.seeds], own, ".", color=colour, ms=6, alpha=0.6
                    )
            elif one.low is not None and one.high is not None:
                below, above = one.mean - one.low, one.high - one.mean
                axes.errorbar(
                    100 * one.mean,
                    level,
                    xerr=[[100 * below], [100 * above]],
                    color=colour,
                    lw=1,
                )
            size = 10 if marker == "o" else 6.5
            axes.plot(100 * one.mean, level, marker, color=colour, mec="white", mew=0.8, ms=size)
        keys.append(Line2D([], [], marker="s", ls="", color=colour, label=arm.label))
    keys += [
        Line2D([], [], marker=marker, ls="", color="grey", label=label)
        for _, marker, label in PROBES
    ]
    axes.axvline(0, color="grey", lw=0.8, ls=":")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("capitals forgotten (percentage points, before − after)")
    axes.set_ylabel("correct answers (%)")
    axes.set_title("What it cost: facts that were not trained", fontsize=10.5)
    axes.legend(handles=keys, frameon=False, fontsize=9, loc="best")


if __name__ == "__main__":
    sys.exit(main())
