"""Requests over real connections on loopback."""

from __future__ import annotations

import socket
import threading

import pytest
from stream_server import DONE, StreamServer, chunk, good, streaming

from harness.load.sender import Address, send
from harness.load.served import EMPTY_ANSWER, GIVEN_UP, Request, Served

BODY = {"model": "m", "max_tokens": 3, "stream": True}


def sent(
    fake: StreamServer,
    times: tuple[float, ...] = (0.0,),
    limit: float = 30.0,
    key: str | None = None,
    timeout: float = 20.0,
) -> list[Served]:
    with streaming(fake):
        address = Address(f"{fake.base_url}/chat/completions", key, timeout)
        schedule = [Request(0, seconds) for seconds in times]
        served, window = send(address, schedule, ["q"], [BODY], limit)
    assert window >= max((one.finished_seconds or 0.0 for one in served), default=0.0)
    return served


def test_each_token_has_its_time_and_the_answer_its_end():
    (one,) = sent(StreamServer())
    assert one.error == ""
    assert (one.tokens_in, len(one.token_seconds), one.spread) == (5, 3, False)
    assert one.latency_seconds is not None
    assert one.arrivals[0] <= one.arrivals[-1] <= one.latency_seconds


def test_a_stalled_server_cannot_hide_its_queue():
    # Twelve at once, 0.05 s each, one after the other: the last waits for all. A sender that
    # waited for answers would find 0.05 s for every one.
    fake = StreamServer(one_at_a_time=True, seconds=0.05)
    served = sent(fake, times=(0.0,) * 12)
    latencies = sorted(one.latency_seconds or 0.0 for one in served)
    assert latencies[-1] >= 12 * 0.05
    assert all(latency >= 0.05 * (n + 1) for n, latency in enumerate(latencies))


def test_no_pool_holds_requests_back():
    # The server answers nobody before all 120 are there (aiohttp's own pool has 100).
    fake = StreamServer(script=lambda body: good(body) if all_there.wait(60) else [])
    all_there = threading.Event()

    def status(body: dict) -> int:
        if len(fake.at) == 120:
            all_there.set()
        return 200

    fake.status = status
    served = sent(fake, times=(0.0,) * 120, limit=90, timeout=80.0)
    assert [one.error for one in served] == [""] * 120


def test_latency_counts_from_the_intended_sending():
    fake = StreamServer(one_at_a_time=True, seconds=0.1)
    first, second = sent(fake, times=(0.0, 0.05))
    assert first.begun_seconds is not None
    assert second.begun_seconds is not None
    assert second.begun_seconds >= 0.05
    assert second.finished_seconds is not None
    assert second.latency_seconds == second.finished_seconds - 0.05


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([chunk("a"), chunk("b")], "the stream ended without finish_reason or [DONE]"),
        (
            ["data: {\n\n"],
            "the stream ended without finish_reason or [DONE], 1 events were no JSON",
        ),
        ([chunk("a"), 'data: {"error": {"message": "no room"}}\n\n'], "the stream said: no room"),
        ([chunk(""), chunk(finish="stop"), DONE], EMPTY_ANSWER),
        (["<html>hello</html>"], "the stream ended without finish_reason or [DONE]"),
    ],
)
def test_a_stream_that_goes_wrong_is_a_failure_with_its_reason(script: list[str], error: str):
    (one,) = sent(StreamServer(script=lambda body: script))
    assert one.error == error
    assert one.finished_seconds is one.latency_seconds is None


def test_a_missing_done_is_no_failure_where_the_end_was_told():
    (one,) = sent(StreamServer(script=lambda body: [chunk("a"), chunk(finish="stop")]))
    assert (one.error, len(one.token_seconds)) == ("", 1)


def test_one_bad_event_costs_no_answer():
    script = [chunk("a"), "data: {broken\n\n", chunk("b"), DONE]
    (one,) = sent(StreamServer(script=lambda body: script))
    assert (one.error, len(one.token_seconds)) == ("", 2)


def test_refusals_say_what_the_server_said_and_never_the_key():
    refusal = '{"error": {"message": "bad key sk-secret"}}'
    fake = StreamServer(status=lambda body: 401, refusal=refusal)
    (one,) = sent(fake, key="sk-secret")
    assert one.error == "status 401 (bad key …)"
    assert fake.headers[0]["authorization"] == "Bearer sk-secret"
    (one,) = sent(StreamServer(status=lambda body: 500, refusal="<h1>oh</h1>"))
    assert one.error == "status 500 (<h1>oh</h1>)"


def test_a_redirection_is_not_followed_to_another_machine():
    fake = StreamServer(status=lambda body: 302, location="http://203.0.113.1/v1", refusal="{}")
    (one,) = sent(fake)
    assert one.error.startswith("status 302")


def test_proxies_of_the_environment_get_no_loopback_traffic(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (one,) = sent(StreamServer())
    assert one.error == ""


def test_an_answer_that_takes_too_long_is_a_failure():
    fake = StreamServer(one_at_a_time=True, seconds=1.0)
    (one,) = sent(fake, timeout=0.2)
    assert one.error == "no whole answer within --timeout 0.2"


def test_what_is_under_way_at_the_limit_is_given_up_and_named():
    release, first = threading.Event(), iter([True])

    def script(body: dict) -> list[str]:
        if not next(first, False):
            release.wait(20)
        return good(body)

    served = sent(StreamServer(script=script), times=(0.0, 0.1, 0.1), limit=1.5)
    release.set()
    assert sorted(one.error for one in served) == ["", GIVEN_UP, GIVEN_UP]
    assert sum(one.latency_seconds is None for one in served) == 2


def test_nobody_at_the_address_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = Address(f"http://127.0.0.1:{port}/v1/chat/completions")
    ((one,), _) = send(address, [Request(0, 0.0)], ["q"], [BODY], 10.0)
    assert one.error.startswith("cannot be reached (")
    assert "\n" not in one.error


def test_bodies_go_out_as_they_are():
    fake = StreamServer(script=good)
    sent(fake)
    assert fake.bodies == [BODY]
