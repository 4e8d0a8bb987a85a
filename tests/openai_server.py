"""A real HTTP server on loopback that answers as an OpenAI server does, with scripted faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "tiny-model"


@dataclass(frozen=True)
class Fault:
    """What the server does instead of answering.

    Attributes:
        status, body, headers: sent as they are, ``body`` as JSON unless it is text.
        delay: seconds before anything is sent.
        cut: send only half of the body and close the connection.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


@dataclass
class FakeOpenAI:
    """The server's script and what it saw.

    Attributes:
        faults: taken one a request, in order, before requests are answered well.
        fault_for: asked for each request body; a fault it returns is used every time.
        reply: text of the answer to a request body.
        echoes: whether completions give log-likelihoods of echoed prompts.
        counts_tokens: whether replies hold ``usage``.
        bodies, headers, at: of every request, in the order of arrival.
    """

    faults: list[Fault] = field(default_factory=list)
    fault_for: Callable[[dict[str, Any]], Fault | None] = lambda body: None
    reply: Callable[[dict[str, Any]], str] = lambda body: f"answer to {asked(body)[-11:]}"
    delay: Callable[[dict[str, Any]], float] = lambda body: 0.0
    echoes: bool = False
    counts_tokens: bool = True
    fingerprint: str | None = "fp_1"
    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Fault | None:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.at.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            return self.faults.pop(0) if self.faults else self.fault_for(body)

    def done(self) -> None:
        with self._lock:
            self._now -= 1

    def payload(self, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON that a good answer is."""
        text, chat = self.reply(body), "messages" in body
        prompt = asked(body)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        if chat:
            choice["message"] = {"role": "assistant", "content": text}
        elif body.get("echo") and self.echoes:
            # A token is a character here, and every character after the first has -1/position.
            logprobs = [None, *(-1 / n for n in range(1, len(prompt))), -9.0]
            tokens = [*prompt, "!"]
            choice |= {"text": prompt + "!", "logprobs": {"tokens": tokens}}
            choice["logprobs"]["token_logprobs"] = logprobs
        else:
            choice["text"] = text
        payload: dict[str, Any] = {
            "id": "1",
            "object": "chat.completion" if chat else "text_completion",
            "created": 1,
            "model": f"{MODEL}-2026",
            "system_fingerprint": self.fingerprint,
            "choices": [choice],
        }
        if self.counts_tokens:
            payload["usage"] = {
                "prompt_tokens": len(prompt),
                "completion_tokens": 1 if body.get("echo") else len(text.split()),
                "total_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 4},
            }
        return payload


def asked(body: dict[str, Any]) -> str:
    """The prompt of a request, messages joined by line ends."""
    if "messages" in body:
        return "\n".join(message["content"] for message in body["messages"])
    return str(body["prompt"])


@contextmanager
def serving(fake: FakeOpenAI) -> Iterator[FakeOpenAI]:
    """Within the block ``fake`` answers at ``fake.base_url``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(fake: FakeOpenAI) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault = fake.take(body, {k.lower(): v for k, v in self.headers.items()})
            try:
                self._answer(body, fault)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client had stopped waiting
            finally:
                fake.done()

        def _answer(self, body: dict[str, Any], fault: Fault | None) -> None:
            if fault is None and self.path.removeprefix("/v1") not in PATHS:
                fault = Fault(404, {"error": {"message": f"no route {self.path}"}})
            if fault is None and body["model"] != MODEL:
                message = f"The model `{body['model']}` does not exist"
                fault = Fault(404, {"error": {"message": message, "code": "model_not_found"}})
            time.sleep(fault.delay if fault else fake.delay(body))
            status = fault.status if fault else 200
            content = fake.payload(body) if fault is None or fault.body is None else fault.body
            if fault and status >= 400 and fault.body is None:
                content = {"error": {"message": f"scripted {status}"}}
            data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **_of(fault)}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if fault and fault.cut else data)
            if fault and fault.cut:
                self.wfile.flush()
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nothing: pytest's output stays readable."""

    return Handler


PATHS = ("/chat/completions", "/completions")


def _of(fault: Fault | None) -> dict[str, str]:
    return fault.headers if fault else {}
