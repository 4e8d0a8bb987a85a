"""Use of artifacts: counted in an order of its own, held while it lasts, checked each time."""

import os
import time
from pathlib import Path

import pytest

from harness import store, store_use
from harness.errors import ConfigError
from harness.store import obtain


def artifact(number: int) -> Path:
    made = obtain("index", {"n": number}, lambda folder: (folder / "x").write_text("x") and None)
    return made.folder


def test_each_use_is_counted_and_the_last_one_dated(own_cache: Path):
    before = int(time.time())
    for _ in range(3):
        folder = artifact(1)
    use = store_use.use_of(folder)
    assert use.times == 3
    assert use.last_seconds is not None
    assert before <= use.last_seconds <= time.time()


def test_the_order_of_use_holds_when_the_clock_goes_back(own_cache: Path, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    first, second = artifact(1), artifact(2)
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    assert artifact(1) == first
    ticks = [store_use.use_of(folder).tick for folder in (first, second)]
    assert ticks == [3, 2]
    assert store_use.use_of(first).last_seconds == pytest.approx(now - 86_400, abs=1)


def test_a_broken_record_of_use_is_no_use(own_cache: Path):
    folder = artifact(1)
    folder.with_name(f".{folder.name}.used").write_text("12 noon\n")
    assert store_use.use_of(folder).times == 0


def test_what_is_held_is_not_unused_until_it_is_let_go(own_cache: Path):
    folder = artifact(1)
    with store_use.unused(folder) as free:
        assert not free
    store_use.let_go(folder)
    with store_use.unused(folder) as free:
        assert free


def test_a_session_lets_go_of_everything_at_its_end(own_cache: Path):
    with store_use.session():
        folder = artifact(1)
    with store_use.unused(folder) as free:
        assert free


def test_a_session_keeps_what_it_used_and_removes_the_rest(own_cache: Path, monkeypatch):
    with store_use.session():
        old = artifact(1)
    monkeypatch.setenv("HARNESS_STORE_MAX_GIB", "0")
    with store_use.session():
        new = artifact(2)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_session_that_fails_removes_nothing(own_cache: Path, monkeypatch):
    with store_use.session():
        old = artifact(1)
    monkeypatch.setenv("HARNESS_STORE_MAX_GIB", "0")
    with pytest.raises(ValueError, match="no"), store_use.session():
        raise ValueError("no")
    assert old.exists()


def test_a_size_that_is_none_is_refused_before_anything_runs(own_cache: Path, monkeypatch):
    monkeypatch.setenv("HARNESS_STORE_MAX_GIB", "20GB")
    refused = pytest.raises(ConfigError, match="HARNESS_STORE_MAX_GIB is '20GB'; it is a number")
    with refused, store_use.session():
        pytest.fail("it ran")


def aged(path: Path) -> Path:
    """The file as if written an hour ago (its last change of inode is still now)."""
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return path


def test_a_file_is_hashed_once_a_process_unless_it_may_have_changed(
    own_cache: Path, tmp_path: Path, monkeypatch
):
    hashed = []
    real = store_use.sha256_of_file

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return real(path)

    monkeypatch.setattr(store_use, "sha256_of_file", counted)
    path = tmp_path / "model"
    path.write_bytes(b"weights")
    store_use._sha256_once(path)
    store_use._sha256_once(path)
    assert len(hashed) == 2  # too young: a change within the clock's resolution would not show
    monkeypatch.setattr(store_use, "SETTLED_NS", 0)
    digest = store_use._sha256_once(path)
    assert store_use._sha256_once(path) == digest
    assert len(hashed) == 3
    path.write_bytes(b"weighty")  # a byte flipped, the size the same
    aged(path)  # and the time of the change disguised
    assert store_use._sha256_once(path) != digest
    assert len(hashed) == 4


def test_a_byte_flipped_within_the_process_is_found(own_cache: Path, monkeypatch):
    monkeypatch.setattr(store_use, "SETTLED_NS", 0)
    folder = artifact(1)
    assert store.open_whole(folder) is not None
    stamp = (folder / "x").stat()
    (folder / "x").write_text("y")
    os.utime(folder / "x", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert store.open_whole(folder) is None
