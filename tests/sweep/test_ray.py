"""A sweep on a real local Ray of two workers."""

from __future__ import annotations

from pathlib import Path

from harness.record import read_rows
from tests.sweep.small_sweeps import artifacts, events, finish, results, start


def test_two_ray_workers_give_the_rows_and_answers_of_one_process(
    tmp_path: Path, tiny_model_folder: Path, undisturbed: Path
):
    said = finish(start(tmp_path, tiny_model_folder, "hydra/launcher=ray", "sweep.workers=2"))
    assert results(tmp_path) == results(undisturbed)
    assert artifacts(tmp_path) == artifacts(undisturbed)  # nothing was made under another key
    assert len({event["pid"] for event in events(tmp_path)}) == 2
    # One line a cell, and no more: nothing of Ray's, nothing twice.
    assert len(said.splitlines()) == 4, said
    rows = read_rows(tmp_path / "results" / "smoke" / "runs.csv")
    assert len({row["invocation"] for row in rows}) == 1
    # The two that began first loaded, indexed and trained side by side.
    assert [row["device_exclusive"] for row in rows[:2]] == [False, False]
    assert (tmp_path / "results" / "smoke" / ".hydra" / "workers").is_dir()
    assert not (tmp_path / "outputs").exists()
