"""``harness status``: the state of a sweep from another terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError, RecordError
from harness.sweep.journal import DONE, FAILED, RUNNING, Event, begin, tell
from harness.sweep.status_command import main
from tests.sweep.test_journal import dead_pid


def test_running_failed_and_lost_cells_are_named(tmp_path: Path, capsys):
    begin(tmp_path, "now", 4)
    tell(tmp_path, "now", Event("a", "rag", 0, DONE, seconds=3.0))
    tell(tmp_path, "now", Event("b", "rag", 1, FAILED, error="no memory"))
    tell(tmp_path, "now", Event("c", "rag", 2, RUNNING))
    tell(tmp_path, "now", Event("d", "rag", 3, RUNNING, pid=dead_pid()))
    assert main([str(tmp_path)]) == 1
    first, *others = capsys.readouterr().out.splitlines()
    assert "2 of 4 ended, 1 running, 1 failed, 1 lost" in first
    assert others[0].startswith("  running: c, for 0 s (process ")
    assert others[1].startswith("  lost: d: its process ")
    assert others[2] == "  b: failed: no memory"


def test_a_folder_of_experiments_tells_of_each(tmp_path: Path, capsys):
    for name in ("one", "two"):
        begin(tmp_path / name, "now", 1)
        tell(tmp_path / name, "now", Event("a", "rag", 0, DONE))
    assert main([str(tmp_path)]) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "one"),
        str(tmp_path / "two"),
    ]


def test_watching_ends_with_the_sweep(tmp_path: Path, capsys):
    begin(tmp_path, "now", 1)
    tell(tmp_path, "now", Event("a", "rag", 0, DONE))
    assert main([str(tmp_path), "--watch", "0.1"]) == 0
    assert "1 of 1 ended" in capsys.readouterr().out


def test_wrong_input_is_one_line(tmp_path: Path):
    with pytest.raises(RecordError, match="holds no sweep"):
        main([str(tmp_path)])
    with pytest.raises(RecordError, match="is no folder"):
        main([str(tmp_path / "none")])
    with pytest.raises(ConfigError, match="harness status --help"):
        main([])
