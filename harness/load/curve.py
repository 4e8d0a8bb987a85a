"""What a rate's requests say together: one row of the load curve, and the knee of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from harness.economics.qoe import quality_of_experience, time_per_output_token, time_to_first_token
from harness.load.config import GOOD_QOE, LoadConfig
from harness.load.served import GIVEN_UP, Driven, Served
from harness.metering.energy import energy_assumed_share, energy_source_name
from harness.metering.latency import LEAST_REQUESTS, percentiles

Row = Mapping[str, Any]

KEEPS_UP = 0.8
"""Least share of the offered rate that is answered, the wait for the last answers included.

Of 300 simulated runs of 20 requests with even answers, 98 % reached it at 70 % of the capacity and
0.3 % at twice the capacity."""


def measured(driven: Driven, config: LoadConfig) -> dict[str, Any]:
    """The measured columns of a rate (``harness.load.table.COLUMNS``).

    Percentiles are of all requests: one without an answer counts as slower than any with one, so
    a percentile that would rest on it is null.
    """
    served = driven.served
    answered = [one for one in served if one.finished_seconds is not None]
    unanswered = sum(one.error == GIVEN_UP for one in served)
    tokens = sum(len(one.token_seconds) for one in answered)
    latency = open_percentiles([one.latency_seconds for one in served])
    first = open_percentiles([time_to_first_token(one.arrivals) for one in served])
    paces = [time_per_output_token(one.arrivals) for one in answered]
    scores = [quality_of_experience(one.arrivals, config.expected) for one in answered]
    known = [score for score in scores if score is not None]
    reading, each = driven.reading, max(len(answered), 1)
    last = served[-1].intended_seconds
    return {
        "offered_per_second": len(served) / last if last > 0 else None,
        "answered": len(answered),
        "failed": len(served) - len(answered) - unanswered,
        "unanswered": unanswered,
        "window_seconds": driven.window_seconds,
        "send_lag_seconds": send_lag(driven),
        "throughput_requests_per_second": len(answered) / driven.window_seconds,
        "throughput_tokens_per_second": tokens / driven.window_seconds,
        "tokens_in": _summed([one.tokens_in for one in answered]),
        "tokens_out": tokens,
        "tokens_out_least": min((len(one.token_seconds) for one in answered), default=None),
        "tokens_spread": any(one.spread for one in answered),
        "ttft_p50_seconds": first["latency_p50_seconds"],
        "ttft_p95_seconds": first["latency_p95_seconds"],
        "tpot_p50_seconds": _median([pace for pace in paces if pace is not None]),
        **latency,
        "qoe_mean": fmean(known) if known else None,
        "qoe_good_share": sum(score >= GOOD_QOE for score in known) / len(served),
        "window_seconds_per_request": driven.window_seconds / each if answered else None,
        "busy_seconds_per_request": None
        if driven.busy_seconds is None or not answered
        else driven.busy_seconds / each,
        "energy_kwh": reading.energy_kwh if reading else None,
        "energy_kwh_per_request": None
        if reading is None or reading.energy_kwh is None or not answered
        else reading.energy_kwh / each,
        "energy_source": energy_source_name(reading) if reading else "none",
        "energy_assumed_share": energy_assumed_share(reading) if reading else None,
    }


def open_percentiles(seconds: Sequence[float | None]) -> dict[str, float | None]:
    """As ``percentiles``, with None for what never came: it counts as slower than all that did."""
    known = [value for value in seconds if value is not None]
    longest = max(known, default=0.0)
    found = percentiles([longest if value is None else value for value in seconds])
    for percent in LEAST_REQUESTS:
        if math.ceil((len(seconds) - 1) * percent / 100) >= len(known):
            found[f"latency_p{percent}_seconds"] = None
    return found


def send_lag(driven: Driven) -> float | None:
    """The most that a request was sent after its time; None where a queue is in this process."""
    if driven.busy_seconds is not None:
        return None
    lags = [
        one.begun_seconds - one.intended_seconds
        for one in driven.served
        if one.begun_seconds is not None
    ]
    return max(lags, default=None)


def knee(rows: Sequence[Row], factor: float) -> tuple[float | None, str]:
    """The highest rate up to which the 95th percentile of latency stays low, and its wording.

    Low: at most ``factor`` times the latency of a request answered alone, while answers keep up
    with arrivals (a short run ends before its queue is long), at this rate and at all tested ones
    below it. It is held against a request alone, not against the lowest rate, which may itself be
    beyond the knee.

    Args:
        rows: of one arm and one length, by ascending rate.
    """
    least = LEAST_REQUESTS[95]
    if any(row["requests"] < least for row in rows):
        return None, f"unknown: a 95th percentile needs {least} requests a rate"
    return highest_rate(
        rows,
        [
            row["latency_p95_seconds"] is not None
            and row["latency_p95_seconds"] <= factor * row["alone_latency_seconds"]
            and row["throughput_requests_per_second"] >= KEEPS_UP * row["offered_per_second"]
            for row in rows
        ],
    )


def good_rate(rows: Sequence[Row]) -> tuple[float | None, str]:
    """The highest rate up to which every request is answered and mean QoE is at least 0.9."""
    return highest_rate(
        rows,
        [
            row["qoe_mean"] is not None
            and row["qoe_mean"] >= GOOD_QOE
            and row["answered"] == row["requests"]
            for row in rows
        ],
    )


def highest_rate(rows: Sequence[Row], holds: Sequence[bool]) -> tuple[float | None, str]:
    """The last rate before the first at which it does not hold, and how that is said."""
    rates = [row["rate_per_second"] for row in rows]
    if all(holds):
        return None, f"beyond the tested rates (above {rates[-1]:g}/s)"
    first = list(holds).index(False)
    if first == 0:
        return None, f"below the tested rates (under {rates[0]:g}/s)"
    return rates[first - 1], f"{rates[first - 1]:g}/s, and no more at {rates[first]:g}/s"


def median_latency(served: Sequence[Served]) -> float | None:
    """The median latency of requests that were answered alone; None if one was not answered."""
    known = [one.latency_seconds for one in served if one.latency_seconds is not None]
    return _median(known) if len(known) == len(served) else None


def _median(values: Sequence[float]) -> float | None:
    return percentiles(values)["latency_p50_seconds"]


def _summed(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
