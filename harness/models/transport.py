"""Requests to an OpenAI-compatible server: several at once, paced, sent again where that helps.

The connection is the ``openai`` package's. Sending again is done here, since every attempt has to
keep to the pace, a server that asks to wait is to be left alone by all requests at once, and an
answer that is no answer (broken JSON, no choices) is a passing fault as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError
from harness.models.endpoint_config import EndpointConfig
from harness.models.pacing import Pace, backoff, retry_after
from harness.models.reply import MalformedError, Reply, one_text, read_reply

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

logger = logging.getLogger(__name__)

LONGEST_ASKED_WAIT_SECONDS = 120.0
"""A server that asks to wait longer than this (a daily quota, say) is not waited for."""

PASSING = (408, 409, 429)
"""Statuses below 500 that may be gone at the next attempt."""

Body = dict[str, Any]
Keep = Callable[[int, Reply], None]


class Transport:
    """Sends requests and gives their replies; opens its connections when they are first needed.

    Raises:
        ModelError: the ``openai`` package is missing, or the variable that holds the key is unset.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self._key = api_key(config)
        self._client: AsyncOpenAI = _client(config, self._key)
        self._pace = Pace(config.requests_per_minute)
        # A loop in a thread of its own keeps connections open from call to call (a latency is not
        # to hold a handshake), and works where the caller runs a loop itself, as notebooks do.
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=_serve, args=(self._loop, self._client), name="endpoint", daemon=True
        )
        thread.start()
        weakref.finalize(self, _stop, self._loop, thread)

    def replies(self, bodies: Sequence[Body], chat: bool, keep: Keep) -> list[Reply]:
        """The reply to each body, in the order of the bodies.

        Args:
            keep: called with position and reply as each comes in, whatever becomes of the others.

        Raises:
            ModelError: one request failed for good; those under way were waited for.
        """
        future = asyncio.run_coroutine_threadsafe(self._all(bodies, chat, keep), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: what is under way is given up
            raise

    async def _all(self, bodies: Sequence[Body], chat: bool, keep: Keep) -> list[Reply]:
        waiting = iter(range(len(bodies)))
        replies: dict[int, Reply] = {}
        failures: list[ModelError] = []

        async def work() -> None:
            for position in waiting:
                if failures:
                    return
                try:
                    reply = await self._one(bodies[position], chat, failures)
                except ModelError as error:
                    failures.append(error)
                    return
                replies[position] = reply
                keep(position, reply)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.config.concurrency, len(bodies))):
                group.create_task(work())
        if failures:
            raise failures[0]
        return [replies[position] for position in range(len(bodies))]

    async def _one(self, body: Body, chat: bool, failures: Sequence[ModelError]) -> Reply:
        """One reply, after as many attempts as the config allows."""
        from openai import APIConnectionError, APIStatusError

        attempts = self.config.retries + 1
        for attempt in range(1, attempts + 1):
            await self._pace.turn()
            asked_wait: float | None = None
            try:
                async with asyncio.timeout(self.config.timeout_seconds):
                    return read_reply(await self._send(body, chat), chat)
            except APIStatusError as error:
                told = self._status_line(error)
                asked_wait = retry_after(error.response.headers)
                passing = error.status_code in PASSING or error.status_code >= 500
                if error.code == "insufficient_quota" or (
                    asked_wait is not None and asked_wait > LONGEST_ASKED_WAIT_SECONDS
                ):
                    passing = False
            except (TimeoutError, APIConnectionError) as error:
                told, passing = self._connection_line(error), True
            except MalformedError as error:
                told, passing = self._line(f"answered with {error}"), True
            if not passing or failures or attempt == attempts:
                raise ModelError(self._final(told, attempt))
            wait = asked_wait if asked_wait is not None else backoff(attempt)
            logger.info("%s; attempt %d of %d in %.1f s", told, attempt + 1, attempts, wait)
            if asked_wait is not None:
                self._pace.hold(wait)  # all of them: more requests would be refused as well
            else:
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def _send(self, body: Body, chat: bool) -> str:
        """The body of a good response."""
        api = self._client.chat.completions if chat else self._client.completions
        response = await api.with_raw_response.create(**body)
        return str(response.text)

    def _line(self, what: str) -> str:
        """One line about the endpoint, without the key, which a server may have repeated."""
        line = f"the endpoint {self.config.base_url} {what}"
        return line.replace(self._key, "…") if self.config.api_key_env else line

    def _final(self, told: str, attempts: int) -> str:
        again = f" (tried {attempts} times)" if attempts > 1 else ""
        return f"{told}{again}; answers received so far are kept: run the same again to go on"

    def _connection_line(self, error: BaseException) -> str:
        from openai import APITimeoutError

        if isinstance(error, TimeoutError | APITimeoutError):
            return self._line(
                f"gave no answer within model.timeout_seconds={self.config.timeout_seconds:g}; "
                "raise it, or lower model.concurrency"
            )
        cause = error.__cause__ or error
        reason = one_text(str(cause) or type(cause).__name__)
        if type(cause).__name__ == "ConnectError":
            return self._line(
                f"cannot be reached ({reason}): check model.base_url and that the server runs"
            )
        return self._line(f"broke off in the middle of an answer ({reason})")

    def _status_line(self, error: APIStatusError) -> str:
        status, said = error.status_code, one_text(error.body or "") or "no reason given"
        config = self.config
        if status in (401, 403):
            # Servers repeat parts of the key in this message: it is left out.
            key = f"the key in ${config.api_key_env}" if config.api_key_env else "model.api_key_env"
            return self._line(f"refused access ({status}): check {key}")
        if status == 404:
            return self._line(
                f"knows no model '{config.id}', or has no such API (404: {said}): check model.id "
                "and model.base_url"
            )
        if status == 429:
            return self._line(
                f"refused too many requests (429: {said}): lower model.concurrency or set "
                "model.requests_per_minute"
            )
        return self._line(f"answered {status} ({said})")


def api_key(config: EndpointConfig) -> str:
    """The key that the environment holds, or "none".

    Raises:
        ModelError: the variable that is to hold it is unset.
    """
    if config.api_key_env is None:
        return "none"  # the client insists on one; a server without keys ignores it
    key = os.environ.get(config.api_key_env, "").strip()
    if not key:
        raise ModelError(
            f"model.api_key_env={config.api_key_env}, but that environment variable is not set; "
            "export it, or leave model.api_key_env out for a server without keys"
        )
    return key


def _client(config: EndpointConfig, key: str) -> AsyncOpenAI:
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise ModelError(
            "model=endpoint needs the package openai: pip install 'rag-ft-harness[openai]'"
        ) from error
    return AsyncOpenAI(
        base_url=config.base_url, api_key=key, max_retries=0, timeout=config.timeout_seconds
    )


def _serve(loop: asyncio.AbstractEventLoop, client: AsyncOpenAI) -> None:
    """Run the loop until it is stopped, then close the connections that belong to it."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.run_until_complete(client.close())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End the loop; called when its transport is gone."""
    loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():
        thread.join(timeout=5)
