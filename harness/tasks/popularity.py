"""Popularity bins, so that accuracy can be told for well-known and little-known entities apart."""

from __future__ import annotations

from collections.abc import Sequence

BUCKETS = ("low", "middle", "high")


def tercile_buckets(values: Sequence[float | None]) -> list[str]:
    """The bucket of each value: "low", "middle" or "high" by rank; "" where the value is unknown.

    The bins hold equal counts as far as equal values, which always share a bin, allow it.
    """
    known = sorted(value for value in values if value is not None)
    if not known:
        return ["" for _ in values]
    first_rank = {value: rank for rank, value in reversed(list(enumerate(known)))}
    return [
        "" if value is None else BUCKETS[3 * first_rank[value] // len(known)] for value in values
    ]
