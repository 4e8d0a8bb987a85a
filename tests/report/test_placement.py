"""Names beside points: none over a point, none over another."""

from __future__ import annotations

from harness.report.placement import PLACES, place_names, text_width

SIZE = (500.0, 300.0)


def boxes(points, names, places):
    found = []
    for (x, y), name, place in zip(points, names, places, strict=True):
        left = x * SIZE[0] + place.dx
        left -= {"left": 0, "right": text_width(name), "center": text_width(name) / 2}[place.align]
        top = (1 - y) * SIZE[1] + place.dy - 6
        found.append((left, top, left + text_width(name), top + 12))
    return found


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_a_lone_name_stands_to_the_right_of_its_point():
    assert place_names([(0.5, 0.5)], ["rag"], [], [SIZE]) == [PLACES[0]]


def test_a_name_at_the_right_edge_turns_to_the_left():
    assert place_names([(0.99, 0.5)], ["closed_book"], [], [SIZE]) == [PLACES[1]]


def test_names_of_close_points_do_not_overlap():
    points = [(0.5, 0.5), (0.53, 0.5), (0.5, 0.56), (0.48, 0.45)]
    names = ["rag", "lora", "rag_lora", "closed_book"]
    places = place_names(points, names, [], [SIZE])
    assert None not in places
    found = boxes(points, names, places)
    marks = [(x * 500 - 8, (1 - y) * 300 - 8, x * 500 + 8, (1 - y) * 300 + 8) for x, y in points]
    for position, box in enumerate(found):
        assert not any(overlap(box, other) for other in found[position + 1 :])
        assert not any(overlap(box, mark) for mark in marks)


def test_a_name_that_fits_nowhere_has_no_place():
    crowd = [(0.5, 0.5)] * 20
    places = place_names(crowd, ["a rather long name"] * 20, [], [SIZE])
    assert 0 < places.count(None) < 20


def test_a_line_is_avoided_if_there_is_room():
    # A line to the right of the point, at its height.
    assert place_names([(0.5, 0.5)], ["rag"], [(0.5, 0.5, 1.0, 0.5)], [SIZE])[0] == PLACES[1]


def test_letters_of_double_width_take_more_room():
    assert text_width("語語語") > text_width("abc")
