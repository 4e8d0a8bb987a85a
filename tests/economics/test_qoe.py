import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.qoe import (
    Expectation,
    quality_of_experience,
    time_per_output_token,
    time_to_first_token,
)
from harness.errors import ConfigError

AT_ONCE = Expectation(first_token_seconds=0, tokens_per_second=1)
streams = st.lists(st.floats(0, 50), min_size=1, max_size=30).map(sorted)
expectations = st.builds(Expectation, st.floats(0, 5), st.floats(0.5, 20))


def test_a_stream_exactly_on_time_is_perfect():
    assert quality_of_experience([1, 1.5, 2, 2.5], Expectation(1, 2)) == pytest.approx(1)


def test_tokens_that_come_early_do_not_score_above_one():
    # All at once, at 0: read by 2 s; one token of the two was expected by then.
    assert quality_of_experience([0, 0], Expectation(1, 1)) == pytest.approx(1)


def test_an_answer_read_before_anything_was_expected_is_perfect():
    assert quality_of_experience([0, 0], Expectation(5, 1)) == 1


def test_one_token_a_second_late():
    # Read from 1 to 2 s: ½ token-second; expected from 0: ½ + 1.
    assert quality_of_experience([1], AT_ONCE) == pytest.approx(1 / 3)


def test_a_stall_in_the_middle():
    # A: 0→1 in [0,1], 1 until 3, 1→2 in [3,4]: ½ + 2 + 1½ = 4; T: 2 + 2·2 = 6.
    assert quality_of_experience([0, 3], AT_ONCE) == pytest.approx(4 / 6)


def test_lines_that_cross_between_their_corners():
    # Expected from 1 s: T rises 1..3. A is 1 in [1, 2.5] and reaches 2 at 3.5 s; they cross at
    # 2 s. ∫ min: ½ + ½ (1 until 2.5) + 1½ = 2½; ∫ T: 2 + 2·½ = 3.
    assert quality_of_experience([0, 2.5], Expectation(1, 1)) == pytest.approx(2.5 / 3)


def test_tokens_in_a_burst_are_read_at_the_expected_pace():
    # Both at 1 s: read from 1 to 3 s: 2 token-seconds; expected: 2 + 2·1.
    assert quality_of_experience([1, 1], AT_ONCE) == pytest.approx(2 / 4)


def test_an_answer_without_tokens_has_no_quality():
    assert quality_of_experience([], AT_ONCE) is None


@given(arrivals=streams, expected=expectations)
def test_quality_is_between_zero_and_one(arrivals, expected):
    assert 0 <= quality_of_experience(arrivals, expected) <= 1


@given(arrivals=streams, expected=expectations, delay=st.floats(0, 20))
def test_the_same_stream_later_is_never_better(arrivals, expected, delay):
    later = [t + delay for t in arrivals]
    assert quality_of_experience(later, expected) <= (
        quality_of_experience(arrivals, expected) + 1e-9
    )


@given(count=st.integers(1, 300), expected=expectations)
def test_a_stream_on_time_is_perfect_whatever_its_length(count, expected):
    due = [expected.first_token_seconds + i / expected.tokens_per_second for i in range(count)]
    assert quality_of_experience(due, expected) == pytest.approx(1)


def test_first_token_and_the_time_between_tokens():
    assert time_to_first_token([0.5, 1.0, 2.5]) == 0.5
    assert time_per_output_token([0.5, 1.0, 2.5]) == 1.0
    assert time_to_first_token([]) is None
    assert time_per_output_token([0.5]) is None


@pytest.mark.parametrize("arrivals", [[-1.0], [float("nan")], [float("inf")], [2.0, 1.0]])
def test_times_that_cannot_be_are_refused(arrivals):
    with pytest.raises(ValueError, match="arrival"):
        quality_of_experience(arrivals, AT_ONCE)


@pytest.mark.parametrize("values", [(-1, 1), (0, 0), (0, -2)])
def test_an_expectation_that_cannot_be_is_refused(values):
    with pytest.raises(ConfigError, match="the expected"):
        Expectation(*values)
