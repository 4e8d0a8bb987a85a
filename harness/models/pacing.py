"""When a request may be sent: the rate, the wait that a server asks for, the wait after a fault."""

from __future__ import annotations

import asyncio
import random
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


class Pace:
    """Gives each request its turn: evenly spaced, and none while the server asks to wait."""

    def __init__(self, requests_per_minute: float | None) -> None:
        self._gap = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        loop = asyncio.get_running_loop()
        while (wait := self._next - loop.time()) > 0:
            await asyncio.sleep(wait)
        self._next = loop.time() + self._gap

    def hold(self, seconds: float) -> None:
        """Give no turn for so long."""
        self._next = max(self._next, asyncio.get_running_loop().time() + seconds)


def backoff(attempt: int) -> float:
    """Seconds to wait after the ``attempt``-th failure: doubled each time, up to a half at random.

    Without the random part, requests that failed together would come again together.
    """
    longest = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def retry_after(headers: Any) -> float | None:
    """Seconds that the server asks to wait, given as a number or a date; None if it does not."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
