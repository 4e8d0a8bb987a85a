"""Artifacts: made once, found again, rebuilt when damaged, never half there."""

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import store, store_use
from harness.errors import RecordError
from harness.store import obtain
from harness.store_use import MANIFEST


class Maker:
    """Writes one file and counts how often it was asked to."""

    def __init__(self, text: str = "bytes") -> None:
        self.calls = 0
        self.text = text

    def __call__(self, folder: Path) -> dict[str, object]:
        self.calls += 1
        (folder / "data.txt").write_text(self.text)
        return {"train": self.calls}


def test_an_artifact_is_made_once_and_keeps_its_cost(own_cache: Path):
    make = Maker()
    first = obtain("adapter", {"rank": 4}, make)
    again = obtain("adapter", {"rank": 4}, make)
    assert (first.reused, again.reused, make.calls) == (False, True, 1)
    assert again.folder == first.folder
    assert again.costs == {"train": 1}
    assert first.folder.is_relative_to(own_cache)


def test_another_key_or_kind_is_another_artifact(own_cache: Path):
    make = Maker()
    folders = {
        obtain(kind, key, make).folder
        for kind, key in (("adapter", {"a": 1}), ("adapter", {"a": 2}), ("index", {"a": 1}))
    }
    assert len(folders) == 3
    assert (
        obtain("adapter", {"b": 2, "a": 1}, make).key
        == obtain("adapter", {"a": 1, "b": 2}, make).key
    )


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest", "extra"])
def test_a_damaged_artifact_is_rebuilt(own_cache: Path, damage: str):
    make = Maker()
    made = obtain("index", {}, make)
    data, manifest = made.folder / "data.txt", made.folder / MANIFEST
    if damage == "flip":
        data.write_text("bytez")
    elif damage == "truncate":
        data.write_text("byt")
    elif damage == "remove":
        data.unlink()
    elif damage == "extra":
        (made.folder / "pytorch_model.bin").write_bytes(b"pickled")
    else:
        manifest.write_text(manifest.read_text()[:20])
    rebuilt = obtain("index", {}, make)
    assert not rebuilt.reused
    assert make.calls == 2
    assert data.read_text() == "bytes"


def test_a_maker_that_fails_leaves_nothing_behind(own_cache: Path):
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("ha")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        obtain("adapter", {"x": 1}, fail)
    left = [path for path in (own_cache / "store" / "adapter").iterdir() if path.is_dir()]
    assert left == []
    assert not obtain("adapter", {"x": 1}, Maker()).reused


def test_without_reuse_the_artifact_is_replaced(own_cache: Path):
    obtain("answers", {}, Maker("old"))
    fresh = obtain("answers", {}, Maker("new"), reuse=False)
    assert not fresh.reused
    assert (fresh.folder / "data.txt").read_text() == "new"
    assert (obtain("answers", {}, Maker("x")).folder / "data.txt").read_text() == "new"


def test_the_manifest_says_what_determines_the_artifact(own_cache: Path):
    made = obtain("adapter", {"rank": 4}, Maker())
    manifest = json.loads((made.folder / MANIFEST).read_text())
    assert manifest["key"] == {"rank": 4}
    assert list(manifest["files"]) == ["data.txt"]


def contents(kind_folder: Path) -> set[str]:
    """What lies beside the artifacts, but for locks and records of use."""
    names = {path.name for path in kind_folder.iterdir()}
    return {name for name in names if not name.endswith((".lock", ".used"))}


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(own_cache: Path):
    def fill(folder: Path) -> None:
        (folder / "half.txt").write_text("ha")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RecordError, match="No space left on device; free some space") as caught:
        obtain("adapter", {}, fill)
    assert "\n" not in str(caught.value)
    assert contents(own_cache / "store" / "adapter") == set()


def test_a_real_limit_on_file_size_while_the_manifest_is_written(own_cache: Path):
    import resource

    def make(folder: Path) -> dict[str, object]:
        (folder / "data.txt").write_text("x" * 100)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
        return {}

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(RecordError, match=r"cannot write to the store .*; free some space"):
            obtain("adapter", {}, make)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert contents(own_cache / "store" / "adapter") == set()
    assert not obtain("adapter", {}, Maker()).reused


def test_another_error_of_the_maker_is_not_blamed_on_the_store(own_cache: Path):
    def fail(folder: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such file", "corpus.txt")

    with pytest.raises(FileNotFoundError, match=r"corpus\.txt"):
        obtain("adapter", {}, fail)


KILLED = """
import os, signal, sys
from pathlib import Path
from harness import store
count = 0
def dying(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global count
        count += 1
        if count == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
def make(folder):
    (folder / "inner").mkdir()
    (folder / "data.txt").write_text("bytes")
    (folder / "inner" / "more.txt").write_text("more")
store.obtain("index", {{}}, make)  # once undisturbed, so that the second replaces it
for name in ("fsync", "replace", "rename", "rmdir", "unlink", "mkdir", "open"):
    setattr(os, name, dying(name))
store.obtain("index", {{}}, make, reuse=False)
print("lived")
"""


def test_a_kill_at_any_point_leaves_no_artifact_or_a_whole_one(own_cache: Path):
    """SIGKILL at each of the system calls that a making consists of."""
    lived, seen = False, set()
    for at in range(1, 60):
        shutil.rmtree(own_cache, ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-c", KILLED.format(at=at)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            lived = True
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        folder, _ = store.place("index", {})
        present = folder.exists()
        if present:
            store_use.checked_manifest(folder)  # raises if anything is missing or altered
        seen.add(present)
        again = obtain("index", {}, Maker())
        assert again.reused == present
        store_use.let_go(folder)
        if not present:  # the next maker clears what the dead one left
            assert contents(folder.parent) == {folder.name}
    assert lived
    assert at > 20
    assert seen == {True, False}


@pytest.fixture
def read_only_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store with one index in it, and no right to write; root becomes nobody meanwhile."""
    home = Path(tempfile.mkdtemp(prefix="harness-test-"))
    monkeypatch.setenv("HARNESS_CACHE", str(home / "cache"))
    made = obtain("index", {"there": 1}, Maker("stored"))
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield made.folder
    finally:
        if root:
            os.seteuid(0)
        for path in (home, *home.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(home)
        store._kept_for_this_process.clear()


def test_a_read_only_store_is_read(read_only_store: Path):
    found = obtain("index", {"there": 1}, lambda folder: pytest.fail("made again"))
    assert found.reused
    assert (found.folder / "data.txt").read_text() == "stored"


def test_what_a_read_only_store_lacks_is_made_for_this_process(read_only_store: Path, caplog):
    make = Maker("new")
    with caplog.at_level(logging.WARNING):
        made = obtain("adapter", {"new": 1}, make)
    assert "cannot be written" in caplog.text
    assert "used now but not kept" in caplog.text
    assert (made.folder / "data.txt").read_text() == "new"
    assert not made.folder.is_relative_to(store.store_folder())
    again = obtain("adapter", {"new": 1}, make)
    assert (made.reused, again.reused, make.calls) == (False, True, 1)
    assert again.costs == {"train": 1}


def test_a_damaged_artifact_of_a_read_only_store_is_not_used(read_only_store: Path, caplog):
    if os.geteuid() == 65534:
        os.seteuid(0)
    data = read_only_store / "data.txt"
    data.chmod(0o644)
    data.write_text("stoled")
    if os.getuid() == 0:
        os.seteuid(65534)
    made = obtain("index", {"there": 1}, Maker("new"))
    assert not made.reused
    assert (made.folder / "data.txt").read_text() == "new"
    assert data.exists()


def test_a_making_that_fails_keeps_its_work_until_the_artifact_is_whole(own_cache: Path):
    work = store.work_folder("adapter", {"a": 1})

    def half(folder: Path) -> None:
        work.mkdir(exist_ok=True)
        (work / "step").write_text("7")
        raise ValueError("killed")

    with pytest.raises(ValueError, match="killed"):
        obtain("adapter", {"a": 1}, half)
    assert (work / "step").read_text() == "7"
    obtain("adapter", {"a": 1}, Maker())
    assert not work.exists()


def test_without_reuse_earlier_work_is_not_gone_on_from(own_cache: Path):
    work = store.work_folder("adapter", {"a": 1})
    work.mkdir(parents=True)

    def make(folder: Path) -> None:
        assert not work.exists()

    obtain("adapter", {"a": 1}, make, reuse=False)


WAITING = """
import sys, time
from pathlib import Path
from harness import store
def make(folder):
    time.sleep(0.5)
    (folder / "data.txt").write_text("bytes")
    print("made", flush=True)
    return {}
store.obtain("index", {}, make)
"""


def test_two_processes_do_not_make_the_same_artifact(own_cache: Path):
    command = [sys.executable, "-c", WAITING]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = "".join(process.communicate(timeout=60)[0] for process in both)
    assert told == "made\n"
    assert [process.returncode for process in both] == [0, 0]
