"""One request of a load test, and what became of it; all times count from the rate's start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.metering.reading import PhaseReading

EMPTY_ANSWER = "an answer without text"
GIVEN_UP = "not answered within --limit"


@dataclass(frozen=True)
class Request:
    """One question and when it is meant to be sent; ``question`` counts those of the driver."""

    question: int
    intended_seconds: float


@dataclass(frozen=True)
class Served:
    """What became of a request.

    Attributes:
        question_id: which was asked.
        begun_seconds: when it was sent, or taken from the queue of an arm in this process; None:
            never.
        token_seconds: when each token of text was there.
        finished_seconds: when the answer was complete; None: it never was.
        error: why it was not; "" if it was.
        tokens_in: as the model or the endpoint counts.
        spread: whether several tokens came at once and the endpoint's count was spread over them.
    """

    question_id: str
    intended_seconds: float
    begun_seconds: float | None = None
    token_seconds: tuple[float, ...] = ()
    finished_seconds: float | None = None
    error: str = ""
    tokens_in: int | None = None
    spread: bool = False

    @property
    def latency_seconds(self) -> float | None:
        """From the intended sending to the whole answer; None without one."""
        if self.finished_seconds is None:
            return None
        return self.finished_seconds - self.intended_seconds

    @property
    def arrivals(self) -> list[float]:
        """Seconds from the intended sending to each token."""
        return [seconds - self.intended_seconds for seconds in self.token_seconds]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the tokens' times to the microsecond."""
        return {**asdict(self), "token_seconds": [round(t, 6) for t in self.token_seconds]}


@dataclass(frozen=True)
class Driven:
    """What one rate gave.

    Attributes:
        window_seconds: from the start to the last answer.
        busy_seconds: of it in which the arm answered; None for an endpoint.
        reading: what the window cost; None for an endpoint.
    """

    served: Sequence[Served]
    window_seconds: float
    busy_seconds: float | None = None
    reading: PhaseReading | None = None
