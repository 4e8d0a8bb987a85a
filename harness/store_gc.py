"""Making room in the store: the least recently used goes first, what is in use never."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from filelock import Timeout

from harness import store, store_listing, store_use
from harness.errors import ConfigError
from harness.store_listing import Entry

logger = logging.getLogger(__name__)

GIB = 1024**3
DAY_SECONDS = 86_400.0

LIMIT = "HARNESS_STORE_MAX_GIB"
"""Environment variable: the size that the store is brought down to after each run."""

UNFINISHED_DAYS = 7.0
"""How long the work of a making that was not finished is kept to go on from."""


@dataclass
class Freed:
    """What was removed, or would be.

    Attributes:
        artifacts: removed, least recently used first.
        left_bytes: size of what is left.
        in_use: artifacts that had to stay, since a process makes or reads them.
        scratch_bytes: of dead makers' scratch and of unfinished work that was removed.
    """

    artifacts: list[Entry] = field(default_factory=list)
    left_bytes: int = 0
    in_use: list[Entry] = field(default_factory=list)
    scratch_folders: int = 0
    scratch_bytes: int = 0

    @property
    def freed_bytes(self) -> int:
        """Bytes of everything that was removed."""
        return self.scratch_bytes + sum(entry.size_bytes for entry in self.artifacts)


def limit_bytes() -> int | None:
    """The size that HARNESS_STORE_MAX_GIB sets; None without it.

    Raises:
        ConfigError: it is not a number of GiB.
    """
    given = os.environ.get(LIMIT, "").strip()
    if not given:
        return None
    try:
        size = float(given)
    except ValueError:
        size = -1.0
    if not 0 <= size < float("inf"):
        raise ConfigError(f"{LIMIT} is '{given}'; it is a number of GiB, such as 20 or 0.5")
    return int(size * GIB)


def apply_limit(limit: int) -> Freed:
    """What had to go so that the store is within ``limit`` bytes; logged, never raised."""
    try:
        freed = collect(limit)
    except OSError as error:
        logger.warning("the store could not be brought down to its limit: %s", error)
        return Freed()
    if freed.artifacts:
        logger.info(
            "removed the %d least recently used artifacts (%.2f GiB): %s=%.2f",
            len(freed.artifacts),
            freed.freed_bytes / GIB,
            LIMIT,
            limit / GIB,
        )
    if freed.left_bytes > limit:
        logger.warning(
            "the store still holds %.2f GiB, above %s=%.2f: the rest is in use",
            freed.left_bytes / GIB,
            LIMIT,
            limit / GIB,
        )
    return freed


def collect(
    max_bytes: int | None = None,
    older_than_days: float | None = None,
    dry_run: bool = False,
) -> Freed:
    """Bring the store down to ``max_bytes``, removing the least recently used first.

    Args:
        max_bytes: None sets no limit: then everything that is old enough goes, or, without an
            age either, only what dead makers left.
        older_than_days: remove only what was last used longer ago.
        dry_run: remove nothing, say what would be.
    """
    freed = Freed()
    _collect_scratch(freed, older_than_days, dry_run)
    entries = store_listing.entries()
    freed.left_bytes = sum(entry.size_bytes for entry in entries)
    freed.left_bytes += sum(map(store_listing.size_of, store_listing.unfinished()))
    if max_bytes is None and older_than_days is None:
        return freed
    for entry in entries:
        if max_bytes is not None and freed.left_bytes <= max_bytes:
            break
        if older_than_days is not None and not _older(entry.last_used_seconds, older_than_days):
            continue
        if not _remove(entry.folder, dry_run):
            freed.in_use.append(entry)
            continue
        freed.artifacts.append(entry)
        freed.left_bytes -= entry.size_bytes
    return freed


def remove_damaged(folder: Path) -> bool:
    """Whether the damaged artifact was removed; False while a process makes or reads it."""
    return _remove(folder, dry_run=False)


def _remove(folder: Path, dry_run: bool) -> bool:
    """Whether the artifact was free to go; it is gone then, unless ``dry_run``."""
    try:
        with store.lock_of(folder).acquire(timeout=0), store_use.unused(folder) as free:
            if free and not dry_run:
                store.discard(folder)
                store_use.forget(folder)
            return free
    except Timeout:
        return False


def _collect_scratch(freed: Freed, older_than_days: float | None, dry_run: bool) -> None:
    """Remove what dead makers left: their scratch at once, what others could go on from later."""
    keep_days = UNFINISHED_DAYS if older_than_days is None else older_than_days
    for folder in store_listing.scratch():
        named = re.match(r"\.making-([0-9a-f]{32})-", folder.name)
        # Scratch of an unknown maker: a living one would have touched it within a day.
        if named or _older(_touched(folder), 1.0):
            _remove_left(folder, named[1] if named else None, freed, dry_run)
    for folder in store_listing.unfinished():
        if _older(_touched(folder), keep_days):
            _remove_left(folder, folder.name.removeprefix(".work-"), freed, dry_run)


def _remove_left(folder: Path, name: str | None, freed: Freed, dry_run: bool) -> None:
    """Remove a folder that is no artifact unless the maker of artifact ``name`` is at work."""
    size = store_listing.size_of(folder)
    if name is not None:
        try:
            with store.lock_of(folder.with_name(name)).acquire(timeout=0):
                if not dry_run:
                    shutil.rmtree(folder, ignore_errors=True)
        except Timeout:
            return
    elif not dry_run:
        shutil.rmtree(folder, ignore_errors=True)
    freed.scratch_folders += 1
    freed.scratch_bytes += size


def _touched(folder: Path) -> float | None:
    """Unix time at which anything in ``folder`` last changed."""
    times = []
    for path in (folder, *folder.rglob("*")):
        try:
            times.append(path.lstat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)


def _older(seconds: float | None, days: float) -> bool:
    """Whether a moment is more than ``days`` ago; what lies in the future or is unknown is not."""
    return seconds is not None and time.time() - seconds > days * DAY_SECONDS
