"""The sidecar of a saved index: what it was made of, checked before the index is used."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.errors import RetrievalError
from harness.prompts import passage_text
from harness.sources import sha256_of_file
from harness.types import Passage, sha256_of

FORMAT = 1
"""Part of every index's key: raise it when what an index holds changes."""

SIDECAR = "index.json"


def corpus_sha256(passages: Sequence[Passage]) -> str:
    """Hash of every passage as it is indexed, in order."""
    return sha256_of([[p.id, p.document_id, passage_text(p)] for p in passages])


def library_versions(names: Sequence[str]) -> dict[str, str]:
    """Installed version of each distribution."""
    return {name: version(name) for name in names}


def save_index(
    folder: Path,
    kind: str,
    passages: Sequence[Passage],
    settings: dict[str, Any],
    write: Callable[[Path], None],
) -> None:
    """Have ``write`` put the index's files into ``folder``, then the sidecar that vouches for them.

    Args:
        folder: the index's own; it is made if absent.

    Raises:
        RetrievalError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
        files = sorted(path for path in folder.iterdir() if path.name != SIDECAR)
        sidecar = {
            "format": FORMAT,
            "kind": kind,
            "passages": len(passages),
            "corpus_sha256": corpus_sha256(passages),
            **settings,
            "files": {path.name: sha256_of_file(path) for path in files},
        }
        (folder / SIDECAR).write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise RetrievalError(
            f"cannot save the {kind} index to {folder}: {error.strerror or error}; free some space "
            "or choose a folder that can be written"
        ) from error


def open_sidecar(folder: Path, kind: str, passages: Sequence[Passage]) -> dict[str, Any]:
    """The sidecar of the index in ``folder``, after checking kind, corpus and every file.

    Raises:
        RetrievalError: there is no index, it is damaged, or it is of another kind or corpus.
    """
    sidecar = _read(folder)
    if sidecar["format"] != FORMAT:
        raise RetrievalError(
            f"the index in {folder} has format {sidecar['format']}, this version reads {FORMAT}; "
            "delete it and build it again"
        )
    if sidecar["kind"] != kind:
        raise RetrievalError(
            f"the index in {folder} is of kind '{sidecar['kind']}', the retriever asked for is "
            f"'{kind}'; delete the folder or name another one"
        )
    expected = corpus_sha256(passages)
    if sidecar["corpus_sha256"] != expected:
        raise RetrievalError(
            f"the index in {folder} was made from another corpus: it holds {sidecar['passages']} "
            f"passages (sha256 {str(sidecar['corpus_sha256'])[:12]}…), this run has "
            f"{len(passages)} (sha256 {expected[:12]}…); delete it and build it again"
        )
    for name, digest in sidecar["files"].items():
        path = folder / name
        if not path.is_file() or sha256_of_file(path) != digest:
            raise damaged(folder, f"{name} is missing or does not match its sha256")
    return sidecar


def damaged(folder: Path, reason: str) -> RetrievalError:
    """The error for an index that cannot be read."""
    return RetrievalError(
        f"the index in {folder} is damaged: {reason}; delete it and build it again"
    )


def _read(folder: Path) -> dict[str, Any]:
    path = folder / SIDECAR
    if not path.is_file():
        raise RetrievalError(
            f"there is no index in {folder} ({SIDECAR} is missing); build it first"
        )
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(sidecar, dict):
            raise TypeError("not an object")
        missing = {"format", "kind", "passages", "corpus_sha256", "files"} - sidecar.keys()
        if missing:
            raise KeyError(", ".join(sorted(missing)))
        if any(Path(name).name != name for name in sidecar["files"]):
            raise ValueError("a file name leads out of the folder")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(folder, f"{SIDECAR} cannot be read ({error})") from error
    return sidecar
