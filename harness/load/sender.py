"""Requests sent at their times to an OpenAI-compatible server, however many are under way.

Every request has a connection of its own: a pool that is used up would hold the next ones back,
and their wait would be in no figure.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from harness.load.served import EMPTY_ANSWER, GIVEN_UP, Request, Served
from harness.load.stream import Events, Stream
from harness.models.reply import one_text

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Address:
    """Where requests go.

    Attributes:
        key: sent along, and never shown; None for a server without keys.
        timeout_seconds: longest wait for one whole answer, from its sending.
        environment: whether proxies named in the environment are used: not on loopback.
    """

    url: str
    key: str | None = None
    timeout_seconds: float = 60.0
    environment: bool = False


def send(
    address: Address,
    schedule: Sequence[Request],
    names: Sequence[str],
    bodies: Sequence[Body],
    limit_seconds: float,
) -> tuple[list[Served], float]:
    """What became of each request, in order, and the seconds until the last had ended.

    Args:
        names, bodies: of each question.
        limit_seconds: what is under way then is given up.
    """
    return asyncio.run(_send(address, schedule, names, bodies, limit_seconds))


async def _send(
    address: Address,
    schedule: Sequence[Request],
    names: Sequence[str],
    bodies: Sequence[Body],
    limit_seconds: float,
) -> tuple[list[Served], float]:
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    waits = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=waits, trust_env=address.environment
    ) as session:
        start = loop.time()
        tasks = []
        for request in schedule:
            await asyncio.sleep(start + request.intended_seconds - loop.time())
            one = _One(session, address, request, names[request.question], start)
            tasks.append(asyncio.create_task(one.ask(bodies[request.question])))
        _, late = await asyncio.wait(tasks, timeout=start + limit_seconds - loop.time())
        window = loop.time() - start
        for task in late:
            task.cancel()
        served = await asyncio.gather(*tasks)
    return served, window


@dataclass
class _One:
    """One request on its way."""

    session: aiohttp.ClientSession
    address: Address
    request: Request
    name: str
    start: float
    stream: Stream = field(default_factory=Stream)

    async def ask(self, body: Body) -> Served:
        """What became of it; no error is raised but an interruption from outside."""
        begun = self._now()
        seconds = self.address.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                error = await self._read(body)
        except asyncio.CancelledError:
            error = GIVEN_UP
        except TimeoutError:
            error = f"no whole answer within --timeout {seconds:g}"
        except aiohttp.ClientConnectorError as failure:
            error = f"cannot be reached ({one_text(failure.os_error)})"
        except (aiohttp.ClientError, ValueError, OSError) as failure:
            error = f"broke off ({one_text(str(failure) or type(failure).__name__)})"
        if self.address.key:
            error = error.replace(self.address.key, "…")  # a server may have repeated it
        return Served(
            self.name,
            self.request.intended_seconds,
            begun,
            self.stream.token_seconds(),
            None if error else self.stream.finished,
            error,
            self.stream.tokens_in,
            self.stream.is_spread,
        )

    async def _read(self, body: Body) -> str:
        """Read the stream to its end; what is wrong with it, or ""."""
        key = self.address.key
        async with self.session.post(
            self.address.url,
            json=dict(body),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            allow_redirects=False,
        ) as response:
            if response.status != 200:
                said = (await response.content.read(2000)).decode("utf-8", "replace")
                return f"status {response.status} ({_reason(said)})"
            events = Events()
            async for some in response.content.iter_any():
                now = self._now()
                for data in events.feed(some):
                    self.stream.take(data, now)
            for data in events.end():
                self.stream.take(data, self._now())
        stream = self.stream
        if stream.error:
            return f"the stream said: {stream.error}"
        if stream.finished is None:
            odd = f", {stream.malformed} events were no JSON" if stream.malformed else ""
            return f"the stream ended without finish_reason or [DONE]{odd}"
        return "" if stream.pieces else EMPTY_ANSWER

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self.start


def _reason(said: str) -> str:
    """What a refusal says, JSON or not."""
    try:
        return one_text(json.loads(said)) or "no reason given"
    except (ValueError, RecursionError):
        return one_text(said) or "no reason given"
