"""The journal of a sweep: what is read back of it, torn lines and dead processes included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import RecordError
from harness.sweep.journal import (
    AGAIN,
    DONE,
    FAILED,
    KEPT,
    RUNNING,
    Event,
    Sweep,
    begin,
    latest,
    path_of,
    read,
    run_ids,
    tell,
)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_last_event_of_a_cell_is_its_state(tmp_path: Path):
    begin(tmp_path, "now", 3)
    tell(tmp_path, "now", Event("rag, seed 0", "rag", 0, RUNNING))
    tell(tmp_path, "now", Event("rag, seed 0", "rag", 0, DONE, "rag-s0-1", 2.0, 0.5))
    tell(tmp_path, "now", Event("lora, seed 0", "lora", 0, RUNNING))
    sweep = read(path_of(tmp_path, "now"))
    assert (sweep.invocation, sweep.jobs) == ("now", 3)
    assert [one.state for one in sweep.cells.values()] == [DONE, RUNNING]
    assert [one.cell for one in sweep.running()] == ["lora, seed 0"]
    assert sweep.energy_kwh() == 0.5
    assert run_ids([path_of(tmp_path, "now")]) == {"rag-s0-1"}


def test_a_cell_whose_process_died_is_lost(tmp_path: Path):
    begin(tmp_path, "now", 1)
    tell(tmp_path, "now", Event("rag, seed 0", "rag", 0, RUNNING, pid=dead_pid()))
    sweep = read(path_of(tmp_path, "now"))
    assert not sweep.running()
    assert [one.cell for one in sweep.lost()] == ["rag, seed 0"]


def test_a_process_of_another_host_is_taken_to_live(tmp_path: Path):
    begin(tmp_path, "now", 1)
    tell(tmp_path, "now", Event("a", "rag", 0, RUNNING, pid=dead_pid(), host="elsewhere"))
    assert len(read(path_of(tmp_path, "now")).running()) == 1


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path):
    begin(tmp_path, "now", 1)
    tell(tmp_path, "now", Event("a", "rag", 0, DONE))
    with path_of(tmp_path, "now").open("ab") as file:
        file.write(b'[1]\n{"cell": "b"}\n\xff\n{"cell": "a", "arm": "rag", "se')
    assert list(read(path_of(tmp_path, "now")).cells) == ["a"]


def test_lines_of_many_writers_do_not_mix(tmp_path: Path):
    begin(tmp_path, "now", 400)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda i: tell(tmp_path, "now", Event(f"cell {i}", "rag", i, DONE, error="x" * 99)),
                range(400),
            )
        )
    lines = path_of(tmp_path, "now").read_text().splitlines()
    assert len(lines) == 401
    assert all(json.loads(line) for line in lines)


def test_time_left_is_estimated_by_arm():
    now = time.time()
    cells = {
        "a": Event("a", "rag", 0, DONE, seconds=10.0),
        "b": Event("b", "lora", 0, DONE, seconds=110.0),
        "c": Event("c", "lora", 1, RUNNING, at=now - 50, pid=os.getpid()),
    }
    # lora, seed 1 needs 60 s more; one cell waits, of an unknown arm: (10 + 110) / 2.
    assert Sweep("now", 4, now, cells).seconds_left() == pytest.approx(120, abs=1)
    assert Sweep("now", 4, now, {}).seconds_left() is None


def test_states_are_counted():
    cells = {
        str(i): Event(str(i), "rag", i, state)
        for i, state in enumerate([DONE, KEPT, KEPT, FAILED, AGAIN])
    }
    sweep = Sweep("now", 5, 0.0, cells)
    assert (sweep.count(KEPT), sweep.count(DONE, FAILED), sweep.count(RUNNING)) == (2, 2, 0)


def test_without_a_command_there_is_no_journal(tmp_path: Path):
    tell(tmp_path, "", Event("a", "rag", 0, DONE))
    assert not list(tmp_path.iterdir())


def test_the_latest_journal_is_found(tmp_path: Path):
    assert latest(tmp_path) is None
    for name in ("20260101T000000-aa", "20260102T000000-00"):
        begin(tmp_path, name, 1)
    found = latest(tmp_path)
    assert found is not None
    assert found.stem == "20260102T000000-00"


def test_a_journal_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(RecordError, match=r"none\.jsonl cannot be read"):
        read(tmp_path / "none.jsonl")
