"""A disk that is full, really: a small file system of its own, filled while a sweep runs."""

from __future__ import annotations

from pathlib import Path

from .campaign import verified
from .conftest import CELLS
from .forks import Forks, Kill
from .sweeps import Sweep, faults_in


def test_a_full_disk_is_one_line_each_time_and_nothing_is_lost(
    forks: Forks, undisturbed: Sweep, disk: Path, tmp_path: Path
):
    sweep = Sweep(disk, undisturbed.model, CELLS, seeds="0")
    log = tmp_path / "log.txt"
    (disk / "log.txt").symlink_to(log)  # what is printed is no part of the disk

    def filled(kill: Kill) -> str:
        """What is printed when the disk is full from then on."""
        log.write_text("")
        before = sweep.finished_rows()
        ended = forks.run([*sweep.arguments, "--rerun", "failed"], disk, kill)
        assert ended.met, f"it did not come to {kill.at}: {log.read_text()[-3000:]}"
        assert ended.code in (1, 2), log.read_text()[-3000:]
        (disk / "filler").unlink()
        said = log.read_text()
        assert "Traceback" not in said
        finished = {run: row for run, row in before.items() if b",failed," not in row}
        assert finished.items() <= sweep.finished_rows().items()
        return said

    said = filled(Kill(at=r"os\.mkdir .*/checkpoint-2$", fill=True))
    assert "training goes on without a checkpoint at step 2" in said
    assert "No space left on device" in said

    said = filled(Kill(at=r"open .*/results/faults/predictions/\.lora-", fill=True))
    assert "/predictions/lora-" in said
    assert "cannot be written (No space left on device)" in said

    said = filled(Kill(at=r"runs\.csv$", after=r"os\.rename .*/probes/lora-", fill=True))
    assert "runs.csv cannot be written (No space left on device): free space there" in said

    assert forks.run([*sweep.arguments, "--rerun", "failed"], disk).code == 0, log.read_text()
    assert not faults_in(sweep, undisturbed)
    assert verified(sweep)
