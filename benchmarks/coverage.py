"""How often the intervals of ``harness compare`` hold the truth, by simulated studies.

    python benchmarks/coverage.py [--studies 2000] [--workers 2] [--out benchmarks/results]

Each study draws questions (in clusters, with effects of cluster, question, arm × question and
question × seed) and training seeds from a known population, so that the true difference is known in
closed form; then the functions of ``harness.compare.estimate`` are asked. A cell is a population, a
number of questions and of seeds. Of each cell: the share of studies whose 95 % interval holds the
truth and, where the arms are equal, the share that calls a difference, both with a Wilson interval.

The model: a latent normal score of question q in cluster c under arm a and seed s is
mu_a + C_c + Q_q + B_ac + A_aq + V_as + W_aqs; a 0/1 measure is 1 where it is above 0, a graded one
counts how many of four thresholds it passes. Given the seeds, E = Phi((mu + V - t) / sd) for a
threshold t. An unbounded measure (a loss, say) is exp(latent / 4), whose mean is known as well.

B, by which an arm is better at some entities than at others, makes differences alike within one.
Clusters are of one size, or skewed: the k-th has a fifth of the questions divided by k.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from harness.compare.estimate import Estimate, Matrix, over_seeds, these_weights
from harness.progress import track

SD = {"cluster": 0.7, "question": 0.7, "arm × question": 0.5, "question × seed": 0.6}
TOTAL = math.sqrt(sum(value**2 for value in SD.values()))
SKEWED = -1
"""A cluster size that stands for clusters of very different size."""
LOSS_SCALE = 0.25
THRESHOLDS = {"0/1": (0.0,), "graded": (0.0, 0.3, 0.6, 0.9)}
CONFIDENCE = 0.95
CONFIRM = 10
"""How many times the studies a cell gets that looks significantly off."""


@dataclass(frozen=True)
class Cell:
    """One population and size of study.

    Attributes:
        estimand: "weights" or "seeds".
        measure: "0/1" or "graded" (many ties at its five values).
        base, effect: share correct of the baseline, and how much more the arm has.
        cluster_size: questions that share an entity; ``SKEWED``: it differs.
        seed_sd: latent spread between seeds; against 1.26 for all the rest.
        frozen: whether the baseline is frozen (one replicate, no spread between seeds).
        arm_cluster_sd: latent spread of arm × cluster.
    """

    estimand: str
    measure: str
    base: float
    effect: float
    n: int
    cluster_size: int
    seeds: int
    seed_sd: float
    frozen: bool
    arm_cluster_sd: float = field(default=0.0, repr=False)

    def seed(self) -> int:
        """Of the cell's random numbers."""
        name = repr(self) + (f" {self.arm_cluster_sd}" if self.arm_cluster_sd else "")
        return zlib.crc32(name.encode())


@dataclass(frozen=True)
class Found:
    """What the studies of a cell gave; rates with Wilson intervals."""

    studies: int
    coverage: float
    coverage_low: float
    coverage_high: float
    significantly_below: bool
    false_verdicts: float | None
    false_low: float | None
    false_high: float | None
    significantly_above: bool
    width: float
    percentile_bootstrap: float | None


def cells() -> Iterator[Cell]:
    """Every population: middling, near the ceiling and at it; with and without clusters."""
    rates = ((0.5, 0.0), (0.5, 0.2), (0.9, 0.08), (0.97, 0.0), (0.97, 0.02))
    sizes = (50, 200, 1000)
    for measure, (base, effect), n, size, seeds in itertools.product(
        THRESHOLDS, rates, sizes, (1, 3, 10), (1, 3, 5)
    ):
        # Equal weights have equal means; a spread between seeds would make them differ in truth.
        yield Cell("weights", measure, base, effect, n, size, seeds, 0.0, frozen=False)
    for measure, (base, effect), n, size, seeds, spread, frozen in itertools.product(
        THRESHOLDS, rates, sizes, (1, 3, 10), (3, 5), (0.05, 0.3), (True, False)
    ):
        yield Cell("seeds", measure, base, effect, n, size, seeds, spread, frozen)
    # Arms that differ by entity; clusters of one size and of very different ones.
    for measure, (base, effect), n, size, seeds in itertools.product(
        THRESHOLDS, rates, sizes, (3, 10, SKEWED), (1, 3)
    ):
        yield Cell("weights", measure, base, effect, n, size, seeds, 0.0, False, 0.5)
        if seeds == 3:
            yield Cell("seeds", measure, base, effect, n, size, seeds, 0.3, True, 0.5)
    for (base, effect), n, size, seeds in itertools.product(
        ((1.0, 0.0), (1.0, 0.1)), sizes, (1, 3, SKEWED), (1, 3)
    ):
        yield Cell("weights", "loss", base, effect, n, size, seeds, 0.0, False, 0.5)


def study(cell: Cell, rng: np.random.Generator) -> tuple[Matrix, Matrix, NDArray[np.int64], float]:
    """Scores of baseline and arm, clusters, and the true difference of the cell's estimand."""
    ids = _clusters(cell)
    shared = rng.normal(0, SD["cluster"], ids[-1] + 1)[ids] + rng.normal(0, SD["question"], cell.n)
    scores, truths = [], []
    for rate, frozen in ((cell.base, cell.frozen), (cell.base + cell.effect, False)):
        replicates = 1 if frozen else cell.seeds
        spread = 0.0 if frozen else cell.seed_sd
        within = math.hypot(TOTAL, cell.arm_cluster_sd)
        over_all = math.hypot(within, spread)
        mu = _mean_for(rate, cell.measure, over_all)
        seeds = rng.normal(0, 1, replicates) * spread
        own = mu + shared + rng.normal(0, SD["arm × question"], cell.n)
        if cell.arm_cluster_sd:
            own = own + rng.normal(0, cell.arm_cluster_sd, ids[-1] + 1)[ids]
        latent = own[:, None] + seeds + rng.normal(0, SD["question × seed"], (cell.n, replicates))
        if cell.measure == "loss":
            scores.append(np.exp(LOSS_SCALE * latent))
            truths.append(rate)
            continue
        cuts = np.array(THRESHOLDS[cell.measure])
        scores.append(np.mean([latent > cut for cut in cuts], axis=0))
        if cell.estimand == "weights":
            truths.append(float(np.mean(ndtr((mu + seeds[:, None] - cuts) / within))))
        else:
            truths.append(float(np.mean(ndtr((mu - cuts) / over_all))))
    return scores[0], scores[1], ids, truths[1] - truths[0]


def _clusters(cell: Cell) -> NDArray[np.int64]:
    """The cluster of each question."""
    if cell.cluster_size != SKEWED:
        return np.arange(cell.n) // cell.cluster_size
    sizes: list[int] = []
    while sum(sizes) < cell.n:
        sizes.append(min(max(1, round(cell.n / 5 / (len(sizes) + 1))), cell.n - sum(sizes)))
    return np.repeat(np.arange(len(sizes)), sizes)


def _mean_for(rate: float, measure: str, spread: float) -> float:
    """The latent mean whose expected score is ``rate``."""
    from scipy.optimize import brentq

    if measure == "loss":  # of a log-normal value
        return math.log(rate) / LOSS_SCALE - LOSS_SCALE * spread**2 / 2
    if len(THRESHOLDS[measure]) == 1:
        return float(ndtri(rate) * spread)
    cuts = np.array(THRESHOLDS[measure])
    return float(brentq(lambda mu: np.mean(ndtr((mu - cuts) / spread)) - rate, -20, 20))


def run(cell: Cell, studies: int, resamples: int) -> Found:
    """The rates of one cell; the same for the same cell, whatever ran before it."""
    rng = np.random.default_rng(cell.seed())
    ask = _asker(cell)
    held = called = 0
    widths, bootstrap = [], []
    for number in range(studies):
        baseline, arm, ids, truth = study(cell, rng)
        estimate = ask(baseline, arm, ids)
        low, high = estimate.interval(CONFIDENCE)
        held += low <= truth <= high
        called += estimate.p <= 1 - CONFIDENCE
        widths.append(high - low)
        if resamples and number < studies // 4:
            low, high = percentile_bootstrap(arm.mean(1) - baseline.mean(1), ids, resamples, rng)
            bootstrap.append(low <= truth <= high)
    low, high = proportion_confint(held, studies, method="wilson")
    equal = cell.effect == 0
    false_low, false_high = proportion_confint(called, studies, method="wilson")
    return Found(
        studies=studies,
        coverage=held / studies,
        coverage_low=low,
        coverage_high=high,
        significantly_below=bool(binom.cdf(held, studies, CONFIDENCE) < 0.05),
        false_verdicts=called / studies if equal else None,
        false_low=false_low if equal else None,
        false_high=false_high if equal else None,
        significantly_above=bool(equal and binom.sf(called - 1, studies, 1 - CONFIDENCE) < 0.05),
        width=float(np.mean(widths)),
        percentile_bootstrap=float(np.mean(bootstrap)) if bootstrap else None,
    )


def _asker(cell: Cell) -> Callable[[Matrix, Matrix, NDArray[np.int64]], Estimate]:
    alone = cell.cluster_size == 1

    def weights(baseline: Matrix, arm: Matrix, ids: NDArray[np.int64]) -> Estimate:
        return these_weights(baseline, arm, None if alone else ids, cell.measure != "loss")

    def seeds(baseline: Matrix, arm: Matrix, ids: NDArray[np.int64]) -> Estimate:
        clusters = None if alone else ids
        found = over_seeds(baseline, arm, clusters, True, baseline_frozen=cell.frozen)
        assert isinstance(found, Estimate), found
        return found

    return weights if cell.estimand == "weights" else seeds


def percentile_bootstrap(
    d: NDArray[np.float64], ids: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """What most tools print, for comparison: clusters resampled, the middle 95 % of the means."""
    sums, sizes = np.bincount(ids, weights=d), np.bincount(ids)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
    means = (drawn @ sums) / (drawn @ sizes)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _job(task: tuple[Cell, int, int]) -> tuple[Cell, Found]:
    cell, studies, resamples = task
    found = run(cell, studies, resamples)
    # Of cells that hold exactly 95 % one in twenty looks significant: more studies tell.
    return cell, confirmed(cell, found)


def confirmed(cell: Cell, found: Found) -> Found:
    """The same, from ten times the studies if anything was significant."""
    if not (found.significantly_below or found.significantly_above):
        return found
    again = run(cell, found.studies * CONFIRM, 0)
    return replace(again, percentile_bootstrap=found.percentile_bootstrap)


def main() -> None:
    """Run every cell, write coverage.csv, print the summary table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "coverage.csv"
    results = _finished(path, options.studies)
    done = {cell for cell, _ in results}
    # The bootstrap is only for comparison, and dear: small studies, where it matters.
    tasks = [
        (cell, options.studies, 2000 if cell.n == 50 else 0) for cell in cells() if cell not in done
    ]
    names = [one.name for kind in (Cell, Found) for one in fields(kind)]
    with ProcessPoolExecutor(options.workers) as pool, path.open("w", newline="") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        table.writerows(_cells(asdict(cell) | asdict(found)) for cell, found in results)
        for cell, found in track(pool.map(_job, tasks, chunksize=4), "cells", total=len(tasks)):
            results.append((cell, found))
            table.writerow(_cells(asdict(cell) | asdict(found)))
            file.flush()
    print(markdown(results))


def _finished(path: Path, studies: int) -> list[tuple[Cell, Found]]:
    """The cells that an earlier run of as many studies finished: it goes on after them."""
    if not path.exists():
        return []
    import pandas as pd

    frame = pd.read_csv(path)
    frame = (
        frame[frame["studies"].isin((studies, studies * CONFIRM))]
        .astype(object)
        .where(frame.notna(), None)
    )
    kept = []
    for row in frame.to_dict("records"):
        parts = [
            {one.name: row[one.name] for one in fields(kind) if one.name in row}
            for kind in (Cell, Found)
        ]
        found = Found(**parts[1])
        if found.studies == studies and (found.significantly_below or found.significantly_above):
            continue  # to be confirmed
        kept.append((Cell(**parts[0]), found))
    return kept


def _cells(row: dict[str, object]) -> dict[str, object]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}


def markdown(results: list[tuple[Cell, Found]]) -> str:
    """The summary: one line for each estimand, number of questions and of seeds."""
    lines = [
        "| estimand | n | seeds | populations | coverage: lowest, median "
        "| significantly below 95 % | below 93.5 % | false verdicts on equal arms: highest, median "
        "| significantly above 5 % | percentile bootstrap: lowest, median |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, int, int], list[Found]] = {}
    for cell, found in results:
        what = cell.estimand
        if cell.measure == "loss":
            what += ", unbounded"
        elif cell.arm_cluster_sd:
            what += ", arms differ by entity"
            what += ", skewed clusters" if cell.cluster_size == SKEWED else ""
        groups.setdefault((what, cell.n, cell.seeds), []).append(found)
    for (estimand, n, seeds), group in sorted(groups.items()):
        covered = [one.coverage for one in group]
        false = [one.false_verdicts for one in group if one.false_verdicts is not None]
        boot = [one.percentile_bootstrap for one in group if one.percentile_bootstrap is not None]
        lines.append(
            f"| {estimand} | {n} | {seeds} | {len(group)} "
            f"| {min(covered):.3f}, {np.median(covered):.3f} "
            f"| {sum(one.significantly_below for one in group)} "
            f"| {sum(one.coverage < 0.935 for one in group)} "
            f"| {max(false):.3f}, {np.median(false):.3f} "
            f"| {sum(one.significantly_above for one in group)} "
            f"| {f'{min(boot):.3f}, {np.median(boot):.3f}' if boot else '–'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
