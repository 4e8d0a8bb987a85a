from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.compare.align import Aligned, pair, unharmed
from harness.compare.scorebook import Scored

NAN = float("nan")


def scored(ids: str, values: Any, clusters: list[str] | None = None, **columns: Any) -> Scored:
    matrix = np.array(values, dtype=float).reshape(len(ids), -1)
    seeds = tuple(range(matrix.shape[1]))
    return Scored(list(ids), clusters or [""] * len(ids), {"f1": matrix}, seeds, columns)


def aligned(baseline: Scored, arm: Scored) -> Aligned:
    found = pair(baseline, arm)
    assert found is not None
    scores = found.scores("f1")
    assert isinstance(scores, Aligned)
    return scores


def test_questions_are_matched_by_id_in_the_order_of_the_baseline():
    found = aligned(scored("abc", [1, 2, 3]), scored("cab", [30, 10, 20]))
    assert found.baseline[:, 0].tolist() == [1, 2, 3]
    assert found.arm[:, 0].tolist() == [10, 20, 30]
    assert found.clusters is None


def test_only_shared_questions_are_compared_and_the_others_counted():
    found = pair(scored("abcd", [1, 2, 3, 4]), scored("xdb", [0, 40, 20]))
    assert found is not None
    assert found.left_out("base", "arm") == (
        "2 questions in common; left out: 2 of base, 1 of arm",
    )
    scores = found.scores("f1")
    assert isinstance(scores, Aligned)
    assert (scores.baseline[:, 0].tolist(), scores.arm[:, 0].tolist()) == ([2, 4], [20, 40])
    assert scores.rows.tolist() == [1, 3]


def test_no_question_in_common_is_no_pair():
    assert pair(scored("ab", [1, 2]), scored("cd", [1, 2])) is None


def test_a_question_without_a_score_on_one_side_is_left_out_and_counted():
    found = aligned(
        scored("abcd", [[1, 1], [0, NAN], [NAN, NAN], [1, 0]]), scored("abcd", [0, 1, NAN, NAN])
    )
    assert found.baseline.tolist() == [[1, 1]]
    assert found.arm.tolist() == [[0]]
    # c has a score nowhere: the measure does not apply there, and nothing is missing.
    assert found.notes == ("2 questions left out: a run has no f1 there",)


def test_a_measure_that_one_arm_lacks_is_said():
    found = pair(scored("ab", [1, 2]), Scored(["a", "b"], ["", ""], {}, (0,)))
    assert found is not None
    assert found.scores("f1") == "the arm has no f1 of single questions"


def test_a_measure_without_a_common_question_is_said():
    found = pair(scored("ab", [1, NAN]), scored("ab", [NAN, 1]))
    assert found is not None
    assert found.scores("f1") == "no question has f1 in both arms"


def test_questions_of_one_entity_share_a_number_and_those_without_have_their_own():
    ours = scored("abcde", [1, 2, 3, 4, 5], ["x", "", "y", "x", ""])
    found = aligned(ours, scored("abcde", [1, 2, 3, 4, 5]))
    assert found.clusters is not None
    assert found.clusters.tolist() == [0, 1, 2, 0, 3]


def test_entities_are_those_of_the_arm_where_the_baseline_knows_none():
    found = aligned(scored("abc", [1, 2, 3]), scored("cba", [1, 2, 3], ["x", "x", "y"]))
    assert found.clusters is not None
    assert found.clusters.tolist() == [0, 1, 1]


def test_clusters_are_numbered_anew_where_questions_drop_out():
    ours = scored("abcd", [1, NAN, 3, 4], ["x", "y", "z", "z"])
    found = aligned(ours, scored("abcd", [1, 2, 3, 4]))
    assert found.clusters is not None
    assert found.clusters.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("theirs", "differing"),
    [
        (["Who?", "What?"], 0),
        (["Who?", "Where?"], 1),
        (["Who?", None], 0),  # unknown is not another
    ],
)
def test_other_wording_under_one_id_is_counted(theirs, differing):
    found = pair(
        scored("ab", [1, 2], question=["Who?", "What?"]), scored("ab", [1, 2], question=theirs)
    )
    assert found is not None
    assert found.other_wording() == differing


def test_frozen_weights_do_no_harm_to_the_items_of_another():
    found = unharmed(scored("ab", [[1, 0], [0, 1]], ["x", "y"]))
    assert (found.ids, found.clusters) == (["a", "b"], ["x", "y"])
    assert found.measures["f1"].tolist() == [[0], [0]]
