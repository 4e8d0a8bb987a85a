"""Rows computed by hand, and the queue's known answers: M/D/1 on a clock that is set by hand."""

from __future__ import annotations

import math

import pytest
from test_queue import served_at

from harness.load.arrivals import poisson_arrivals
from harness.load.config import LoadConfig
from harness.load.curve import good_rate, highest_rate, knee, measured, open_percentiles
from harness.load.served import GIVEN_UP, Driven, Served
from harness.metering.reading import PhaseReading

CONFIG = LoadConfig(rates=(1.0,), requests=4, first_token_seconds=1.0, tokens_per_second=2.0)


def answered(intended: float, *tokens: float, tokens_in: int | None = 10) -> Served:
    return Served("q", intended, intended, tokens, tokens[-1], "", tokens_in)


def test_a_row_of_four_requests_by_hand():
    served = [
        answered(0.0, 1.0, 1.5, 2.0),  # as expected to the letter: QoE 1
        answered(1.0, 1.2, 1.3, 1.4),  # early tokens wait to be read: QoE 1 and no more
        answered(2.0, 4.0, 4.5, 5.0),  # one second late
        Served("q", 3.0, 3.0, (3.5,), None, "broke off"),
    ]
    reading = PhaseReading("latency", 6.0, 3.0, energy_kwh=6e-6, counter_energy_kwh=6e-6)
    row = measured(Driven(served, 6.0, 4.5, reading), CONFIG)
    assert (row["answered"], row["failed"], row["unanswered"]) == (3, 1, 0)
    assert row["offered_per_second"] == 4 / 3
    assert row["throughput_requests_per_second"] == 3 / 6
    assert row["throughput_tokens_per_second"] == 9 / 6
    assert (row["tokens_in"], row["tokens_out"], row["tokens_out_least"]) == (30, 9, 3)
    # Latencies 2, 0.4, 3 and one that never ended: the median lies between 2 and 3.
    assert row["latency_p50_seconds"] == pytest.approx(2.5)
    assert row["ttft_p50_seconds"] == pytest.approx(0.75)  # 1, 0.2, 2 and 0.5
    assert row["tpot_p50_seconds"] == pytest.approx(0.5)
    assert row["latency_p95_seconds"] is row["latency_p99_seconds"] is None
    # A second late: ∫A = 1.5² − 0 … A runs 2(t − 2) from 2 to 3.5, T 2(t − 1), both up to 3.
    # ∫₀^3.5 min(A, T, 3) = 1.5 · 3 / 2 = 2.25; ∫₀^3.5 min(T, 3) = 1.5 · 3 / 2 + 1 · 3 = 5.25.
    assert row["qoe_mean"] == pytest.approx((1 + 1 + 2.25 / 5.25) / 3)
    assert row["qoe_good_share"] == 2 / 4  # of all requests
    assert row["window_seconds_per_request"] == 6 / 3
    assert row["busy_seconds_per_request"] == 4.5 / 3
    assert row["energy_kwh_per_request"] == pytest.approx(2e-6)
    assert row["energy_source"] == "counter"
    assert row["send_lag_seconds"] is None


def test_an_endpoint_has_no_energy_and_a_lag():
    served = [
        Served("q", 0.0, 0.0, (0.5,), 0.6, ""),
        Served("q", 1.0, 1.25, (2.0,), 2.0, "", spread=True),
    ]
    row = measured(Driven(served, 2.0), CONFIG)
    assert row["energy_kwh"] is row["energy_kwh_per_request"] is None
    assert row["busy_seconds_per_request"] is None
    assert row["energy_source"] == "none"
    assert row["send_lag_seconds"] == 0.25
    assert row["tokens_spread"] is True
    assert row["tokens_in"] is None  # nobody counted them
    assert row["tpot_p50_seconds"] is None  # one token has no pace


def test_nothing_answered_gives_no_number_and_no_division_by_zero():
    served = [Served("q", float(n), None, (), None, GIVEN_UP) for n in range(4)]
    row = measured(Driven(served, 10.0, 0.0), CONFIG)
    assert (row["answered"], row["unanswered"]) == (0, 4)
    assert row["throughput_requests_per_second"] == 0
    for name in ("latency_p50_seconds", "ttft_p50_seconds", "qoe_mean", "tokens_out_least"):
        assert row[name] is None
    for name in ("window_seconds_per_request", "busy_seconds_per_request", "tokens_in"):
        assert row[name] is None
    assert row["qoe_good_share"] == 0


def test_what_never_came_is_slower_than_all_that_did():
    # 21 requests: the p95 is the 20th of them, in order. One missing leaves it, two do not.
    times: list[float | None] = [float(n) for n in range(1, 22)]
    assert open_percentiles(times)["latency_p95_seconds"] == 20
    assert open_percentiles([None, *times[:20]])["latency_p95_seconds"] == 20
    assert open_percentiles([None, None, *times[:19]])["latency_p95_seconds"] is None
    assert open_percentiles([None, None, *times[:19]])["latency_p50_seconds"] == 11


def test_a_p99_is_given_from_500_requests_on():
    assert open_percentiles([1.0] * 499)["latency_p99_seconds"] is None
    assert open_percentiles([1.0] * 500)["latency_p99_seconds"] == 1.0


def test_the_queue_at_half_load_waits_as_long_as_theory_says():
    # M/D/1: the mean wait is ρ D / (2 (1 − ρ)), here 0.5 · 2 / (2 · 0.5) = 1 s; with 40,000
    # requests its standard error is near 2 %.
    served, *_ = served_at(poisson_arrivals(0.25, 40_000, seed=0), limit=math.inf)
    waits = [one.latency_seconds - 2.0 for one in served]
    assert sum(waits) / len(waits) == pytest.approx(1.0, rel=0.1)
    # The share that waits is ρ.
    assert sum(wait > 1e-9 for wait in waits) / len(waits) == pytest.approx(0.5, abs=0.02)


def rows_at(rates: list[float], requests: int = 200, limit: float = math.inf) -> list[dict]:
    """A server that takes 2 s a request, under load."""
    config = LoadConfig(rates=(1.0,), requests=requests, tokens=(2,))
    rows = []
    for rate in rates:
        served, window, busy, _ = served_at(poisson_arrivals(rate, requests, 0), limit=limit)
        row = measured(Driven(served, window, busy), config)
        more = {"rate_per_second": rate, "requests": requests, "alone_latency_seconds": 2.0}
        rows.append({**row, **more})
    return rows


def test_the_knee_lies_below_capacity_and_throughput_stays_at_it():
    rows = rows_at([0.1, 0.2, 0.3, 0.6, 2.0])  # capacity is 0.5 a second
    rate, told = knee(rows, 5)
    assert rate == 0.3
    assert told == "0.3/s, and no more at 0.6/s"
    assert rows[-1]["throughput_requests_per_second"] == pytest.approx(0.5, rel=0.01)
    assert rows[-1]["latency_p50_seconds"] > 10 * rows[0]["latency_p50_seconds"]


def test_rates_that_are_all_beyond_capacity_have_no_knee_among_them():
    # Their latencies are alike, which a knee held against the lowest rate would call good.
    rows = rows_at([2.0, 4.0, 8.0])
    assert knee(rows, 5) == (None, "below the tested rates (under 2/s)")


def test_a_run_too_short_for_a_long_queue_is_still_beyond_the_knee():
    # Twenty at once, 2 s each: the slowest waits for 40 s, and a lenient factor would allow it.
    (row,) = rows_at([8.0], requests=20)
    assert row["latency_p95_seconds"] < 30 * row["alone_latency_seconds"]
    assert knee([row], 30)[1] == "below the tested rates (under 8/s)"
    (row,) = rows_at([0.3], requests=20)  # 60 % of capacity
    assert knee([row], 30)[1] == "beyond the tested rates (above 0.3/s)"


def test_rates_that_are_all_easy_leave_the_knee_beyond_them():
    assert knee(rows_at([0.05, 0.1]), 5) == (None, "beyond the tested rates (above 0.1/s)")


def test_a_rate_whose_slowest_were_given_up_is_beyond_the_knee():
    rows = rows_at([0.1, 1.0], limit=210 * 10)
    assert rows[1]["unanswered"] == 0
    rows = rows_at([1.0], limit=200.0)
    assert rows[0]["unanswered"] > 20
    assert rows[0]["latency_p95_seconds"] is None
    assert knee(rows, 5)[0] is None
    assert good_rate(rows)[1].startswith("below")


def test_too_few_requests_leave_the_knee_unknown():
    rate, told = knee(rows_at([0.1], requests=19), 5)
    assert rate is None
    assert "20 requests a rate" in told


def test_the_highest_rate_is_the_last_before_the_first_that_fails():
    rows = [{"rate_per_second": rate} for rate in (1.0, 2.0, 3.0)]
    assert highest_rate(rows, [True, False, True])[0] == 1.0  # a lucky rate beyond is not it
