"""Everything that can go wrong between here and an endpoint, each against a real server."""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from openai_server import MODEL, FakeOpenAI, Fault, serving

from harness.errors import ModelError
from harness.models import pacing
from harness.models.endpoint import Endpoint, greet
from harness.models.endpoint_config import EndpointConfig
from harness.models.estimate import EstimatedTokenizer
from harness.models.pacing import backoff, retry_after
from harness.prompts import Messages


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with serving(FakeOpenAI()) as fake:
        yield fake


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another fast: how long the waits are is tested by itself."""
    monkeypatch.setattr(pacing, "FIRST_WAIT_SECONDS", 0.02)


def endpoint(server: FakeOpenAI, **values: Any) -> Endpoint:
    given = {"base_url": server.base_url, "id": MODEL, "retries": 2, "timeout_seconds": 5.0}
    return Endpoint(EndpointConfig(**(given | values)), EstimatedTokenizer(), "identity")


def ask(model: Endpoint, count: int = 1) -> list[str]:
    prompts = [model.render(Messages("S", f"Question: {n}")) for n in range(count)]
    return [one.text for one in model.generate(prompts, 5)]


def failure(model: Endpoint, count: int = 1) -> str:
    """The one line that asking ends with."""
    with pytest.raises(ModelError) as caught:
        ask(model, count)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ANSWER = "answer to Question: 0"

PASSING = {
    "429": Fault(429),
    "429 with Retry-After": Fault(429, headers={"Retry-After": "0.2"}),
    "500": Fault(500),
    "503 as HTML": Fault(503, "<html>busy</html>", {"Content-Type": "text/html"}),
    "cut connection": Fault(cut=True),
    "malformed JSON": Fault(body='{"choices": [{"mess'),
    "HTML with status 200": Fault(body="<html>hello</html>"),
    "empty choices": Fault(body={"choices": []}),
    "no choices": Fault(body={"error": {"message": "overloaded"}}),
    "no message": Fault(body={"choices": [{"message": None}]}),
    "content that is no text": Fault(body={"choices": [{"message": {"content": [1]}}]}),
    "JSON that is no object": Fault(body="[1]"),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_tried_again(server: FakeOpenAI, fault: Fault):
    server.faults = [fault, fault]
    assert ask(endpoint(server)) == [ANSWER]
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (PASSING["429"], r"refused too many requests \(429: scripted 429\): lower model.conc"),
        (PASSING["500"], r"answered 500 \(scripted 500\)"),
        (PASSING["503 as HTML"], r"answered 503 \(<html>busy</html>\)"),
        (PASSING["cut connection"], r"broke off in the middle of an answer \(peer closed"),
        (PASSING["malformed JSON"], r"answered with no JSON \(Unterminated string"),
        (PASSING["HTML with status 200"], r"answered with no JSON .*<html>hello</html>"),
        (PASSING["empty choices"], "answered with no choices"),
        (PASSING["no choices"], "answered with no choices: overloaded"),
        (PASSING["no message"], "answered with a choice without a message"),
        (PASSING["content that is no text"], "answered with a message whose content is no text"),
        (PASSING["JSON that is no object"], "answered with no JSON object"),
    ],
)
def test_a_fault_that_stays_is_one_line_after_all_attempts(
    server: FakeOpenAI, fault: Fault, says: str
):
    server.fault_for = lambda body: fault
    line = failure(endpoint(server))
    assert re.search(says, line), line
    assert line.startswith(f"the endpoint {server.base_url} ")
    assert "(tried 3 times); answers received so far are kept" in line
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(401), "refused access (401): check model.api_key_env"),
        (Fault(403), "refused access (403)"),
        (Fault(400, {"error": {"message": "too\nlong"}}), "answered 400 (too long)"),
        (Fault(422, {"detail": "no seed"}), "answered 422 (no seed)"),
        (
            Fault(429, {"error": {"message": "no credit", "code": "insufficient_quota"}}),
            "429: no credit",
        ),
        (Fault(429, headers={"Retry-After": "86400"}), "429"),
    ],
)
def test_what_another_attempt_would_not_mend_is_not_tried_again(
    server: FakeOpenAI, fault: Fault, says: str
):
    server.fault_for = lambda body: fault
    assert says in failure(endpoint(server))
    assert len(server.bodies) == 1


def test_a_wrong_model_id_is_named(server: FakeOpenAI):
    line = failure(endpoint(server, id="no-such-model"))
    assert "knows no model 'no-such-model'" in line
    assert "does not exist" in line
    assert "check model.id" in line
    assert len(server.bodies) == 1


def test_an_address_without_the_api_is_named(server: FakeOpenAI):
    line = failure(endpoint(server, base_url=f"{server.base_url}/deeper"))
    assert "has no such API (404: no route /v1/deeper/chat/completions)" in line


def test_a_refused_connection_is_one_line():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    nobody = EndpointConfig(base_url=f"http://127.0.0.1:{port}/v1", id=MODEL, retries=1)
    with pytest.raises(ModelError, match=r"cannot be reached .* check model\.base_url.*tried 2"):
        greet(nobody)


def test_a_server_that_is_too_slow_times_out_and_is_tried_again(server: FakeOpenAI):
    server.faults = [Fault(delay=4.0)]
    assert ask(endpoint(server, timeout_seconds=1.5)) == [ANSWER]
    server.fault_for = lambda body: Fault(delay=4.0)
    line = failure(endpoint(server, timeout_seconds=0.3, retries=1))
    assert "gave no answer within model.timeout_seconds=0.3" in line
    assert "(tried 2 times)" in line


def test_a_server_that_sends_a_byte_now_and_then_times_out_too():
    """Each byte comes in time; the whole answer does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                try:
                    for _ in range(30):
                        time.sleep(0.1)
                        connection.sendall(b" ")
                except OSError:
                    pass  # hung up on, as it should be

        thread = threading.Thread(target=drip)
        thread.start()
        config = EndpointConfig(
            base_url=f"http://127.0.0.1:{port}/v1", id=MODEL, retries=0, timeout_seconds=0.5
        )
        with pytest.raises(ModelError, match="gave no answer within"):
            greet(config)
        thread.join()


def test_all_requests_wait_as_long_as_the_server_asks(server: FakeOpenAI):
    server.faults = [Fault(429, headers={"Retry-After": "0.5"})]
    assert len(ask(endpoint(server, concurrency=1), 2)) == 2
    assert server.at[1] - server.at[0] >= 0.5
    server.at.clear()
    server.faults = [Fault(429, headers={"Retry-After": "0.5"})]
    server.delay = lambda body: 0.1
    ask(endpoint(server, concurrency=2), 6)
    late = [at - server.at[0] for at in server.at]
    # One more may have been under way; nothing is sent after that until the wait is over.
    assert all(gap >= 0.5 for gap in sorted(late)[2:])


def test_retry_after_is_seconds_or_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({}) is None
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert retry_after({"retry-after": "-3"}) == 0.0
    assert 28 <= retry_after({"retry-after": soon}) <= 30  # type: ignore[operator]
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "later"}) is None


def test_waits_double_up_to_a_limit_and_differ(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pacing, "FIRST_WAIT_SECONDS", 0.5)
    for attempt, longest in ((1, 0.5), (2, 1.0), (5, 8.0), (20, 30.0)):
        waits = {backoff(attempt) for _ in range(50)}
        assert longest / 2 <= min(waits) < max(waits) <= longest


def test_the_key_stands_in_no_error_and_no_log(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    key = "sk-proj-0123456789"
    monkeypatch.setenv("MY_KEY", key)
    said = {"error": {"message": f"Incorrect API key provided: {key}"}}
    with caplog.at_level(logging.DEBUG, logger="harness"):
        for status in (400, 401, 429, 500):
            server.fault_for = lambda body, status=status: Fault(status, said)
            assert key not in failure(endpoint(server, api_key_env="MY_KEY"))
    server.fault_for = lambda body: Fault(body=f"<html>{key}")
    assert key not in failure(endpoint(server, api_key_env="MY_KEY"))
    assert key not in caplog.text


def test_answers_under_way_when_another_fails_are_kept(server: FakeOpenAI, tmp_path: Path):
    def fault_for(body: dict[str, Any]) -> Fault | None:
        return Fault(400) if body["messages"][1]["content"].endswith("3") else None

    server.fault_for = fault_for
    # The fourth is refused while the others are still being answered.
    server.delay = lambda body: 1.0
    model = endpoint(server, concurrency=4)
    with model.remembering(tmp_path):
        failure(model, 8)
    assert len(server.bodies) == 4
    server.fault_for, server.delay = lambda body: None, lambda body: 0.0
    with model.remembering(tmp_path):
        assert ask(model, 8) == [f"answer to Question: {n}" for n in range(8)]
    assert len(server.bodies) == 4 + 5


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    config = EndpointConfig(base_url="http://127.0.0.1:1/v1", id=MODEL)
    with pytest.raises(ModelError, match=r"rag-ft-harness\[openai\]"):
        greet(config)
