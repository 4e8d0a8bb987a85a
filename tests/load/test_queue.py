"""A queue on a clock that is set by hand: every time is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.load.queue import Token, WallClock, serve
from harness.load.served import EMPTY_ANSWER, GIVEN_UP, Request, Served


class SetClock:
    """Starts at 100 s; goes on when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def wait_until(self, seconds: float) -> None:
        assert seconds > self.seconds
        self.seconds = seconds


class TwoTokens:
    """Answers in 2 s whatever the batch: a token after 1.5 s, another and the end after 2 s."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.batches: list[list[int]] = []

    def __call__(self, questions: Sequence[int], told: Token) -> list[int | None]:
        self.batches.append(list(questions))
        for seconds, is_text in ((1.5, True), (0.5, True), (0.0, False)):
            self.clock.seconds += seconds
            for position in range(len(questions)):
                told(position, is_text)
        return [7] * len(questions)


def served_at(
    times: Sequence[float], batch: int = 1, limit: float = 1000.0
) -> tuple[list[Served], float, float, TwoTokens]:
    clock = SetClock()
    answer = TwoTokens(clock)
    schedule = [Request(number, seconds) for number, seconds in enumerate(times)]
    names = [f"q{number}" for number in range(len(times))]
    return *serve(schedule, names, answer, batch, limit, clock), answer


def test_who_finds_the_server_idle_waits_for_nothing_but_the_answer():
    (one, two), window, busy, _ = served_at([1.0, 5.0])
    assert (one.begun_seconds, one.token_seconds, one.finished_seconds) == (1.0, (2.5, 3.0), 3.0)
    assert one.latency_seconds == two.latency_seconds == 2.0
    assert one.arrivals == [1.5, 2.0]
    assert (one.question_id, one.tokens_in, one.error) == ("q0", 7, "")
    assert (window, busy) == (7.0, 4.0)


def test_waiting_in_the_queue_is_part_of_the_latency():
    # All come within one answer: the n-th is done at 2 n, whenever the server takes it up.
    served, window, busy, _ = served_at([0.0, 0.5, 1.0, 1.0])
    assert [one.latency_seconds for one in served] == [2.0, 3.5, 5.0, 7.0]
    assert [one.arrivals[0] for one in served] == [1.5, 3.0, 4.5, 6.5]
    assert window == busy == 8.0


def test_above_capacity_the_latency_grows_with_every_request():
    # One a second, 2 s each: the n-th (from 0) comes at n and is done at 2 n + 2.
    served, *_ = served_at([float(n) for n in range(10)])
    assert [one.latency_seconds for one in served] == [2.0 + n for n in range(10)]


def test_those_who_wait_are_answered_together_up_to_the_batch():
    served, window, busy, answer = served_at([0.0, 0.5, 1.0, 1.5, 2.5], batch=2)
    assert answer.batches == [[0], [1, 2], [3, 4]]
    assert [one.finished_seconds for one in served] == [2.0, 4.0, 4.0, 6.0, 6.0]
    assert window == busy == 6.0


def test_nothing_is_begun_after_the_limit_and_what_waits_is_named_as_unanswered():
    served, window, _, answer = served_at([0.0, 0.5, 1.0], limit=3.0)
    assert answer.batches == [[0], [1]]
    assert served[1].finished_seconds == 4.0  # begun before, and finished
    assert served[2].error == GIVEN_UP
    assert (served[2].latency_seconds, served[2].begun_seconds) == (None, None)
    assert window == 4.0


def test_an_answer_that_only_ends_is_empty_and_no_success():
    clock = SetClock()

    def nothing(questions: Sequence[int], told: Token) -> list[int | None]:
        told(0, False)
        return [3]

    ((one,), *_) = serve([Request(0, 0.0)], ["q"], nothing, 1, 10.0, clock)
    assert (one.error, one.finished_seconds, one.token_seconds) == (EMPTY_ANSWER, None, ())


def test_an_error_of_the_arm_is_not_swallowed():
    def broken(questions: Sequence[int], told: Token) -> list[int | None]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        serve([Request(0, 0.0)], ["q"], broken, 1, 10.0, SetClock())


def test_the_wall_clock_waits_for_no_time_that_is_past():
    clock = WallClock()
    before = clock.now()
    clock.wait_until(before - 60)
    assert 0 <= clock.now() - before < 30
