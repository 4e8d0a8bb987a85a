"""What a sweep is doing, seen from what it has written so far."""

from __future__ import annotations

from pathlib import Path

ALL = (
    "index",
    "training",
    "checkpoint",
    "adapter",
    "answers",
    "probes",
    "sealing",
    "predictions",
    "probes file",
    "row",
    "between",
)
"""Every stage of a sweep; "between" is any time when nothing is being made or written."""

Traces = dict[tuple[str, int, int], str]


def traces(folder: Path) -> Traces:
    """What is half written below ``folder``: stage by path and inode."""
    found = {}
    for path in (folder / "cache" / "store").glob("*/.*"):
        kind = path.parent.name
        if path.name.startswith(".making-") and path.is_dir():
            written = {inner.name for inner in path.glob("artifact/*")}
            stage = "sealing" if "manifest.json" in written else kind
            found[_key(path)] = "training" if kind == "adapter" and not written else stage
        elif path.name.startswith(".work-"):
            for checkpoint in path.glob("checkpoint-*"):
                if not (checkpoint / "seal.json").exists():
                    found[_key(checkpoint)] = "checkpoint"
    for experiment in (folder / "results").glob("*"):
        for name, stage in (("predictions", "predictions"), ("probes", "probes file")):
            found |= {_key(path): stage for path in (experiment / name).glob(".*")}
        found |= {
            _key(path): "row"
            for path in experiment.glob(".runs.csv.*")
            if not path.name.endswith(".lock")
        }
    return found


def at_work(folder: Path, before: Traces) -> list[str]:
    """The stages that a sweep is in; ``before`` is what was half written when it began."""
    found = {stage for key, stage in traces(folder).items() if key not in before}
    return sorted(found - {"training"} if "checkpoint" in found else found)


def _key(path: Path) -> tuple[str, int, int]:
    """Names a file or folder and its state: a path, even an inode, may be used again."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_ino, found.st_mtime_ns
