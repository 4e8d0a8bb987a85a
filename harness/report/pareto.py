"""The Pareto front: what nothing else beats in one respect without losing in another."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = Sequence[float | None]


def front(points: Sequence[Point], higher_is_better: Sequence[bool]) -> list[int]:
    """The positions, ascending, of the points that no other point dominates.

    A point dominates another if it is at least as good on every axis and better on one; so equal
    points are on the front together. A point with a missing value (None, NaN, infinite) is neither
    on the front nor dominates.

    Args:
        higher_is_better: a direction for each axis.
    """
    if any(len(point) != len(higher_is_better) for point in points):
        raise ValueError(f"each point needs {len(higher_is_better)} values, one for each axis")
    known = {
        position: [
            value if higher else -value
            for value, higher in zip(point, higher_is_better, strict=True)
            if value is not None
        ]
        for position, point in enumerate(points)
        if all(value is not None and math.isfinite(value) for value in point)
    }
    return [
        position
        for position, mine in known.items()
        if not any(_dominates(other, mine) for other in known.values())
    ]


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    pairs = list(zip(a, b, strict=True))
    return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)
