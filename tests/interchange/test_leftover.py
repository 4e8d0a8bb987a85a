import math

from harness.interchange.leftover import Leftover, finite, leaves


def test_what_is_taken_goes_and_the_rest_stays_as_it_was():
    left = Leftover({"a": {"b": 1, "c": None}, "d": [{"e": "x"}, {}], "f": {"g": 2.5}})
    assert left.take_int("rank", "a", "b") == 1
    assert left.take_text("arm", "d", -2, "e") == "x"
    assert left.take_number("f1", "f", "g") == 2.5
    # The object that was emptied goes; the list keeps its places, and null is kept as null.
    assert left.rest() == {"a": {"c": None}, "d": [{}, {}]}
    assert left.placed == {("a", "b"): "rank", ("d", 0, "e"): "arm", ("f", "g"): "f1"}


def test_a_value_of_the_wrong_type_is_left():
    content = {"n": "3", "t": 4, "b": True, "nan": math.nan, "half": 0.5, "empty": ""}
    left = Leftover(dict(content))
    assert left.take_int("x", "n") is left.take_text("x", "t") is None
    assert left.take_number("x", "b") is left.take_number("x", "nan") is None
    assert left.take_int("x", "half") is left.take_text("x", "empty") is None
    assert left.take_text("x", "t", "deeper") is left.take_text("x", "none") is None
    assert left.placed == {}
    assert left.rest() == {**content, "nan": "NaN"}
    assert left.not_finite() == ["nan"]


def test_an_object_is_taken_whole_with_all_its_leaves():
    left = Leftover({"row": {"versions": {"f1": 1, "more": {"x": 2}}}})
    assert left.take_object("metric_versions", "row", "versions") == {"f1": 1, "more": {"x": 2}}
    assert set(left.placed) == {
        ("row", "versions", "f1"),
        ("row", "versions", "more", "x"),
    }
    assert left.rest() == {}


def test_empty_objects_are_leaves_and_infinite_numbers_become_text():
    assert dict(leaves({"a": {}, "b": [[], 1]})) == {("a",): {}, ("b", 0): [], ("b", 1): 1}
    assert finite([math.inf, {"x": -math.inf}]) == ["Infinity", {"x": "-Infinity"}]
