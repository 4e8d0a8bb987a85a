"""A store on a file system that is read-only: it is used, and a whole sweep runs beside it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .conftest import CELLS
from .forks import Forks
from .sweeps import Sweep, faults_in


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_a_sweep_on_a_read_only_store(forks: Forks, undisturbed: Sweep, disk: Path, tmp_path: Path):
    """Half of the artifacts are there; the rest is made for each process, and not kept."""
    store = undisturbed.folder / "cache" / "store"
    for kind in ("index", "probes"):
        shutil.copytree(store / kind, disk / "store" / kind)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    before = listing(disk)
    sweep = Sweep(tmp_path / "sweep", undisturbed.model, CELLS, seeds="0")
    sweep.folder.mkdir()
    (sweep.folder / "cache").symlink_to(disk)
    ended = forks.run(sweep.arguments, sweep.folder)
    assert ended.code == 0, sweep.log()[-3000:]
    assert "cannot be written (Read-only file system): this adapter is used now but not kept" in (
        sweep.log()
    )
    assert listing(disk) == before
    assert not faults_in(sweep, undisturbed)


def test_results_that_cannot_be_written_are_told_before_anything_runs(
    forks: Forks, undisturbed: Sweep, disk: Path
):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    sweep = Sweep(disk, undisturbed.model, CELLS, seeds="0")
    beside = undisturbed.folder.with_name(f"{undisturbed.folder.name}-log")
    ended = forks.run(sweep.arguments, beside)
    assert ended.code == 2
    said = (beside / "log.txt").read_text().strip()
    assert "cannot be written (Read-only file system)" in said
    assert "run 1 of" not in said
    assert "Traceback" not in said
