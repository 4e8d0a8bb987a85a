"""A content-addressed store: converted models, indexes, adapters, answers, probe scores.

An artifact's key is the hash of everything that determines it, so two models or two prompt
wordings never share one. It is written to a scratch folder, flushed to the disk and moved into
place whole, so that a kill at any point leaves no artifact or a whole one. Every file's sha256
stands in its manifest and is checked before use: a damaged artifact is rebuilt, never used.
What making it cost is kept with it: a run that reuses it still reports its arm's full cost.

Beside the artifact's folder ``<kind>/<name>`` (the key's first 32 digits) may lie:
``.<name>.lock``, held while it is made or removed; ``.<name>.used``, when it was used (see
``store_use``); ``.making-<name>-…``, what a maker is writing; and ``.work-<name>``, what a maker
keeps so that a killed making can go on.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import store_use
from harness.errors import RecordError
from harness.sources import cache_folder
from harness.store_use import MANIFEST
from harness.types import sha256_of

logger = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
TELL_AFTER_SECONDS = 5.0
"""Whoever waits so long for another process to make an artifact says so."""

Maker = Callable[[Path], dict[str, Any] | None]


@dataclass(frozen=True)
class Artifact:
    """A folder in the store.

    Attributes:
        kind: "model", "vectors", "index", "pairs", "adapter", "replay", "answers", "probes" or
            "choices".
        key: sha256 of what determines it.
        costs: what the maker returned: phase name to reading, as JSON-ready dictionaries.
        reused: whether it was found rather than made just now.
    """

    kind: str
    key: str
    folder: Path
    costs: dict[str, Any]
    reused: bool


_kept_for_this_process: dict[str, tuple[Artifact, Any]] = {}
"""Artifacts that could not be kept in the store, by key, and what removes them at exit."""


def store_folder() -> Path:
    """Where artifacts lie: ``store`` inside the cache folder."""
    return cache_folder() / "store"


def place(kind: str, key: dict[str, Any]) -> tuple[Path, str]:
    """Where the artifact for ``key`` lies once it is made, and the key's sha256."""
    digest = sha256_of({"kind": kind, **key})
    return store_folder() / kind / digest[:32], digest


def work_folder(kind: str, key: dict[str, Any]) -> Path:
    """Where the maker of this artifact may keep what lets it go on after a kill.

    It is the maker's to create, under the artifact's lock; ``obtain`` removes it once the
    artifact is whole, and before a making that is to reuse nothing.
    """
    folder, _ = place(kind, key)
    return folder.with_name(f".work-{folder.name}")


def obtain(kind: str, key: dict[str, Any], make: Maker, reuse: bool = True) -> Artifact:
    """The artifact for ``key``, made by ``make(folder)`` unless a whole one is in the store.

    Where the store cannot be written, what is in it is still used, and what is made is kept in a
    temporary folder for as long as this process lives.

    Args:
        key: JSON-serialisable; everything that determines the artifact's bytes.
        make: fills the empty folder it is given; returns what that cost (or None).
        reuse: False makes it anew, from the start, and replaces what is there.

    Raises:
        RecordError: the disk is full.
    """
    try:
        try:
            return _obtain(kind, key, make, reuse)
        except _ReadOnlyError as error:
            return _obtain_read_only(kind, key, make, reuse, error)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise RecordError(
            f"cannot write to the store {store_folder()}: {error.strerror}; free some space "
            "(harness store gc), or set HARNESS_CACHE to a folder on another disk"
        ) from error


def make_aside(home: Path, kind: str, key: dict[str, Any], make: Maker) -> Artifact:
    """The artifact for ``key``, made in the folder ``home``; the store is left as it is.

    Whoever asks ``home`` for it again is given what was made. It has no manifest: it is the
    caller's to remove with ``home``.
    """
    place_in_store, digest = place(kind, key)
    folder = home / kind / place_in_store.name
    if not folder.exists():
        scratch = folder.with_name(f".making-{folder.name}")
        scratch.mkdir(parents=True)
        make(scratch)
        scratch.replace(folder)
    return Artifact(kind, digest, folder, {}, reused=False)


def find(kind: str, key: dict[str, Any]) -> Artifact:
    """The artifact for ``key`` if it is whole; else, with ``reused`` false, where it would lie."""
    folder, digest = place(kind, key)
    if digest in _kept_for_this_process:
        kept = _kept_for_this_process[digest][0]
        return Artifact(kind, digest, kept.folder, kept.costs, reused=True)
    costs = open_whole(folder, remove=False)
    if costs is not None:
        store_use.record(folder)
    return Artifact(kind, digest, folder, costs or {}, reused=costs is not None)


def _obtain(kind: str, key: dict[str, Any], make: Maker, reuse: bool) -> Artifact:
    folder, digest = place(kind, key)
    with _locked(folder):
        costs = open_whole(folder)
        if costs is not None and reuse:
            store_use.record(folder)
            return Artifact(kind, digest, folder, costs, reused=True)
        clear_scratch(folder, work=not reuse)
        costs = _make(folder, kind, key, make)
        store_use.hold(folder)
        store_use.record(folder)
    return Artifact(kind, digest, folder, costs, reused=False)


def open_whole(folder: Path, remove: bool = True) -> dict[str, Any] | None:
    """The costs of the artifact in ``folder`` if it is whole; None if absent or damaged.

    A whole one is held: nobody removes it before ``store_use.session`` ends, or this process.
    A damaged one is removed if ``remove``, so that the caller rebuilds it.
    """
    if not folder.exists():
        return None
    store_use.hold(folder)
    try:
        return dict(store_use.checked_manifest(folder)["costs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("rebuilding a damaged artifact, %s: %s", folder, error)
        store_use.let_go(folder)
        if remove:
            discard(folder)
        return None


def discard(folder: Path) -> None:
    """Remove an artifact in one step: a kill in the middle leaves none, not a part of one."""
    gone = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".making-{folder.name}-"))
    folder.replace(gone / "old")
    shutil.rmtree(gone, ignore_errors=True)


def clear_scratch(folder: Path, work: bool) -> None:
    """Remove what dead makers of the artifact left behind, its work folder too if ``work``.

    The caller holds the artifact's lock, so no maker is alive.
    """
    for left in folder.parent.glob(f".making-{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    if work:
        shutil.rmtree(folder.with_name(f".work-{folder.name}"), ignore_errors=True)


def lock_of(folder: Path) -> Any:
    """The lock that whoever makes or removes the artifact in ``folder`` holds."""
    from filelock import FileLock

    return FileLock(str(folder.parent / f".{folder.name}.lock"))


class _ReadOnlyError(Exception):
    """The store cannot be written; nothing has been made yet."""


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the artifact's lock: one maker at a time, a second waits and then finds it."""
    from filelock import Timeout

    lock = lock_of(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=TELL_AFTER_SECONDS)
        except Timeout:
            logger.info("waiting for another process that makes %s", folder)
            lock.acquire()
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            raise _ReadOnlyError(error.strerror) from error
        raise
    try:
        yield
    finally:
        lock.release()


def _make(folder: Path, kind: str, key: dict[str, Any], make: Maker) -> dict[str, Any]:
    """Fill ``folder`` with the artifact and return what that cost; the lock is held."""
    try:
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".making-{folder.name}-"))
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            raise _ReadOnlyError(error.strerror) from error
        raise
    try:
        made = scratch / "artifact"
        made.mkdir()
        costs = make(made) or {}
        _seal(made, kind, key, costs)
        if folder.exists():
            store_use.let_go(folder)
            folder.replace(scratch / "old")
        made.replace(folder)
        flush(folder.parent)
        shutil.rmtree(folder.with_name(f".work-{folder.name}"), ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return costs


def _obtain_read_only(
    kind: str, key: dict[str, Any], make: Maker, reuse: bool, reason: Exception
) -> Artifact:
    """The artifact from a store that cannot be written, or made for this process alone."""
    folder, digest = place(kind, key)
    if reuse and digest in _kept_for_this_process:
        found = _kept_for_this_process[digest][0]
        return Artifact(kind, digest, found.folder, found.costs, reused=True)
    costs = open_whole(folder, remove=False) if reuse else None
    if costs is not None:
        return Artifact(kind, digest, folder, costs, reused=True)
    logger.warning(
        "the store %s cannot be written (%s): this %s is used now but not kept; set HARNESS_CACHE "
        "to a folder that can be written",
        store_folder(),
        reason,
        kind,
    )
    home = tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True)
    made = Path(home.name) / "artifact"
    made.mkdir()
    costs = make(made) or {}
    _seal(made, kind, key, costs)
    artifact = Artifact(kind, digest, made, costs, reused=False)
    _kept_for_this_process[digest] = (artifact, home)
    return artifact


def _seal(folder: Path, kind: str, key: dict[str, Any], costs: dict[str, Any]) -> None:
    """Write the manifest (key in full, each file's sha256, costs, time), all flushed to disk."""
    files = {name: flushed_sha256(folder / name) for name in store_use.files_in(folder)}
    manifest = {
        "kind": kind,
        "key": key,
        "files": files,
        "costs": costs,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with (folder / MANIFEST).open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        flush(inner)


def flushed_sha256(path: Path) -> str:
    """Hex sha256 of a file that is on the disk by then, not only in the system's cache."""
    flush(path)
    return store_use.sha256_of_file(path)


def flush(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
