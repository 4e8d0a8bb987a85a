import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.prices import ApiPrice, Figure
from harness.economics.tokenomics import (
    QueryCost,
    TokenUse,
    api_cost,
    prefix_saving,
    query_cost,
)
from harness.errors import ConfigError


def figure(value):
    return Figure(value, "made up", "2026-01-31")


PRICE = ApiPrice(prompt=figure(2), output=figure(8), cached=figure(0.5))
NO_CACHE = ApiPrice(prompt=figure(2), output=figure(8))


def test_prompt_cached_and_output_tokens_each_have_their_price():
    # (600 · 2 + 400 · .5 + 100 · 8) / 1e6
    assert api_cost(TokenUse(1000, 100, cached=400), PRICE) == pytest.approx(0.0022)
    assert api_cost(TokenUse(1000, 100), NO_CACHE) == pytest.approx(0.0028)


def test_cached_tokens_without_a_price_have_no_cost_rather_than_none_at_all():
    assert api_cost(TokenUse(1000, 100, cached=400), NO_CACHE) is None
    assert prefix_saving(400, 11, NO_CACHE) is None


def test_a_kept_prefix_saves_on_every_query_but_the_first():
    assert prefix_saving(400, 11, PRICE) == pytest.approx(10 * 400 * 1.5 / 1e6)
    assert prefix_saving(400, 1, PRICE) == 0
    assert prefix_saving(400, 0, PRICE) == 0


def test_the_saving_is_the_difference_between_two_bills():
    cold, warm = (api_cost(TokenUse(1000, 100, cached=c), PRICE) for c in (0, 400))
    assert prefix_saving(400, 2, PRICE) == pytest.approx(cold - warm)


def test_a_query_a_thousand_and_a_correct_answer():
    assert query_cost(0.5, 0.25) == QueryCost(0.5, 500, 2)


def test_without_right_answers_there_is_no_cost_of_one():
    assert query_cost(0.5, 0).per_correct is None
    assert query_cost(0.5, None).per_correct is None
    assert query_cost(None, 0.5) is None


@given(cost=st.floats(1e-9, 1e3), accuracy=st.floats(0.01, 1))
def test_a_correct_answer_costs_no_less_than_a_query(cost, accuracy):
    found = query_cost(cost, accuracy)
    assert found.per_correct >= found.per_query
    assert found.per_thousand / 1000 == pytest.approx(cost)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TokenUse(-1, 0), "the number of prompt tokens is -1"),
        (lambda: TokenUse(10, 0, cached=11), "11 cached tokens of a prompt of 10"),
        (lambda: query_cost(-1, 1), "the cost of a query is -1"),
        (lambda: query_cost(1, 40), "the accuracy is 40"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
