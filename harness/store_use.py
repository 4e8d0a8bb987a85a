"""Using artifacts: checked before use, held while in use, and when each was used last."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows: artifacts are not held there, so remove none while a run goes on
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"

SETTLED_NS = 2 * 10**9
"""A file younger than this may change again within the resolution of its time stamp."""

_held: dict[Path, IO[bytes]] = {}
"""Manifests of the artifacts in use, open under a shared lock."""

_verified: dict[Path, tuple[tuple[int, ...], str]] = {}
"""Files hashed by this process: what the file system said of them then, and their sha256."""


@dataclass(frozen=True)
class Use:
    """How often and when an artifact was used.

    Attributes:
        times: uses on record, the making included; 0 where none was recorded.
        tick: place of the last use in the order of all uses of the store; 0 if unknown. It is
            counted, so it holds when the clock is set back.
        last_seconds: Unix time of the last use; None if unknown.
    """

    times: int = 0
    tick: int = 0
    last_seconds: float | None = None


@contextmanager
def session() -> Iterator[None]:
    """A run: artifacts it opens are held until it ends, then the store's size limit is applied.

    Raises:
        ConfigError: HARNESS_STORE_MAX_GIB is not a size; before anything runs.
    """
    from harness import store_gc

    limit = store_gc.limit_bytes()
    try:
        yield
        if limit is not None:  # while they are held: what this run used is not removed
            store_gc.apply_limit(limit)
    finally:
        for folder in list(_held):
            let_go(folder)


def hold(folder: Path) -> None:
    """Keep others from removing the artifact in ``folder``: a shared lock on its manifest.

    The lock goes with the process that has it, however that ends, and needs no right to write.
    """
    if fcntl is None or folder in _held:
        return
    try:
        stream = (folder / MANIFEST).open("rb")
        fcntl.flock(stream, fcntl.LOCK_SH)
    except OSError as error:  # no manifest, or a file system without locks
        logger.debug("not held: %s: %s", folder, error)
        return
    _held[folder] = stream


def let_go(folder: Path) -> None:
    """Stop holding the artifact in ``folder``."""
    stream = _held.pop(folder, None)
    if stream is not None:
        stream.close()


@contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Whether no process, this one included, holds the artifact; none can while this lasts."""
    if fcntl is None:
        yield True
        return
    try:
        stream = (folder / MANIFEST).open("rb")
    except OSError:
        yield True  # half an artifact: nobody can be using it
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def record(folder: Path) -> None:
    """Note that the artifact in ``folder`` is used now; silent where that cannot be written."""
    try:
        # Appending is atomic among processes; the length reached is this use's place in the order.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        clock = os.open(folder.parent.parent / ".uses", flags, 0o644)
        try:
            os.write(clock, b".")
            tick = os.lseek(clock, 0, os.SEEK_CUR)
        finally:
            os.close(clock)
        with _record_path(folder).open("a", encoding="ascii") as stream:
            stream.write(f"{tick} {int(time.time())}\n")
    except OSError as error:
        logger.debug("use not recorded: %s: %s", folder, error)


def use_of(folder: Path) -> Use:
    """How often and when the artifact in ``folder`` was used."""
    try:
        lines = _record_path(folder).read_text(encoding="ascii").splitlines()
        ticks = [(int(tick), float(seconds)) for tick, seconds in map(str.split, lines)]
    except (OSError, ValueError):
        return Use()
    tick, seconds = max(ticks, default=(0, None))
    return Use(len(ticks), tick, seconds)


def forget(folder: Path) -> None:
    """Remove the record of an artifact's uses."""
    _record_path(folder).unlink(missing_ok=True)


def checked_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the artifact in ``folder``, every file found to have its sha256.

    Raises:
        OSError, ValueError, KeyError, TypeError: it is damaged; the message says how.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    wanted = dict(manifest["files"])
    present = files_in(folder)
    for name in sorted(set(wanted) | set(present)):
        if name not in present:
            raise ValueError(f"{name} is missing")
        if name not in wanted:
            raise ValueError(f"{name} is not in the manifest")
        if _sha256_once(folder / name) != wanted[name]:
            raise ValueError(f"{name} does not match its checksum")
    if not isinstance(manifest["costs"], dict):
        raise TypeError("the manifest's costs are no readings")
    return dict(manifest)


def files_in(folder: Path) -> list[str]:
    """Names of an artifact's files, relative to its folder, but for the manifest."""
    paths = (path for path in folder.rglob("*") if not path.is_dir())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return sorted(name for name in names if name != MANIFEST)


def sha256_of_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256_once(path: Path) -> str:
    """Hex sha256 of a file's bytes, hashed again by this process only if the file may have changed.

    Hashing a model of half a gigabyte takes a second, and a sweep opens it in every cell. A write
    through the file system changes the time of the inode's last change, which no program can set;
    a file that changed too recently for that to show is not remembered. What is not seen this way
    is a byte that rots on the disk after this process read it, which hashing the system's cached
    copy again would not show either. Nothing is remembered from one process to the next.
    """
    before = _stamp(path)
    known = _verified.get(path)
    if known is not None and known[0] == before:
        return known[1]
    digest = sha256_of_file(path)
    changed_ns = max(before[-2:])
    if _stamp(path) == before and abs(time.time_ns() - changed_ns) > SETTLED_NS:
        _verified[path] = (before, digest)
    return digest


def _stamp(path: Path) -> tuple[int, ...]:
    """Device, inode, size, and when content and inode last changed (nanoseconds)."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path.name} is not a file")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _record_path(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.used")
