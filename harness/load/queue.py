"""A single server with a queue, in this process: who waits is answered in the order of arrival.

Arrivals are a schedule, so nobody is held up by an answer that is late: a request has arrived when
its time has come, whatever the server does then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.load.served import EMPTY_ANSWER, GIVEN_UP, Request, Served

Token = Callable[[int, bool], None]
"""Told of each token as it is there: its request's position in the batch; whether it is text."""

Answer = Callable[[Sequence[int], Token], Sequence[int | None]]
"""Answers questions together, telling each token; gives the tokens of each prompt."""


class Clock(Protocol):
    """Seconds that go by; tests give one that they set."""

    def now(self) -> float: ...
    def wait_until(self, seconds: float) -> None: ...


class WallClock:
    """The machine's own."""

    def now(self) -> float:
        return time.perf_counter()

    def wait_until(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds - time.perf_counter()))


@dataclass
class _Heard:
    tokens: list[float] = field(default_factory=list)
    last: float | None = None


def serve(
    schedule: Sequence[Request],
    names: Sequence[str],
    answer: Answer,
    batch: int,
    limit_seconds: float,
    clock: Clock,
) -> tuple[list[Served], float, float]:
    """What became of each request, in order; seconds of the whole, and of answering.

    At most ``batch`` requests that wait are answered together. No answer is begun after the limit;
    one that was begun before is finished.

    Args:
        names: question ids.
    """
    start = clock.now()
    waiting = deque(schedule)
    served: list[Served] = []
    busy = 0.0
    while waiting and (now := clock.now()) - start < limit_seconds:
        due = start + waiting[0].intended_seconds
        if due > now:
            clock.wait_until(min(due, start + limit_seconds))
            continue
        taken = [waiting.popleft()]
        while waiting and len(taken) < batch and start + waiting[0].intended_seconds <= now:
            taken.append(waiting.popleft())
        served += _answered(taken, names, answer, now - start, lambda: clock.now() - start)
        busy += clock.now() - now
    served += [Served(names[one.question], one.intended_seconds, error=GIVEN_UP) for one in waiting]
    return served, clock.now() - start, busy


def _answered(
    taken: Sequence[Request],
    names: Sequence[str],
    answer: Answer,
    begun: float,
    since_start: Callable[[], float],
) -> list[Served]:
    heard = [_Heard() for _ in taken]

    def told(position: int, is_text: bool) -> None:
        now = heard[position].last = since_start()
        if is_text:
            heard[position].tokens.append(now)

    counts = answer([one.question for one in taken], told)
    return [
        Served(
            names[request.question],
            request.intended_seconds,
            begun,
            tuple(one.tokens),
            one.last if one.tokens else None,
            "" if one.tokens else EMPTY_ANSWER,
            tokens_in,
        )
        for request, one, tokens_in in zip(taken, heard, counts, strict=True)
    ]
