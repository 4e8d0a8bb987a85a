"""A sweep that is killed at five fixed stages, and resumed each time, ends as an undisturbed one.

``make faults`` does it at two hundred random points; here each kill goes on from what the ones
before have left, so they stand in the order of a sweep.
"""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from .campaign import verified
from .conftest import CELLS
from .forks import Ended, Forks, Kill
from .sweeps import Sweep, faults_in


def test_five_kills_lose_double_and_alter_nothing(forks: Forks, undisturbed: Sweep, tmp_path: Path):
    sweep = Sweep(tmp_path, undisturbed.model, CELLS, seeds="0")
    store = tmp_path / "cache" / "store"

    def killed(kill: Kill) -> Ended:
        before = sweep.finished_rows()
        ended = forks.run(sweep.arguments, tmp_path, kill)
        assert ended.code == -signal.SIGKILL, sweep.log()[-3000:]
        assert before.items() <= sweep.finished_rows().items(), "a finished cell was run again"
        return ended

    # While the index is built.
    ended = killed(Kill(at=r"open .*/store/index/\.making-[^/]+/artifact/", number=2))
    assert ended.stages == ["index"]
    assert len(sweep.finished_rows()) == 1

    # In the middle of training: the third step is done, its checkpoint is not begun.
    ended = killed(Kill(at=r"os\.mkdir .*/checkpoint-3$"))
    assert "training" in ended.stages
    assert {path.parent.name for path in store.glob("adapter/.work-*/*/seal.json")} == {
        "checkpoint-1",
        "checkpoint-2",
    }

    # While a checkpoint is written: its weights are there, its seal is not.
    ended = killed(Kill(at=r"open .*/checkpoint-4/progress\.json$"))
    assert "checkpoint" in ended.stages
    assert "training goes on from step 2" in sweep.log()
    assert not list(store.glob("adapter/.work-*/checkpoint-4/seal.json"))

    # Between predictions and row: the arm is trained and has answered.
    killed(Kill(at=r"open .*/results/faults/probes/\.lora-"))
    assert "training goes on from step 3" in sweep.log()
    assert list(sweep.record.glob("predictions/lora-*.jsonl"))
    assert len(sweep.finished_rows()) == 2

    # While the row is appended. One write cannot be interrupted, so what a disk may have kept of it
    # is put there by hand.
    ended = killed(
        Kill(at=r"open .*/runs\.csv$", after=r"os\.rename .*/results/faults/probes/lora-")
    )
    assert "row" in ended.stages
    assert len(sweep.finished_rows()) == 2
    row = next(line for run, line in undisturbed.finished_rows().items() if "lora-s0" in run)
    with sweep.table.open("ab") as file:
        file.write(row[: len(row) // 2])

    assert forks.run(sweep.arguments, tmp_path).code == 0, sweep.log()[-3000:]
    assert "the last row was cut short" in sweep.log()
    assert not faults_in(sweep, undisturbed)
    assert verified(sweep)
    assert not list(store.glob("*/.making-*"))
    assert not list(store.glob("*/.work-*"))


def test_from_a_damaged_store_come_the_same_answers(
    forks: Forks, undisturbed: Sweep, tmp_path: Path
):
    """Of each artifact one file is truncated, or has a byte flipped; its rows are made again."""
    sweep = Sweep(tmp_path, undisturbed.model, CELLS, seeds="0")
    store = tmp_path / "cache" / "store"
    shutil.copytree(undisturbed.folder / "cache", tmp_path / "cache")
    artifacts = sorted(path for path in store.glob("*/[!.]*") if path.is_dir())
    assert {path.parent.name for path in artifacts} == {"index", "adapter", "answers", "probes"}
    for number, folder in enumerate(artifacts):
        files = [path for path in folder.rglob("*.*") if path.name != "manifest.json"]
        path = max(files, key=lambda one: one.stat().st_size)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data if number % 2 else data[: len(data) // 2])
    assert not verified(sweep)
    assert forks.run(sweep.arguments, tmp_path).code == 0, sweep.log()[-3000:]
    assert sweep.log().count("rebuilding a damaged artifact") == len(artifacts)
    assert not faults_in(sweep, undisturbed)
    assert verified(sweep)
