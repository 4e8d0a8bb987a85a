"""Making room: least recently used first, never what is in use, and what the dead left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import store, store_gc, store_listing, store_use
from harness.store import obtain

SIZE = 10_000


def artifact(number: int, size: int = SIZE) -> Path:
    """An artifact that nobody holds."""

    def make(folder: Path) -> None:
        (folder / "data").write_bytes(b"x" * size)

    folder = obtain("index", {"n": number}, make).folder
    store_use.let_go(folder)
    return folder


def there(folders: list[Path]) -> list[bool]:
    return [folder.exists() for folder in folders]


def test_the_least_recently_used_go_first(own_cache: Path):
    folders = [artifact(n) for n in range(4)]
    artifact(0)  # used again: now the most recent
    freed = store_gc.collect(max_bytes=2 * SIZE + 2000)
    assert there(folders) == [True, False, False, True]
    assert [entry.folder for entry in freed.artifacts] == [folders[1], folders[2]]
    assert freed.freed_bytes > 2 * SIZE
    assert freed.left_bytes == sum(store_listing.size_of(folders[n]) for n in (0, 3))
    assert not folders[1].with_name(f".{folders[1].name}.used").exists()


def test_a_dry_run_removes_nothing(own_cache: Path):
    folders = [artifact(n) for n in range(2)]
    freed = store_gc.collect(max_bytes=0, dry_run=True)
    assert len(freed.artifacts) == 2
    assert there(folders) == [True, True]


def test_what_was_used_lately_stays_if_only_old_ones_are_to_go(own_cache: Path, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3 * 86_400)
    old = artifact(1)
    monkeypatch.setattr(time, "time", lambda: now)
    new = artifact(2)
    store_gc.collect(max_bytes=0, older_than_days=2)
    assert there([old, new]) == [False, True]


def test_a_clock_that_went_back_makes_nothing_old(own_cache: Path, monkeypatch):
    now = time.time()
    folder = artifact(1)
    monkeypatch.setattr(time, "time", lambda: now - 10 * 86_400)
    assert store_gc.collect(older_than_days=0).artifacts == []
    assert folder.exists()


def test_artifacts_of_before_uses_were_recorded_go_by_their_making(own_cache: Path):
    folders = [artifact(n) for n in (1, 2)]
    for folder in folders:
        store_use.forget(folder)
    manifest = folders[1] / store_use.MANIFEST
    manifest.write_text(manifest.read_text().replace('"made_at": "20', '"made_at": "19'))
    store_gc.collect(max_bytes=SIZE + 2000)
    assert there(folders) == [True, False]


def test_what_this_process_reads_stays(own_cache: Path):
    folder = artifact(1)
    held = obtain("index", {"n": 1}, lambda folder: pytest.fail("made twice")).folder
    freed = store_gc.collect(max_bytes=0)
    assert held == folder
    assert folder.exists()
    assert [entry.folder for entry in freed.in_use] == [folder]


OTHER = """
import sys
from harness import store
{what}
print("ready", flush=True)
sys.stdin.read()
"""
READS = 'store.obtain("index", {"n": 1}, lambda folder: None)'
MAKES = """
def make(folder):
    (folder / "half").write_text("ha")
    print("ready", flush=True)
    sys.stdin.read()
store.obtain("index", {"n": 2}, make)
"""


def other_process(what: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER.format(what=what)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_another_process_reads_stays_until_it_is_gone(own_cache: Path):
    folder = artifact(1)
    reader = other_process(READS)
    assert store_gc.collect(max_bytes=0).artifacts == []
    assert folder.exists()
    reader.kill()
    reader.wait()
    assert len(store_gc.collect(max_bytes=0).artifacts) == 1
    assert not folder.exists()


def test_scratch_of_a_maker_stays_while_it_lives(own_cache: Path):
    maker = other_process(MAKES)
    store_gc.collect()
    (scratch,) = store_listing.scratch()
    assert (scratch / "artifact" / "half").exists()
    maker.kill()
    maker.wait()
    freed = store_gc.collect()
    assert (freed.scratch_folders, freed.scratch_bytes) == (1, 2)
    assert store_listing.scratch() == []


def test_scratch_of_an_unknown_maker_goes_after_a_day(own_cache: Path):
    artifact(1)
    unnamed = store.store_folder() / "index" / ".making-abc123"
    unnamed.mkdir()
    store_gc.collect()
    assert unnamed.exists()
    os.utime(unnamed, (time.time() - 90_000, time.time() - 90_000))
    store_gc.collect()
    assert not unnamed.exists()


def test_unfinished_work_is_kept_for_a_week(own_cache: Path):
    artifact(1)
    work = store.work_folder("index", {"n": 9})
    work.mkdir()
    week = 7 * 86_400
    os.utime(work, (time.time() - week + 60, time.time() - week + 60))
    store_gc.collect(max_bytes=0)
    assert work.exists()
    os.utime(work, (time.time() - week - 60, time.time() - week - 60))
    store_gc.collect()
    assert not work.exists()


def test_the_limit_is_logged_and_its_shortfall_too(own_cache: Path, caplog):
    artifact(1)
    obtain("index", {"n": 1}, lambda folder: None)
    with caplog.at_level("WARNING"):
        store_gc.apply_limit(0)
    assert "above HARNESS_STORE_MAX_GIB=0.00: the rest is in use" in caplog.text
