"""What a comparison found: arms, contrasts, tests and their families, as plain data.

Everything that prints or draws a comparison reads these and computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

THESE_WEIGHTS = "these trained weights"
OVER_SEEDS = "the method over seeds"
ESTIMANDS = {
    THESE_WEIGHTS: "questions are a sample, the weights are given; says nothing of other seeds",
    OVER_SEEDS: "questions and seeds are samples; needs three seeds or more",
}

BETTER, WORSE = "better", "worse"
HIGHER, LOWER = "higher", "lower"
EQUIVALENT = "equivalent"
NOT_SHOWN = "no difference shown"
NOT_TESTED = "not tested"
VERDICTS = (BETTER, WORSE, HIGHER, LOWER, EQUIVALENT, NOT_SHOWN, NOT_TESTED)
"""What is said of an arm against its baseline; higher and lower where no direction is known."""

PRIMARY, SECONDARY = "primary", "secondary"


@dataclass(frozen=True)
class ArmSummary:
    """One arm of the comparison.

    Attributes:
        label: names it in every table; unique.
        run_ids: of the runs that count, one a seed, in order of seed.
        seeds: their seeds.
        replicates: how many of them are measurements of their own (a frozen arm: 1).
        failed: run ids of failed runs: shown, never averaged in.
        settings: the columns in which this arm differs from others, as text.
    """

    label: str
    arm: str
    experiment: str
    task: str
    model: str
    folder: str
    run_ids: tuple[str, ...]
    seeds: tuple[int | None, ...]
    replicates: int
    questions: int | None
    failed: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    frozen: bool = False


@dataclass(frozen=True)
class Contrast:
    """An arm against its baseline; differences are arm − baseline.

    Attributes:
        refused: why the two cannot be compared at all; "" if they can.
        marks: what a reader must know: another corpus, other settings, another device, …
    """

    baseline: str
    arm: str
    refused: str = ""
    marks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.arm} − {self.baseline}"


@dataclass(frozen=True)
class Tested:
    """One measure of one contrast under one estimand.

    Attributes:
        higher_is_better: None where no direction is known.
        baseline_value, arm_value: means over the questions (and seeds) that were compared.
        difference: arm_value − baseline_value.
        low, high: interval at ``confidence``, which is the level at which Holm's procedure
            tested it, so that it holds 0 exactly where the verdict is "no difference shown". None
            where there is none.
        p, p_adjusted: two-sided, of no difference; adjusted within ``family``.
        smallest_effect: the smallest difference that would have been shown with 80 % power.
        equivalent: whether the interval lies within ± margin; None without a margin.
        n, clusters: questions and entities compared.
        baseline_seeds, arm_seeds: replicates averaged.
        paired: whether both arms' scores of the same questions were set against each other.
        reason: why it was not tested; "" if it was.
    """

    contrast: Contrast
    measure: str
    unit: str
    higher_is_better: bool | None
    estimand: str
    family: str
    baseline_value: float | None
    arm_value: float | None
    difference: float | None
    verdict: str
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    smallest_effect: float | None = None
    margin: float | None = None
    equivalent: bool | None = None
    n: int | None = None
    clusters: int | None = None
    baseline_seeds: int = 1
    arm_seeds: int = 1
    paired: bool = True
    method: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """The verdict as it is printed, with what could have been seen or why nothing is said."""
        if self.verdict == NOT_SHOWN and self.smallest_effect is not None:
            return f"{NOT_SHOWN} (could have seen ≥ {self.smallest_effect:.3g})"
        if self.verdict == NOT_TESTED and self.reason:
            return f"{NOT_TESTED}: {self.reason}"
        if self.equivalent and self.verdict in (BETTER, WORSE, HIGHER, LOWER):
            return f"{self.verdict}, but within the margin of {self.margin:g}"
        return self.verdict


@dataclass(frozen=True)
class Bucket:
    """The effect among the questions of one bucket (a 95 % interval, not adjusted)."""

    value: str
    baseline_value: float
    arm_value: float
    difference: float
    low: float | None
    high: float | None
    n: int
    clusters: int


@dataclass(frozen=True)
class ByBucket:
    """The effect in each bucket of one column, and whether it differs between them.

    Attributes:
        p: of equal effects in all buckets (interaction); None where it cannot be tested.
        p_adjusted: Holm-adjusted over the interactions that were tested.
        left_out: questions without a value of the column.
        beyond: questions of buckets that are too many to be shown; not in the test either.
    """

    contrast: Contrast
    measure: str
    column: str
    buckets: tuple[Bucket, ...]
    p: float | None
    p_adjusted: float | None
    method: str
    left_out: int = 0
    beyond: int = 0

    @property
    def not_shown(self) -> tuple[str, ...]:
        """What is said of the questions that stand in no bucket shown, one phrase a kind."""
        found = []
        if self.left_out:
            found.append(f"{_questions(self.left_out)} without a value of {self.column}")
        if self.beyond:
            found.append(
                f"{_questions(self.beyond)} of buckets beyond the {len(self.buckets)} shown"
            )
        return tuple(found)


@dataclass(frozen=True)
class Family:
    """The tests over which verdicts are adjusted together.

    Attributes:
        members: the tests by name.
        each_measure: whether each measure's contrasts are a family by themselves: so it is for all
            measures that nobody declared primary, which answer questions of their own.
    """

    name: str
    estimand: str
    members: tuple[str, ...]
    alpha: float
    each_measure: bool = False


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found.

    Attributes:
        problems: one line each: what was left out, and why.
        costs: results of cost measures, which are figures of a run rather than of a question.
    """

    arms: tuple[ArmSummary, ...]
    contrasts: tuple[Contrast, ...]
    results: tuple[Tested, ...]
    costs: tuple[Tested, ...]
    families: tuple[Family, ...]
    primary: tuple[str, ...]
    alpha: float
    by: tuple[ByBucket, ...] = ()
    problems: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def _questions(count: int) -> str:
    return f"{count:,} question{'' if count == 1 else 's'}"
