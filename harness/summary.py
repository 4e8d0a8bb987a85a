"""What ``harness run`` shows at its end: this command's arms, where time went, what is next."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.columns import PHASES, phase_columns
from harness.measures.cut import told as told_of_limit
from harness.record import read_rows
from harness.row import Row

ANSWERING = ("retrieve", "prefill", "decode")
"""The phases between a question and its answer."""

BUCKETS = ("low", "middle", "high")

PROBE_HEADINGS = {
    "facts_generated": "facts asked %",
    "facts_options": "facts options %",
    "glosses_options": "words options %",
    "context_use": "reads passage %",
    "text_loss_nats": "text nats",
}

NO_LOSS = 0.05
"""A loss by options that is surely below this share counts as no loss of knowledge."""

EMPTY = "–"
"""An unknown or inapplicable figure: never zero."""


@dataclass(frozen=True)
class Grid:
    """A table before it is drawn: the first column is text, the others are figures."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def summarise(folders: Sequence[Path], invocation: str, kept: Collection[str] = ()) -> int:
    """Print the rows that this command made or kept in each folder; the value is how many failed.

    Args:
        kept: run ids of cells that were there already.
    """
    failed = 0
    for folder in folders:
        table = folder / "runs.csv"
        rows = read_rows(table) if table.exists() else []
        rows = [row for row in rows if row["invocation"] == invocation or row["run_id"] in kept]
        show(rows, folder)
        failed += sum(row["status"] == "failed" for row in rows)
    return failed


def show(rows: Sequence[Row], folder: Path) -> None:
    """Print the tables of one experiment's rows; as Markdown where stdout is no terminal."""
    if not rows:
        print(f"No row was added to {folder / 'runs.csv'}.")
        return
    if all(row["status"] == "failed" for row in rows):
        print(f"Nothing was measured. The failed rows are in {folder / 'runs.csv'}.")
        return
    draw = _draw if sys.stdout.isatty() else _print_markdown
    for grid in (arms_grid(rows), popularity_grid(rows), probes_grid(rows), phases_grid(rows)):
        if grid.lines:
            draw(grid)
    print("\n".join(footer(rows, folder)))


def arms_grid(rows: Sequence[Row]) -> Grid:
    """One line a row: what the arm got right, what it forgot, what it cost."""
    failed = any(row["status"] == "failed" for row in rows)
    headings = (
        "arm",
        "seed",
        "correct %",
        "exact %",
        "forgot asked",
        "forgot options",
        "train s",
        "answer ms",
        "energy Wh",
        *(["status"] if failed else []),
    )
    lines = tuple(
        (
            row["arm"],
            str(row["seed"]),
            _accuracy_cell(row),
            _percent(row["exact_match"]),
            _percent(row["forgetting_facts_generated"], "+.0f"),
            _percent(row["forgetting_facts_options"], "+.0f"),
            _number(row["train_seconds"], ".0f"),
            _number(_answer_milliseconds(row), ".0f"),
            _energy_cell(row),
            *([row["status"]] if failed else []),
        )
        for row in rows
    )
    first = rows[0]
    return Grid(f"{first['experiment']}: {first['task']}, {first['model']}", headings, lines)


def popularity_grid(rows: Sequence[Row]) -> Grid:
    """Percent correct in each popularity bucket, a line an arm, mean over its seeds."""
    rows = [row for row in rows if row["by_bucket"]]
    found = {bucket for row in rows for bucket in row["by_bucket"]}
    buckets = sorted(found, key=lambda name: (BUCKETS.index(name) if name in BUCKETS else 9, name))
    lines = []
    for arm, group in _by_arm(rows).items():
        cells = []
        for bucket in buckets:
            entries = [row["by_bucket"].get(bucket, {}).get(_accuracy(row)) for row in group]
            cells.append(_percent(_mean([entry["mean"] for entry in entries if entry])))
        lines.append((arm, *cells))
    return Grid("correct %, by popularity", ("arm", *buckets), tuple(lines))


def probes_grid(rows: Sequence[Row]) -> Grid:
    """Each forgetting probe's score of the base model and of each trained arm, mean over seeds."""
    rows = [row for row in rows if row["forgetting_by_construction"] is not None]
    names = [
        name for name in PROBE_HEADINGS if any(row[f"{name}_before"] is not None for row in rows)
    ]
    trained = _by_arm([row for row in rows if not row["forgetting_by_construction"]])
    lines = [("base model", *(_probe_cell(rows, name, "before") for name in names))]
    lines += [
        (arm, *(_probe_cell(group, name, "after") for name in names))
        for arm, group in trained.items()
    ]
    headings = ("probe", *(PROBE_HEADINGS[name] for name in names))
    title = "forgetting probes: none of it is trained"
    return Grid(title, headings, tuple(lines if names else ()))


def _probe_cell(rows: Sequence[Row], name: str, moment: str) -> str:
    mean = _mean([row[f"{name}_{moment}"] for row in rows])
    return _number(mean, ".2f") if name == "text_loss_nats" else _percent(mean)


def what_was_lost(rows: Sequence[Row]) -> list[str]:
    """A line for each trained arm that answers the fact probe worse: knowledge lost, or form only.

    Asked openly a model also fails when only the form of its answers has changed; choosing among
    options it fails only when the knowledge is gone. By the intervals of the first seed.
    """
    lines = []
    for arm, (row, *_) in _by_arm(rows).items():
        asked, low = row["forgetting_facts_generated"], row["forgetting_facts_generated_low"]
        by_options = [row[f"forgetting_facts_options{end}"] for end in ("", "_low", "_high")]
        if low is None or low <= 0 or None in by_options:
            continue
        lost, least, most = (100 * value for value in by_options)
        if least > 0:
            verdict = "the facts themselves were lost"
        elif most <= 100 * NO_LOSS:
            verdict = "the form of the answers changed, the facts are still there"
        else:
            verdict = "whether facts or only the form of the answers was lost is not shown"
        lines.append(
            f"{arm}: {100 * asked:.0f} points lost when asked, {lost:+.0f} by options "
            f"({least:+.0f} to {most:+.0f}): {verdict}."
        )
    return lines


def what_was_cut(rows: Sequence[Row]) -> list[str]:
    """A line for each arm of which the limit of tokens may have made answers wrong."""
    first = [of_arm[0] for of_arm in _by_arm(rows).values()]
    cut = [told for told in map(told_of_limit, first) if told]
    return [f"{line}: raise prompt.max_new_tokens for every arm." for line in cut]


def phases_grid(rows: Sequence[Row]) -> Grid:
    """Seconds of each phase, a column an arm, mean over its seeds; reused work at its full cost."""
    arms = _by_arm([row for row in rows if row["status"] == "ok"])
    lines = []
    for phase in PHASES:
        seconds = phase_columns(phase)[0]
        means = [_mean([row[seconds] for row in group]) for group in arms.values()]
        if any(mean is not None for mean in means):
            lines.append((phase, *(_number(mean, ".1f") for mean in means)))
    totals = [_mean([_all_phases(row) for row in group]) for group in arms.values()]
    spent = [_mean([row["spent_seconds"] for row in group]) for group in arms.values()]
    if lines:
        lines.append(("all phases", *(_number(total, ".1f") for total in totals)))
        lines.append(("spent now", *(_number(value, ".1f") for value in spent)))
    return Grid("seconds by phase", ("phase", *arms), tuple(lines))


def footer(rows: Sequence[Row], folder: Path) -> list[str]:
    """What the figures mean where it is not plain, what failed, where things lie, what is next."""
    lines = [
        "correct: a gold answer stands in the answer; in brackets its interval.",
        "forgot: points lost on facts that were not trained, asked openly or with options.",
        "answer ms: for a question, in batches.",
        *what_was_lost(rows),
        *what_was_cut(rows),
    ]
    assumed = [row["energy_assumed_share"] for row in rows if row["energy_source"] == "estimate"]
    shares = [share for share in assumed if share is not None]
    if assumed:
        part = f"; up to {max(shares):.0%} of it rests on assumed watts" if shares else ""
        lines.append(f"~ energy is estimated{part}: state the machine's figures in conf/cost/.")
    lines += [
        f"failed: {row['arm']}, seed {row['seed']}: {row['error']}"
        for row in rows
        if row["status"] == "failed"
    ]
    lines.append(f"Rows: {folder / 'runs.csv'}   Answers: {folder / 'predictions'}/")
    lines.append(f"Next: {next_command(rows)}")
    return lines


def next_command(rows: Sequence[Row]) -> str:
    """The command that tells most after these rows: more seeds, then the user's own data."""
    from harness.config import CONF

    experiment = rows[0]["experiment"]
    named = (CONF / "experiment" / f"{experiment}.yaml").exists()
    if named and len({row["seed"] for row in rows}) == 1:
        return f"harness run experiment={experiment} seed=0,1,2   (does the gap hold over seeds?)"
    return (
        "harness run -m method=closed_book,rag,lora,rag_lora task=custom "
        "task.corpus=my_docs/ task.questions=my.csv   (your own data)"
    )


def _by_arm(rows: Sequence[Row]) -> dict[str, list[Row]]:
    arms: dict[str, list[Row]] = {}
    for row in rows:
        arms.setdefault(row["arm"], []).append(row)
    return arms


def _accuracy(row: Row) -> str:
    """The measure that says "correct": of open questions or, where there are none, of options."""
    return "contains" if row["contains"] is not None else "multiple_choice"


def _answer_milliseconds(row: Row) -> float | None:
    """Time of retrieving and answering in batches, for one question."""
    seconds = [row[phase_columns(phase)[0]] for phase in ANSWERING]
    known = [value for value in seconds if value is not None]
    return 1000 * sum(known) / row["n_test"] if known and row["n_test"] else None


def _all_phases(row: Row) -> float | None:
    known = [row[phase_columns(phase)[0]] for phase in PHASES]
    return sum(value for value in known if value is not None) if any(known) else None


def _accuracy_cell(row: Row) -> str:
    """Percent correct with its interval, as "58 (51–65)"."""
    name = _accuracy(row)
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = "" if low is None or high is None else f" ({_percent(low)}–{_percent(high)})"
    return _percent(row[name]) + interval


def _energy_cell(row: Row) -> str:
    if row["total_energy_kwh"] is None:
        return EMPTY
    estimated = "~" if row["energy_source"] == "estimate" else ""
    return f"{estimated}{row['total_energy_kwh'] * 1000:.2f}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _number(value: float | None, form: str) -> str:
    return EMPTY if value is None else format(value, form)


def _percent(value: float | None, form: str = ".0f") -> str:
    return EMPTY if value is None else format(100 * value, form)


def _draw(grid: Grid) -> None:
    """Print a grid on a terminal, headings on two lines so that it fits 80 columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column(grid.headings[0], no_wrap=True)
    for heading in grid.headings[1:]:
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for line in grid.lines:
        table.add_row(*line)
    console = Console(highlight=False)
    console.print(f"\n[bold]{grid.title}[/bold]")
    console.print(table)


def _print_markdown(grid: Grid) -> None:
    widths = [max(map(len, column)) for column in zip(grid.headings, *grid.lines, strict=True)]
    ruler = tuple("-" * width for width in widths)
    print(f"\n{grid.title}\n")
    for line in (grid.headings, ruler, *grid.lines):
        first, *rest = (
            cell.rjust(width) if position else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("| " + " | ".join((first, *rest)) + " |")
    print()
