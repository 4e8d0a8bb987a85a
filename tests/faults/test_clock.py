"""A clock that is set back, as after a wrong one was corrected: nothing crashes or is negative."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import record, store
from harness.record import append_row, read_rows
from harness.row import new_row
from harness.store_use import use_of
from harness.sweep.journal import DONE, RUNNING, Event, Sweep, begin, path_of, read, tell
from harness.sweep.status_command import status_lines
from harness.sweep.watch import headline, view

YEAR = 365 * 24 * 3600.0


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Sets the clock of this process a year back; what counts from a start goes on."""
    real = time.time

    def act() -> None:
        monkeypatch.setattr(time, "time", lambda: real() - YEAR)

    return act


def test_a_journal_that_ends_before_it_began(tmp_path: Path, set_back: Callable[[], None]):
    begin(tmp_path, "now", 3)
    tell(tmp_path, "now", Event("a", "rag", 0, RUNNING))
    tell(tmp_path, "now", Event("b", "rag", 1, RUNNING))
    set_back()
    told = Event("a", "rag", 0, DONE, seconds=4.0, energy_kwh=0.001, at=time.time())
    tell(tmp_path, "now", told)
    sweep = read(path_of(tmp_path, "now"))
    # By their order in the file, not by the time they tell.
    assert [event.state for event in sweep.cells.values()] == [DONE, RUNNING]
    assert sweep.cells["a"].at < sweep.began_at
    left = sweep.seconds_left()
    assert left is not None
    assert left >= 0
    text = "\n".join(status_lines(path_of(tmp_path, "now")))
    assert "1 of 3 ended, 1 running" in text
    assert "running: b, for 0 s" in text
    assert "-" not in headline(sweep)
    assert view(sweep).row_count == 3


def test_time_left_is_no_more_than_the_cells_take(set_back: Callable[[], None]):
    cells = {
        "a": Event("a", "rag", 0, DONE, seconds=10.0),
        "b": Event("b", "rag", 1, RUNNING),
    }
    set_back()
    assert Sweep("now", 2, 0.0, cells).seconds_left() == pytest.approx(10.0)


def test_rows_keep_the_order_in_which_they_were_written(tmp_path: Path):
    path = tmp_path / "runs.csv"
    identity = {"experiment": "e", "arm": "rag", "task": "t", "model": "m", "status": "ok"}
    for number, at in enumerate(("2026-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00")):
        row = new_row(**identity, run_id=f"r{number}", seed=number, created_at=at)
        append_row(path, row)
    assert [row["run_id"] for row in read_rows(path)] == ["r0", "r1"]
    record.put_row(path, new_row(**identity, run_id="r0", seed=0, created_at="2024-01-01"))
    assert [row["run_id"] for row in read_rows(path)] == ["r1", "r0"]


def test_the_store_orders_uses_by_count(own_cache: Path, set_back: Callable[[], None]):
    def make(folder: Path) -> None:
        (folder / "data").write_text("x")

    first = store.obtain("index", {"a": 1}, make)
    second = store.obtain("index", {"a": 2}, make)
    set_back()
    again = store.obtain("index", {"a": 1}, make)
    assert again.reused
    assert use_of(first.folder).tick > use_of(second.folder).tick


def test_a_file_from_the_future_is_hashed_and_found(own_cache: Path, set_back: Callable[[], None]):
    def make(folder: Path) -> None:
        (folder / "data").write_text("whole")

    made = store.obtain("index", {"a": 1}, make)
    set_back()
    assert store.obtain("index", {"a": 1}, make).reused
    (made.folder / "data").write_text("hole")
    assert not store.obtain("index", {"a": 1}, make).reused
