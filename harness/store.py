"""A content-addressed store: converted models, indexes, adapters, answers, probe scores.

An artifact's key is the hash of everything that determines it, so two models or two prompt
wordings never share one. It is written to a scratch folder and moved into place whole; every
file's sha256 stands in its manifest and is checked before use, so a damaged artifact is rebuilt.
What making it cost is kept with it: a run that reuses it still reports its arm's full cost.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.sources import cache_folder, sha256_of_file
from harness.types import sha256_of

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Artifact:
    """A folder in the store.

    Attributes:
        kind: "model", "index", "adapter", "answers", "probes" or "choices".
        key: sha256 of what determines it.
        costs: what the maker returned: phase name to reading, as JSON-ready dictionaries.
        reused: whether it was found rather than made just now.
    """

    kind: str
    key: str
    folder: Path
    costs: dict[str, Any]
    reused: bool


def store_folder() -> Path:
    """Where artifacts lie: ``store`` inside the cache folder."""
    return cache_folder() / "store"


def obtain(
    kind: str,
    key: dict[str, Any],
    make: Callable[[Path], dict[str, Any] | None],
    reuse: bool = True,
) -> Artifact:
    """The artifact for ``key``, made by ``make(folder)`` unless a whole one is in the store.

    Args:
        key: JSON-serialisable; everything that determines the artifact's bytes.
        make: fills the empty folder it is given; returns what that cost (or None).
        reuse: False makes it anew and replaces what is there.

    Raises:
        RecordError: the store cannot be written.
    """
    from filelock import FileLock

    digest = sha256_of({"kind": kind, **key})
    folder = store_folder() / kind / digest[:32]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # One maker at a time: a second process waits and then finds the artifact.
        with FileLock(str(folder.parent / f".{digest[:32]}.lock")):
            costs = open_whole(folder)
            if costs is not None and reuse:
                return Artifact(kind, digest, folder, costs, reused=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
                made = Path(scratch) / "artifact"
                made.mkdir()
                costs = make(made) or {}
                _seal(made, kind, key, costs)
                shutil.rmtree(folder, ignore_errors=True)
                made.replace(folder)
            return Artifact(kind, digest, folder, costs, reused=False)
    except OSError as error:
        raise RecordError(
            f"cannot write to the store {store_folder()}: {error.strerror or error}; "
            "free some space or set HARNESS_CACHE to a folder that can be written"
        ) from error


def open_whole(folder: Path) -> dict[str, Any] | None:
    """The costs of the artifact in ``folder`` if it is whole; None if absent or damaged.

    A damaged artifact is removed, so that the caller rebuilds it.
    """
    if not folder.exists():
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name, digest in manifest["files"].items():
            if sha256_of_file(folder / name) != digest:
                raise ValueError(f"{name} does not match its checksum")
        return dict(manifest["costs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("rebuilding a damaged artifact, %s: %s", folder, error)
        shutil.rmtree(folder)
        return None


def _seal(folder: Path, kind: str, key: dict[str, Any], costs: dict[str, Any]) -> None:
    """Write the manifest: the key in full, each file's sha256, the costs, the time."""
    files = {
        str(path.relative_to(folder)): sha256_of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "kind": kind,
        "key": key,
        "files": files,
        "costs": costs,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path = folder / MANIFEST
    with path.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
