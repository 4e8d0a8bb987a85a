from __future__ import annotations

import pytest

from harness.errors import RetrievalError
from harness.retrieval import choose_top_k, fit_context
from harness.types import ScoredPassage

from .corpus import passage


def fitted(texts: list[str], budget: int) -> list[str]:
    ranking = [ScoredPassage(passage(i, text), 1.0 - i / 10) for i, text in enumerate(texts)]
    kept = fit_context(ranking, budget, lambda text: len(text.split()))
    return [scored.passage.id for scored in kept]


def test_passages_are_taken_in_rank_order_up_to_the_budget():
    assert fitted(["a b", "c d", "e"], 5) == ["p0", "p1", "p2"]
    assert fitted(["a b", "c d", "e"], 4) == ["p0", "p1"]


def test_the_first_that_does_not_fit_ends_the_context():
    # "e" alone would fit, but it ranks below what did not
    assert fitted(["a b", "c d", "e"], 3) == ["p0"]
    assert fitted(["a b"], 1) == []


def test_a_repeated_text_is_left_out_and_costs_nothing():
    assert fitted(["a b", "a b", "c"], 3) == ["p0", "p2"]


def test_what_is_counted_is_the_passage_as_it_stands_in_a_prompt():
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return 1

    fit_context([ScoredPassage(passage(0, "text", title="Title"), 1.0)], 9, count)
    assert counted == ["Title: text"]


def test_the_best_validation_score_wins():
    k, reason = choose_top_k({1: 0.2, 3: 0.5, 5: 0.4}, default=3)
    assert k == 3
    assert reason == "best on validation (1: 0.200, 3: 0.500, 5: 0.400)"


def test_of_equal_scores_the_smaller_k_wins():
    assert choose_top_k({5: 0.5, 3: 0.5, 1: 0.4}, default=1)[0] == 3


def test_without_validation_the_default_is_taken_and_the_reason_says_so():
    assert choose_top_k({}, default=3) == (3, "default 3: no validation questions")


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(RetrievalError, match="top_k=3 is nan"):
        choose_top_k({1: 0.5, 3: float("nan")}, default=1)
