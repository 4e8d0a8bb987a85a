from __future__ import annotations

from typing import Any

import pytest
from test_curve import rows_at

from harness.load.render import shown

SAID: dict[str, Any] = {
    "arm": "rag",
    "model": "m",
    "endpoint": None,
    "search": None,
    "batch": 1,
    "seed": 0,
    "forced": True,
    "answer_tokens": 2,
    "device_exclusive": None,
    "expected_first_token_seconds": 1.0,
    "expected_tokens_per_second": 5.3,
    "usd_per_request": None,
}


def told(rates: list[float], **changes: Any) -> str:
    return shown([{**row, **SAID, **changes} for row in rows_at(rates)], 5)


def test_the_knee_is_said_with_what_it_is_held_against():
    text = told([0.2, 2.0])
    assert "rag, m, batches of up to 1: answers of 2 tokens, each forced to go on" in text
    assert "knee: 0.2/s, and no more at 2/s (p95 of latency at most 5 times" in text
    assert "the 2.00 s of a request alone, and answers keep up with arrivals)" in text


def test_each_length_has_a_table_of_its_own():
    rows = [{**row, **SAID, "answer_tokens": n} for n in (2, 100) for row in rows_at([0.1])]
    assert shown(rows, 5).count("rate/s") == 2


def test_what_is_unknown_is_no_zero():
    line = told([0.2]).splitlines()[2].split()
    # p99 of 200 requests and the energy of a driver without a meter.
    assert line.count("–") == 2
    assert line[1] == "200/200"


def test_money_has_a_column_only_where_prices_are_stated():
    assert "US$" not in told([0.2])
    assert told([0.2], usd_per_request=0.0125).splitlines()[2].split()[-1] == "12.5"


def test_an_endpoint_says_how_tokens_are_counted_and_how_late_they_were_sent():
    text = told(
        [0.2],
        endpoint="http://127.0.0.1/v1",
        search="beforehand",
        send_lag_seconds=0.0042,
        tokens_out_least=2,
    )
    assert "m at http://127.0.0.1/v1: answers of up to 2 tokens" in text
    assert "the shortest answer had 2 tokens; requests were sent at most 4 ms after" in text
    assert "a chunk is taken to be a token" in text
    assert "the search is in no figure" in text
    assert "is spread over them" in told(
        [0.2], endpoint="x", send_lag_seconds=0, tokens_spread=True
    )


def test_a_rate_that_was_drawn_otherwise_is_said():
    rows = [{**row, **SAID, "offered_per_second": 0.25} for row in rows_at([0.2])]
    assert "requests came at 1.25 times the named rates" in shown(rows, 5)
    rows[0]["offered_per_second"] = 0.21
    assert "named rates" not in shown(rows, 5)


@pytest.mark.parametrize("name", ["failed", "unanswered"])
def test_requests_without_an_answer_are_pointed_out(name: str):
    assert "slower than all others" in told([0.2], **{name: 1})
