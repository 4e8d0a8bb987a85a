"""A process that forks commands, and a sweep that nobody disturbed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.record import read_rows

from .forks import Forks
from .sweeps import Sweep, make_model

ARMS = ["closed_book", "rag_bm25", "lora"]
CELLS = (f"method={','.join(ARMS)}",)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with Forks() as running:
        yield running


@pytest.fixture(scope="session")
def undisturbed(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Three cells that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    sweep = Sweep(folder, make_model(folder / "model"), CELLS, seeds="0")
    ended = forks.run(sweep.arguments, folder)
    assert ended.code == 0, sweep.log()[-3000:]
    assert [row["arm"] for row in read_rows(sweep.table)] == ARMS
    return sweep


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system; single writes are tested with their parts")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
