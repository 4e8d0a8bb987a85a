"""What a sweep saves over separate runs, what it costs when all is cached, and its own overhead.

    python benchmarks/sweep.py [--real] [--folder FOLDER] [--cells 100] [--only grid|cached]

1. The quickstart grid, 4 arms and 3 seeds, as one sweep and as 12 separate runs that share nothing
   but the model's files: the sweep takes at most half the time.
2. The harness's own overhead: a cell's wall time but for its metered phases, as a share of it:
   below 3 % with a real model. In a separate run it holds the loading of all libraries, in a
   sweep's first cell alone.
3. A sweep of 100 cells of which everything is in the store, without rows and with: 60 s at most.

A tiny random model and BM25 stand in by default, which says nothing of 2: most of a cell is
overhead then. With --real it is SmolLM2-135M and MiniLM, on fewer countries and shorter trainings
than the quickstart has (see REAL). Each command is a process of its own, its start included. Prints
a table, writes benchmarks/results/sweep.csv. Exit code 1: a limit was passed.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median
from typing import NamedTuple

from harness.record import read_rows
from harness.sources import cache_folder
from harness.sweep.journal import latest, read

ROOT = Path(__file__).resolve().parent.parent
CSV = ROOT / "benchmarks" / "results" / "sweep.csv"
CONF = ROOT / "tests" / "faults" / "conf"  # it has an arm with BM25 and an adapter
SEEDS = (0, 1, 2)

# Chosen beforehand, since measuring which is fastest would be the first cell's alone.
FIXED = tuple(
    f"model.{name}"
    for name in ("dtype=float32", "attention=sdpa", "train_dtype=float32", "train_attention=sdpa")
)
TINY = ("task.countries=6", "task.validation_questions=4", "forgetting.items=10")
TINY += ("forgetting.probes=[glosses,context]", "adapter.epochs=1", "prompt.max_new_tokens=4")
REAL = ("task.countries=12", "task.validation_questions=9", "adapter.epochs=2")
REAL += ("forgetting.items=40", "forgetting.texts=30", "measure.latency_questions=5")
CACHED = ("task.entities=6", "task.distractor_entities=3", "task.phrasings=1")
CACHED += ("task.validation_questions=2", "forgetting.probes=[glosses]", "forgetting.items=4")
CACHED += ("retriever.top_k=1", "adapter.epochs=1", "adapter.rank=2", "prompt.max_new_tokens=4")
CACHED += ("measure.latency_questions=0",)


@dataclass(frozen=True)
class Figure:
    """One measurement, and what it may be; None: no limit."""

    model: str
    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the limit was passed."""
        return self.limit is not None and self.value > self.limit


class Spent(NamedTuple):
    """Seconds of wall and of processor time; other load hardly changes the second."""

    wall: float
    processor: float


def processor_seconds() -> float:
    """Processor time of all commands that have ended, and of what they started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Bench:
    """Where to measure, and with which model."""

    folder: Path
    real: bool

    @property
    def arms(self) -> tuple[str, ...]:
        """The four arms; with BM25 for the tiny model, whose passages need no encoder."""
        own = "" if self.real else "_bm25"
        return "closed_book", f"rag{own}", "lora", f"rag_lora{own}"

    @property
    def model(self) -> tuple[str, ...]:
        """Overrides that choose the model."""
        if self.real:
            return FIXED
        return ("model=local", f"model.id={self.folder / 'model'}", "model.name=tiny", *FIXED)

    def run(self, overrides: Sequence[str], cache: Path) -> Spent:
        """What a ``harness run`` takes."""
        command = [sys.executable, "-m", "harness", "run", "--config-dir", str(CONF), *overrides]
        before, began = processor_seconds(), time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "HARNESS_CACHE": str(cache)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            raise SystemExit(f"exit code {done.returncode}: {' '.join(command)}\n{said}")
        return Spent(time.monotonic() - began, processor_seconds() - before)

    def cache(self, name: str) -> Path:
        """A new cache with nothing in it but fetched and converted model files."""
        folder = self.folder / "caches" / name
        (folder / "store").mkdir(parents=True)
        for shared in ("wheels", "store/model"):
            (cache_folder() / shared).mkdir(parents=True, exist_ok=True)
            (folder / shared).symlink_to(cache_folder() / shared, target_is_directory=True)
        return folder

    def grid(self) -> list[Figure]:
        """One sweep against separate runs, and the overhead of the latter's cells."""
        common = ["experiment=quickstart", *self.model, *(REAL if self.real else TINY)]
        sweep = [f"method={','.join(self.arms)}", f"seed={','.join(map(str, SEEDS))}"]
        # Fetched and converted before the clock runs.
        warm = [*fitting(common, "rag"), f"method={self.arms[1]}"]
        self.run([*warm, f"results={self.folder / 'warm'}"], cache_folder())
        together = self.run(
            [*common, *sweep, f"results={self.folder / 'together'}"], self.cache("together")
        )
        apart, overhead, shares = Spent(0.0, 0.0), [], []
        for arm in self.arms:
            for seed in SEEDS:
                name = f"{arm}-{seed}"
                results = self.folder / "apart" / name
                one = [*fitting(common, arm), f"method={arm}", f"seed={seed}"]
                one.append(f"results={results}")
                cache = self.cache(name)
                spent = self.run(one, cache)
                apart = Spent(apart.wall + spent.wall, apart.processor + spent.processor)
                shutil.rmtree(cache)  # links in it are removed, not what they lead to
                seconds, own = cell_overhead(results / "quickstart")
                overhead.append(own)
                shares.append(own / seconds)
                print(f"{name}: {own:.1f} s of {seconds:.1f} s are overhead", file=sys.stderr)
        return [
            self.figure("12 separate runs", apart.wall, "s"),
            self.figure("the same 12 cells as one sweep", together.wall, "s"),
            self.figure("sweep / separate runs", together.wall / apart.wall, "", 0.5),
            self.figure("12 separate runs, processor", apart.processor, "s"),
            self.figure("the same as one sweep, processor", together.processor, "s"),
            self.figure(
                "sweep / separate, processor", together.processor / apart.processor, "", 0.5
            ),
            self.figure(
                "own overhead in the sweep, share of all its cells",
                sweep_overhead(self.folder / "together" / "quickstart"),
                "",
                self._few,
            ),
            self.figure("own overhead of a separate run's cell, median", median(overhead), "s"),
            self.figure("the same, share of the cell, median", median(shares), "", self._few),
            self.figure("the same, share of the cell, largest", max(shares), "", self._few),
        ]

    @property
    def _few(self) -> float | None:
        return 0.03 if self.real else None

    def cached(self, cells: int) -> list[Figure]:
        """A sweep whose artifacts are all there: without rows, and with."""
        seeds = ",".join(map(str, range(-(-cells // 4))))
        arms = ("closed_book", "rag_bm25", "lora", "rag_lora_bm25")
        results = self.folder / "cached"
        sweep = ["-m", "task=fictional", f"method={','.join(arms)}", f"seed={seeds}"]
        sweep += [*self.model, *CACHED, f"results={results}", "cost.energy=none"]
        cache = self.cache("cached")
        first = self.run(sweep, cache).wall
        shutil.rmtree(results)
        stored = self.run(sweep, cache).wall
        rows = read_rows(results / "adhoc" / "runs.csv")
        assert all(row["reused"] for row in rows), "something was not in the store"
        kept = self.run(sweep, cache).wall
        return [
            self.figure(f"{len(rows)} cells, nothing cached", first, "s"),
            self.figure(f"{len(rows)} cells, all in the store, no rows", stored, "s", 60),
            self.figure(f"{len(rows)} cells, rows there too", kept, "s", 60),
        ]

    def figure(self, what: str, value: float, unit: str, limit: float | None = None) -> Figure:
        """One measurement of this model."""
        return Figure("SmolLM2-135M" if self.real else "tiny", what, value, unit, limit)


def fitting(overrides: Sequence[str], arm: str) -> list[str]:
    """The overrides without those of a slot that the arm leaves empty: they would be refused."""
    return [text for text in overrides if "lora" in arm or not text.startswith("adapter.")]


def cell_overhead(experiment: Path) -> tuple[float, float]:
    """Seconds that the only cell of the last command took, and those that were in no phase."""
    journal = latest(experiment)
    assert journal is not None
    (event,) = read(journal).cells.values()
    (row,) = [one for one in read_rows(experiment / "runs.csv") if one["run_id"] == event.run_id]
    assert event.seconds is not None
    return event.seconds, event.seconds - row["spent_seconds"]


def sweep_overhead(experiment: Path) -> float:
    """Share of the cells' time in the last sweep that was in no phase."""
    journal = latest(experiment)
    assert journal is not None
    rows = {row["run_id"]: row for row in read_rows(experiment / "runs.csv")}
    cells = read(journal).cells.values()
    seconds = sum(event.seconds or 0.0 for event in cells)
    return 1 - sum(rows[event.run_id]["spent_seconds"] for event in cells) / seconds


def main() -> int:
    """Measure, print the table, write it; 1 if a limit was passed."""
    parser = argparse.ArgumentParser(description="Time sweeps.")
    parser.add_argument("--real", action="store_true", help="SmolLM2-135M and MiniLM")
    parser.add_argument("--folder", type=Path, help="where to work; kept")
    parser.add_argument("--cells", type=int, default=100, help="of the cached sweep")
    parser.add_argument("--only", choices=("grid", "cached"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench((options.folder or Path(temporary)).resolve(), options.real)
        if not options.real:
            sys.path.insert(0, str(ROOT))
            from tests.conftest import make_tiny_model

            make_tiny_model(bench.folder / "model", chat=True)
        figures = []
        if options.only != "cached":
            figures += bench.grid()
        if options.only != "grid":
            figures += bench.cached(options.cells)
    keep(figures)
    print("| model | what | measured | at most | |\n|---|---|---:|---:|---|")
    for one in figures:
        limit = "" if one.limit is None else f"{one.limit:g} {one.unit}"
        verdict = "" if one.limit is None else ("MISSED" if one.missed else "met")
        print(f"| {one.model} | {one.what} | {one.value:.3g} {one.unit} | {limit} | {verdict} |")
    return int(any(one.missed for one in figures))


def keep(figures: Sequence[Figure]) -> None:
    """Write the figures, in place of older ones of the same."""
    names = [one.name for one in fields(Figure)]
    lines = [list(map(str, astuple(one))) for one in figures]
    new = {tuple(line[:2]) for line in lines}
    if CSV.exists():
        with CSV.open(encoding="utf-8", newline="") as file:
            lines = [line for line in list(csv.reader(file))[1:] if tuple(line[:2]) not in new] + (
                lines
            )
    CSV.parent.mkdir(exist_ok=True)
    with CSV.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([names, *lines])


if __name__ == "__main__":
    sys.exit(main())
