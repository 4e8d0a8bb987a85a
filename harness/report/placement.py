"""Where the name of each point goes, so that names cover neither points nor one another."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

LETTER_WIDTH, WIDE_LETTER_WIDTH, LETTER_HEIGHT = 6.7, 12.5, 13.0
"""Pixels of 12-pixel text, with a little room."""

POINT = 9.0
"""Half the side of a point's mark and its ring, in pixels."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; in pixels from the plot's upper left corner."""


@dataclass(frozen=True)
class Place:
    """A name's place: its distance from the point in pixels, and which end of it is there."""

    dx: int
    dy: int
    align: Literal["left", "center", "right"]


PLACES = (
    Place(13, 0, "left"),
    Place(-13, 0, "right"),
    Place(9, -13, "left"),
    Place(9, 14, "left"),
    Place(-9, -13, "right"),
    Place(-9, 14, "right"),
    Place(0, -18, "center"),
    Place(0, 19, "center"),
    Place(12, -27, "left"),
    Place(12, 28, "left"),
    Place(-12, -27, "right"),
    Place(-12, 28, "right"),
)
"""The nearest that is free is taken."""


def place_names(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    lines: Sequence[Box],
    sizes: Sequence[tuple[float, float]],
) -> list[Place | None]:
    """A place for each name; None where every place would cover a point or another name.

    Args:
        points: from (0, 0), the lower left corner, to (1, 1).
        lines: what names should rather not cover either, as boxes in the same fractions.
        sizes: widths and heights in pixels that the plot may have: a place free in all of them is
            preferred, one in the first is needed.
    """
    placed: list[Place | None] = [None] * len(points)
    taken = [_marks(points, size) for size in sizes]
    crossed = [_lines(lines, size) for size in sizes]
    for position in sorted(range(len(points)), key=lambda at: points[at][1], reverse=True):
        boxes = {
            place: [_box(points[position], names[position], place, size) for size in sizes]
            for place in PLACES
        }
        place = placed[position] = _choice(boxes, taken, crossed, sizes)
        for at, box in enumerate(boxes[place] if place else ()):
            taken[at].append(box)
    return placed


def _choice(
    boxes: Mapping[Place, Sequence[Box]],
    taken: Sequence[Sequence[Box]],
    crossed: Sequence[Sequence[Box]],
    sizes: Sequence[tuple[float, float]],
) -> Place | None:
    """The nearest place that is free of lines in all sizes, else the best that is to be had."""

    def is_free(place: Place, at: int, lines: bool) -> bool:
        others = [*taken[at], *(crossed[at] if lines else ())]
        return _is_free(boxes[place][at], others, sizes[at])

    everywhere, first = range(len(sizes)), range(1)
    for where, lines in ((everywhere, True), (first, True), (everywhere, False), (first, False)):
        for place in boxes:
            if all(is_free(place, at, lines) for at in where):
                return place
    return None


def text_width(text: str) -> float:
    """About how many pixels wide the text is."""
    return sum(
        WIDE_LETTER_WIDTH if unicodedata.east_asian_width(letter) in "WF" else LETTER_WIDTH
        for letter in text
    )


def _marks(points: Sequence[tuple[float, float]], size: tuple[float, float]) -> list[Box]:
    centres = [(x * size[0], (1 - y) * size[1]) for x, y in points]
    return [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in centres]


def _lines(lines: Sequence[Box], size: tuple[float, float]) -> list[Box]:
    width, height = size
    return [
        (left * width - 2, (1 - top) * height - 2, right * width + 2, (1 - bottom) * height + 2)
        for left, top, right, bottom in lines
    ]


def _box(point: tuple[float, float], name: str, place: Place, size: tuple[float, float]) -> Box:
    long = text_width(name)
    x, y = point[0] * size[0] + place.dx, (1 - point[1]) * size[1] + place.dy
    left = {"left": x, "right": x - long, "center": x - long / 2}[place.align]
    return left, y - LETTER_HEIGHT / 2, left + long, y + LETTER_HEIGHT / 2


def _is_free(box: Box, taken: Sequence[Box], size: tuple[float, float]) -> bool:
    left, top, right, bottom = box
    if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
        return False
    return not any(
        left < other[2] and other[0] < right and top < other[3] and other[1] < bottom
        for other in taken
    )
