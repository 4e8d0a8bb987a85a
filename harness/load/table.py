"""The rows of a load curve as a CSV file, each request kept beside it as a JSON line."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.load.served import Served
from harness.record import locked, replacing

Row = dict[str, Any]

COLUMNS: Mapping[str, type] = {
    "settings_sha256": str,
    "arm": str,
    "run_id": str,
    "model": str,
    "endpoint": str,
    "search": str,
    "device": str,
    "device_exclusive": bool,
    "created_at": str,
    "answer_tokens": int,
    "forced": bool,
    "batch": int,
    "seed": int,
    "rate_per_second": float,
    "offered_per_second": float,
    "requests": int,
    "answered": int,
    "failed": int,
    "unanswered": int,
    "window_seconds": float,
    "send_lag_seconds": float,
    "throughput_requests_per_second": float,
    "throughput_tokens_per_second": float,
    "tokens_in": int,
    "tokens_out": int,
    "tokens_out_least": int,
    "tokens_spread": bool,
    "ttft_p50_seconds": float,
    "ttft_p95_seconds": float,
    "tpot_p50_seconds": float,
    "alone_latency_seconds": float,
    "latency_p50_seconds": float,
    "latency_p95_seconds": float,
    "latency_p99_seconds": float,
    "expected_first_token_seconds": float,
    "expected_tokens_per_second": float,
    "qoe_mean": float,
    "qoe_good_share": float,
    "window_seconds_per_request": float,
    "busy_seconds_per_request": float,
    "energy_kwh": float,
    "energy_kwh_per_request": float,
    "energy_source": str,
    "energy_assumed_share": float,
}
"""Column -> type of its values; an empty cell is None. docs/load.md says what each means."""


def read_table(path: Path) -> list[Row]:
    """The rows of ``path``; none if it is not there.

    Raises:
        RecordError: it is no table of loads, or a cell is not of its column's type.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read ({error}); mend or remove it") from error
    return [_typed(line, f"{path}, line {number}") for number, line in enumerate(lines, start=2)]


def put_row(path: Path, row: Mapping[str, Any], served: Sequence[Served]) -> None:
    """Add a row, in place of one with its settings; its requests go beside the table first.

    Raises:
        RecordError: the folder cannot be written, or the table is damaged.
    """
    with replacing(requests_path(path, row["settings_sha256"])) as file:
        file.writelines(json.dumps(one.to_dict(), ensure_ascii=False) + "\n" for one in served)
    with locked(path):
        rows = [one for one in read_table(path) if one["settings_sha256"] != row["settings_sha256"]]
        with replacing(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for one in [*rows, row]:
                writer.writerow([_cell(one[name]) for name in COLUMNS])


def requests_path(table: Path, settings_sha256: str) -> Path:
    """Where a row's requests are kept."""
    return table.with_suffix("") / f"{settings_sha256[:16]}.jsonl"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(line: Mapping[Any, Any], where: str) -> Row:
    if set(line) != set(COLUMNS):
        raise RecordError(
            f"{where}: its columns are not those of a load test; move the file away, or use the "
            "version of the harness that wrote it"
        )
    if None in line.values():
        raise RecordError(f"{where} is cut short; mend or remove it")
    return {name: _value(kind, line[name], f"{where}: {name}") for name, kind in COLUMNS.items()}


def _value(kind: type, cell: str, where: str) -> Any:
    if not cell:
        return None
    try:
        if kind is bool:
            return {"true": True, "false": False}[cell]
        return kind(cell)
    except (ValueError, KeyError) as error:
        raise RecordError(f"{where} is '{cell}'; mend or remove the line") from error
