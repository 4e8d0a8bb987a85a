from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import RecordError
from harness.load.served import Served
from harness.load.table import COLUMNS, put_row, read_table, requests_path

VALUES = {str: "a, b", int: 3, float: 0.1 + 0.2, bool: False}


def row(digest: str, **values: object) -> dict:
    return {
        **{name: VALUES[kind] for name, kind in COLUMNS.items()},
        "settings_sha256": digest,
        **values,
    }


def test_rows_are_read_as_they_were_written(tmp_path: Path):
    table = tmp_path / "load" / "run.csv"
    first, second = row("1" * 64), row("2" * 64, qoe_mean=None, forced=True, endpoint=None)
    served = [Served("q", 0.5, 0.6, (0.7, 0.8), 0.9, "", 4)]
    put_row(table, first, served)
    put_row(table, second, [])
    assert read_table(table) == [first, second]
    (line,) = requests_path(table, "1" * 64).read_text().splitlines()
    kept = json.loads(line)
    assert Served(**{**kept, "token_seconds": tuple(kept["token_seconds"])}) == served[0]


def test_a_row_takes_the_place_of_one_with_its_settings(tmp_path: Path):
    table = tmp_path / "run.csv"
    put_row(table, row("1" * 64), [])
    put_row(table, row("2" * 64), [])
    put_row(table, row("1" * 64, answered=9), [])
    assert [(one["settings_sha256"][0], one["answered"]) for one in read_table(table)] == [
        ("2", 3),
        ("1", 9),
    ]


def test_no_table_has_no_rows(tmp_path: Path):
    assert read_table(tmp_path / "none.csv") == []


def test_a_damaged_table_is_named_with_its_line(tmp_path: Path):
    table = tmp_path / "run.csv"
    put_row(table, row("1" * 64), [])
    good = table.read_text()
    table.write_text(good.replace(str(0.1 + 0.2), "much", 1))
    with pytest.raises(RecordError, match=r"run.csv, line 2: rate_per_second is 'much'"):
        read_table(table)
    table.write_text("run_id,status\na,ok\n")
    with pytest.raises(RecordError, match="not those of a load test"):
        read_table(table)
    table.write_text(good + "1,2\n")
    with pytest.raises(RecordError, match="line 3"):
        read_table(table)
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError, match="cannot be read"):
        read_table(table)
