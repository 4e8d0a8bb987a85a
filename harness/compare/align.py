"""Two arms' scores of the same questions, set against each other: one row a question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.compare.scorebook import Matrix, Numbers, Scored, picked, positions, taken

WORDING = ("question", "gold")


@dataclass(frozen=True)
class Aligned:
    """One measure of two arms on the same questions, in the same order.

    Attributes:
        rows: position of each question in the ``Scored`` of the baseline.
        clusters: number of each question's entity; None where every question is its own.
    """

    baseline: Matrix
    arm: Matrix
    clusters: Numbers | None
    rows: Numbers
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Two arms and the questions that both answered.

    Attributes:
        left, right: positions of those questions in the baseline and in the arm.
        clusters: number of each question's entity.
    """

    baseline: Scored
    arm: Scored
    left: Numbers
    right: Numbers
    clusters: Numbers

    def scores(self, measure: str) -> Aligned | str:
        """The scores of the questions that have one in every replicate; else why there are none."""
        for scored, which in ((self.baseline, "the baseline"), (self.arm, "the arm")):
            if measure not in scored.measures:
                return f"{which} has no {measure} of single questions"
        ours = taken(self.baseline.measures[measure], self.left)
        theirs = taken(self.arm.measures[measure], self.right)
        one, other = ~np.isnan(ours), ~np.isnan(theirs)
        full = one.all(axis=1) & other.all(axis=1)
        partly = int((one.any(axis=1) | other.any(axis=1)).sum()) - int(full.sum())
        if not full.any():
            return f"no question has {measure} in both arms"
        notes = (f"{_questions(partly)} left out: a run has no {measure} there",) if partly else ()
        if full.all():
            return Aligned(ours, theirs, _shared(self.clusters), self.left, notes)
        clusters = np.unique(self.clusters[full], return_inverse=True)[1]
        return Aligned(ours[full], theirs[full], _shared(clusters), self.left[full], notes)

    def left_out(self, baseline: str, arm: str, what: str = "questions") -> tuple[str, ...]:
        """That only a part of the questions is compared, if so."""
        common = len(self.left)
        ours, theirs = len(self.baseline.ids) - common, len(self.arm.ids) - common
        if not ours and not theirs:
            return ()
        return (f"{common} {what} in common; left out: {ours} of {baseline}, {theirs} of {arm}",)

    def other_wording(self) -> int:
        """How many of the shared questions differ in wording or gold, as far as both say."""
        differ = np.zeros(len(self.left), dtype=bool)
        for name in WORDING:
            if name in self.baseline.columns and name in self.arm.columns:
                ours, theirs = self.baseline.columns[name], self.arm.columns[name]
                differ |= np.fromiter(
                    (
                        ours[i] != theirs[j] and ours[i] is not None and theirs[j] is not None
                        for i, j in zip(self.left, self.right, strict=True)
                    ),
                    dtype=bool,
                    count=len(self.left),
                )
        return int(differ.sum())


def pair(baseline: Scored, arm: Scored) -> Pair | None:
    """The questions that both arms answered, matched by id; None where they share none."""
    if baseline.ids == arm.ids:
        left = right = np.arange(len(baseline.ids))
    else:
        found = positions(arm.ids, baseline.ids)
        left = np.flatnonzero(found >= 0)
        right = found[left]
    if not len(left):
        return None
    # An imported file may know no entities; then those of the other arm hold for both.
    known = baseline if any(baseline.clusters) or not any(arm.clusters) else arm
    return Pair(
        baseline, arm, left, right, _numbered(known.clusters, left if known is baseline else right)
    )


def unharmed(other: Scored) -> Scored:
    """The harm of an arm with frozen weights on the items of another: 0, by construction."""
    nothing = {name: np.zeros((len(other.ids), 1)) for name in other.measures}
    return Scored(other.ids, other.clusters, nothing, (None,))


def _numbered(clusters: list[str], rows: Numbers) -> Numbers:
    """The number of each question's entity; one of its own where it has none."""
    import pandas as pd

    names = np.asarray(picked(clusters, rows), dtype=object)
    numbers = pd.factorize(names)[0].astype(np.int64)
    alone = names == ""
    numbers[alone] = len(names) + np.arange(int(alone.sum()))
    return np.asarray(pd.factorize(numbers)[0], dtype=np.int64)


def _shared(clusters: Numbers) -> Numbers | None:
    return None if int(clusters.max()) + 1 == len(clusters) else clusters


def _questions(count: int) -> str:
    return f"{count} question{'' if count == 1 else 's'}"
