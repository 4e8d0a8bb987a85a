"""The effect in each bucket of a column of the predictions, and whether it differs between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.compare.align import Aligned
from harness.compare.entries import Side, weights_estimate
from harness.compare.estimate import Estimate
from harness.compare.interaction import interaction
from harness.compare.measured import Known
from harness.compare.result import Bucket, ByBucket
from harness.compare.scorebook import Numbers, Scored
from harness.errors import ConfigError, suggestion

MOST_BUCKETS = 30
MOST_VALUES = 10
"""A column with more different numbers is cut into terciles."""

TERCILES = ("low", "middle", "high")
CONFIDENCE = 0.95
STORED = {"popularity": "bucket"}
"""A number -> the column in which the task names its bucket."""

AS_STORED = "buckets as the task stored them"

NOT_COLUMNS = ("question_id", "metrics")


@dataclass(frozen=True)
class Bucketed:
    """The bucket of each question of an arm.

    Attributes:
        codes: position in ``order``; -1 for none.
        order: the names of the buckets.
        made: how they were made, if not by the column's own values.
    """

    codes: Numbers
    order: tuple[str, ...]
    made: str = ""


def needed(columns: Sequence[str]) -> list[str]:
    """The fields of the predictions that the buckets of ``columns`` are made from."""
    return list(
        dict.fromkeys(
            name for column in columns for name in (column, STORED.get(column)) if name is not None
        )
    )


def check_columns(columns: Sequence[str], there: Sequence[str]) -> None:
    """Check that each column is a field of the predictions.

    Raises:
        ConfigError: it is not.
    """
    usable = [name for name in there if name not in NOT_COLUMNS]
    for column in columns:
        if column not in usable:
            raise ConfigError(
                f"--by: the predictions have no column '{column}'{suggestion(column, usable)}; "
                f"they have: {', '.join(usable) or 'none, since there are no predictions'}"
            )


def bucketed(scored: Scored, column: str) -> Bucketed:
    """The bucket of each question: a stored one, a value, or a tercile of a number.

    Raises:
        ConfigError: the column holds lists or objects.
    """
    values = scored.columns[column]
    stored = scored.columns.get(STORED.get(column, ""))
    made = ""
    if stored is not None and any(stored):
        values, made = stored, AS_STORED
    if any(isinstance(value, list | dict) for value in values):
        raise ConfigError(f"--by: column '{column}' holds lists, which make no buckets")
    numbers = [value for value in values if _is_number(value)]
    if len(set(numbers)) > MOST_VALUES and all(
        _is_number(value) or _is_empty(value) for value in values
    ):
        return _terciles(values)
    present = sorted((v for v in dict.fromkeys(values) if not _is_empty(v)), key=_rank)
    order = tuple(dict.fromkeys(map(_text, present)))
    place = {value: order.index(_text(value)) for value in present}
    return Bucketed(
        np.array([place.get(value, -1) for value in values], dtype=np.int64), order, made
    )


def by_bucket(
    side: Side, measure: Known, column: str, buckets: Bucketed | None, seed: int
) -> tuple[ByBucket | None, list[str]]:
    """The effect in each bucket, for these trained weights; and what was left out.

    None where the arms have no scores of the same questions. ``buckets`` are those of the
    baseline's questions; None where it has no predictions.
    """
    where = f"{measure.name} by {column}, {side.contrast.name}"
    if side.answers is None or buckets is None:
        return None, [f"{where}: not split, since an arm has no predictions"]
    aligned = side.answers.scores(measure.name)
    if isinstance(aligned, str):
        return None, [f"{where}: not split, since {aligned}"]
    codes = buckets.codes[aligned.rows]
    if not (codes >= 0).any():
        return None, [f"{where}: not split, since no question has a value of {column}"]
    problems = []
    if _other_values(side, column):
        problems.append(f"{where}: {column} differs between the arms; that of the baseline counts")
    counts = np.bincount(codes[codes >= 0], minlength=len(buckets.order))
    there = np.flatnonzero(counts)
    kept = np.sort(there[np.argsort(-counts[there], kind="stable")][:MOST_BUCKETS])
    if len(kept) < len(there):
        problems.append(
            f"{where}: {len(there) - len(kept)} of {len(there)} buckets are left out; the "
            f"{MOST_BUCKETS} with most questions are shown"
        )
    inside = np.isin(codes, kept)
    p, method = _interaction(aligned, codes, inside, seed)
    found = ByBucket(
        contrast=side.contrast,
        measure=measure.name,
        column=column,
        buckets=tuple(
            _bucket(measure, aligned, codes == code, buckets.order[code]) for code in kept
        ),
        p=p,
        p_adjusted=None,
        method=f"{method}; {buckets.made}" if buckets.made else method,
        left_out=int((codes < 0).sum()),
        beyond=int((~inside & (codes >= 0)).sum()),
    )
    return found, problems


def adjusted(found: Sequence[ByBucket]) -> tuple[ByBucket, ...]:
    """The same with p-values adjusted (Holm) over all interactions that were tested."""
    tested = [one.p for one in found if one.p is not None]
    if not tested:
        return tuple(found)
    from statsmodels.stats.multitest import multipletests

    values = iter(multipletests(tested, method="holm")[1])
    return tuple(
        one if one.p is None else replace(one, p_adjusted=float(next(values))) for one in found
    )


def _bucket(measure: Known, aligned: Aligned, inside: NDArray[np.bool_], name: str) -> Bucket:
    part = Aligned(
        aligned.baseline[inside],
        aligned.arm[inside],
        None
        if aligned.clusters is None
        else np.unique(aligned.clusters[inside], return_inverse=True)[1],
        aligned.rows[inside],
    )
    n = len(part.rows)
    clusters = n if part.clusters is None else int(part.clusters.max()) + 1
    estimate = weights_estimate(measure, part)
    low, high = estimate.interval(CONFIDENCE) if isinstance(estimate, Estimate) else (None, None)
    ours, theirs = float(part.baseline.mean()), float(part.arm.mean())
    return Bucket(name, ours, theirs, theirs - ours, low, high, n, clusters)


def _interaction(
    aligned: Aligned, codes: Numbers, inside: NDArray[np.bool_], seed: int
) -> tuple[float | None, str]:
    difference = aligned.arm.mean(axis=1) - aligned.baseline.mean(axis=1)
    clusters = None if aligned.clusters is None else aligned.clusters[inside]
    return interaction(difference[inside], [str(code) for code in codes[inside]], clusters, seed)


def _terciles(values: Sequence[object]) -> Bucketed:
    numbers = np.array([float(v) if _is_number(v) else np.nan for v in values])  # type: ignore[arg-type]
    low, high = np.nanquantile(numbers, [1 / 3, 2 / 3])
    codes = (numbers > low).astype(np.int64) + (numbers > high)
    codes[np.isnan(numbers)] = -1
    return Bucketed(codes, TERCILES, f"terciles, cut at {low:g} and {high:g}")


def _other_values(side: Side, column: str) -> bool:
    """Whether the arms' predictions put some question into other buckets."""
    assert side.answers is not None
    for name in needed([column]):
        ours = side.answers.baseline.columns.get(name)
        theirs = side.answers.arm.columns.get(name)
        if ours is None or theirs is None or ours == theirs:
            continue
        pairs = zip(side.answers.left, side.answers.right, strict=True)
        if any(ours[i] != theirs[j] for i, j in pairs):
            return True
    return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value != value  # noqa: PLR0124


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # Not rounded: two values must not become one bucket.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _rank(value: object) -> tuple[int, float, str]:
    """Low, middle, high; then numbers by value; then text by alphabet."""
    if value in TERCILES:
        return 0, TERCILES.index(str(value)), ""
    if _is_number(value):
        return 1, float(value), ""  # type: ignore[arg-type]
    return 2, 0.0, str(value)
