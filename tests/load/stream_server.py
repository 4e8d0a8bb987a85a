"""A real HTTP server on loopback that streams answers as an OpenAI server does, or fails to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> str:
    """One event of a chat stream."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more})}\n\n"


def usage(tokens_out: int, tokens_in: int = 5) -> str:
    """The last event but [DONE], where the server counts."""
    counts = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    return f"data: {json.dumps({'choices': [], 'usage': counts})}\n\n"


DONE = "data: [DONE]\n\n"


def good(body: dict[str, Any]) -> list[str]:
    """As many tokens as were asked for, counted."""
    count = body["max_tokens"]
    words = [chunk(f"w{n} ") for n in range(count)]
    return [chunk(""), *words, chunk(finish="length"), usage(count), DONE]


@dataclass
class StreamServer:
    """The server's script and what it saw.

    Attributes:
        script: the events of an answer to a body.
        status: of the answer to a body; others than 200 get ``refusal``.
        one_at_a_time: hold a lock for ``seconds``, as a server without concurrency does.
        bodies, headers, at: of every request, in the order of arrival.
    """

    script: Callable[[dict[str, Any]], list[str]] = good
    status: Callable[[dict[str, Any]], int] = lambda body: 200
    refusal: str = '{"error": {"message": "scripted refusal"}}'
    location: str | None = None
    one_at_a_time: bool = False
    seconds: float = 0.0
    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _ManyAtOnce(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def streaming(fake: StreamServer) -> Iterator[StreamServer]:
    """Within the block ``fake`` answers at ``fake.base_url``."""
    server = _ManyAtOnce(("127.0.0.1", 0), _handler(fake))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(fake: StreamServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.at.append(time.monotonic())
            fake.bodies.append(body)
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            try:
                if fake.one_at_a_time:
                    with fake.lock:
                        time.sleep(fake.seconds)
                self._answer(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client had stopped waiting

        def _answer(self, body: dict[str, Any]) -> None:
            status = fake.status(body)
            self.send_response(status)
            if fake.location:
                self.send_header("Location", fake.location)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            if status != 200:
                self.wfile.write(fake.refusal.encode())
                return
            for event in fake.script(body):
                self.wfile.write(event.encode())
                self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Nothing: pytest's output stays readable."""

    return Handler
