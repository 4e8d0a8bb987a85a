"""A load curve in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from harness.load.config import GOOD_QOE
from harness.load.curve import Row, good_rate, knee

EMPTY = "–"
"""An unknown figure: never zero."""

OFF = 0.1
"""How far the drawn arrivals may be from their rate before that is said."""

HEADINGS = (
    *("rate/s", "answered", "req/s", "tokens/s", "TTFT p50 s", "p95", "ms/token"),
    *("latency p50 s", "p95", "p99", "QoE", f"QoE ≥ {GOOD_QOE:g} %", "busy s/req", "mWh/req"),
    "US$/1000 req",
)


def shown(rows: Sequence[Row], factor: float) -> str:
    """The tables of an arm, one for each length, with the knee of each."""
    parts = []
    for length, some in groupby(rows, key=lambda row: row["answer_tokens"]):
        parts.append(_one(list(some), length, factor))
    return "\n".join(parts)


def _one(rows: Sequence[Row], length: int, factor: float) -> str:
    first = rows[0]
    table = [HEADINGS, *map(_cells, rows)]
    if all(row["usd_per_request"] is None for row in rows):
        table = [line[:-1] for line in table]
    lines = [_title(first, length), *_grid(table)]
    alone = max(row["alone_latency_seconds"] for row in rows)
    lines += [
        f"knee: {knee(rows, factor)[1]} (p95 of latency at most {factor:g} times the "
        f"{_figure(alone)} s of a request alone, and answers keep up with arrivals)",
        f"mean QoE of {GOOD_QOE:g} or more, every request answered: {good_rate(rows)[1]}",
        f"expected: first token after {first['expected_first_token_seconds']:g} s, then "
        f"{first['expected_tokens_per_second']:g} tokens/s",
        *_remarks(rows),
    ]
    return "\n".join(lines) + "\n"


def _title(row: Row, length: int) -> str:
    where = f" at {row['endpoint']}" if row["endpoint"] else f", batches of up to {row['batch']}"
    said = f"up to {length} tokens"
    if row["forced"] and not row["endpoint"]:
        said = f"{length} tokens, each forced to go on to that length"
    return f"{row['arm']}, {row['model']}{where}: answers of {said}"


def _cells(row: Row) -> tuple[str, ...]:
    def times(name: str, factor: float) -> str:
        return _figure(None if row[name] is None else row[name] * factor)

    return (
        f"{row['rate_per_second']:g}",
        f"{row['answered']}/{row['requests']}",
        *(
            _figure(row[name])
            for name in (
                "throughput_requests_per_second",
                "throughput_tokens_per_second",
                "ttft_p50_seconds",
                "ttft_p95_seconds",
            )
        ),
        times("tpot_p50_seconds", 1e3),
        *(_figure(row[f"latency_p{percent}_seconds"]) for percent in (50, 95, 99)),
        _figure(row["qoe_mean"]),
        f"{100 * row['qoe_good_share']:.0f}",
        _figure(row["busy_seconds_per_request"]),
        times("energy_kwh_per_request", 1e6),
        times("usd_per_request", 1e3),
    )


def _remarks(rows: Sequence[Row]) -> list[str]:
    remarks = []
    offered = rows[0]["offered_per_second"] / rows[0]["rate_per_second"]
    if abs(offered - 1) > OFF:
        remarks.append(
            f"as drawn (--seed {rows[0]['seed']}), requests came at {offered:.2f} times the named "
            "rates, for every arm; more of them come nearer"
        )
    if any(row["energy_source"] == "estimate" for row in rows):
        remarks.append("energy is an estimate, not read from a counter")
    if any(row["failed"] or row["unanswered"] for row in rows):
        remarks.append(
            "a request without an answer counts as slower than all others: a percentile that "
            "would rest on it is empty, and mean QoE is of those that were answered"
        )
    if any(row["search"] == "beforehand" for row in rows):
        remarks.append("passages were found beforehand: the search is in no figure")
    if any(row["endpoint"] for row in rows):
        least = min(row["tokens_out_least"] or 0 for row in rows)
        most = max(row["send_lag_seconds"] or 0.0 for row in rows)
        remarks.append(
            f"the shortest answer had {least} tokens; requests were sent at most "
            f"{1e3 * most:.0f} ms after their time"
        )
        counted = "a chunk is taken to be a token"
        if any(row["tokens_spread"] for row in rows):
            counted = "chunks held several tokens: the server's count is spread over them"
        remarks.append(counted)
    if any(row["device_exclusive"] is False for row in rows):
        remarks.append("others used the device meanwhile")
    return remarks


def _grid(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]


def _figure(value: Any) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return EMPTY
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".") if value >= 1e-3 or value == 0 else f"{value:.2g}"
