"""Checkpoints of a training: written whole, checked before use, the newest whole one resumed from.

A checkpoint is a folder ``checkpoint-<step>`` as the transformers Trainer writes it (weights as
safetensors; optimiser, schedule and random states by ``torch.save``, which the Trainer reads back
with ``weights_only=True``), with what the Trainer does not keep in ``progress.json``. The sha256
of each file stands in ``seal.json``, written last: a folder without it, or one that does not match
it, is never loaded.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.store import flush, flushed_sha256
from harness.store_use import sha256_of_file

logger = logging.getLogger(__name__)

SEAL = "seal.json"
PROGRESS = "progress.json"
VERSION = 1
"""Of what a checkpoint holds: one of another version is not resumed from."""

KEPT = 2
"""Newest checkpoints that are kept: should the last be damaged, there is the one before."""

EVERY_SECONDS = 60.0
"""Without ``adapter.checkpoint_steps`` at most about so much work is lost by a kill."""

LARGEST_SHARE = 0.02
"""…unless saving takes long: then so seldom that it stays within this share of the time."""


class Checkpoints:
    """The checkpoints of one training, in a folder that outlives the process.

    Args:
        folder: belongs to this training alone; created when the first checkpoint is.
        every_steps: optimiser steps between checkpoints; None goes by the clock, 0 is never.
        costs: what the work up to now cost, JSON-ready; kept in each checkpoint.
        resumed: told the costs of the work that the checkpoint holds that is resumed from.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        folder: Path,
        every_steps: int | None = None,
        costs: Callable[[], dict[str, Any]] = dict,
        resumed: Callable[[dict[str, Any]], None] = lambda costs: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.every_steps = every_steps
        self.costs = costs
        self.resumed = resumed
        self.save_seconds: list[float] = []
        self._clock = clock
        self._last = clock()

    def begin(self) -> None:
        """Count the time to the next checkpoint from now."""
        self._last = self._clock()

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is to be written after ``step``."""
        if self.every_steps is not None:
            return self.every_steps > 0 and step % self.every_steps == 0
        slowest = max(self.save_seconds, default=0.0)
        return self._clock() - self._last >= max(EVERY_SECONDS, slowest / LARGEST_SHARE)

    def path(self, step: int) -> Path:
        """Where the checkpoint of ``step`` lies."""
        return self.folder / f"checkpoint-{step}"

    def write(self, step: int, save: Callable[[], None], progress: dict[str, Any]) -> None:
        """Have ``save`` write the checkpoint of ``step``, seal it, and remove what it replaces.

        Raises:
            OSError, RuntimeError: the disk is full, or the like; nothing of it is left then.
        """
        started = self._clock()
        path = self.path(step)
        try:
            save()
            # Pickled settings of the Trainer, which nothing of ours reads.
            (path / "training_args.bin").unlink(missing_ok=True)
            told = {"step": step, "costs": self.costs(), **progress}
            (path / PROGRESS).write_text(json.dumps(told), encoding="utf-8")
            seal(path)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        self._last = self._clock()
        self.save_seconds.append(self._last - started)
        best = progress.get("best_step")
        self._rotate({best} if best else set())

    def newest(self) -> Path | None:
        """The newest checkpoint that is whole; damaged and half-written ones are removed.

        One that needs an earlier one (the best so far, for early stopping) is whole if both are.
        """
        for step in sorted(self._steps(), reverse=True):
            path = self.path(step)
            try:
                best = progress_of(path).get("best_step")
                if best and best != step:
                    progress_of(self.path(best))
            except (OSError, ValueError, KeyError, TypeError) as error:
                logger.warning("not resuming training from %s: %s", path.name, error)
                shutil.rmtree(path, ignore_errors=True)
                continue
            return path
        return None

    def clear(self) -> None:
        """Remove all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _steps(self) -> list[int]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except OSError:
            return []
        found = (re.fullmatch(r"checkpoint-(\d+)", name) for name in names)
        return sorted(int(match[1]) for match in found if match)

    def _rotate(self, needed: set[int]) -> None:
        """Keep the newest by step, since a clock may go back, and those that they need."""
        steps = self._steps()
        for step in steps[-KEPT:]:
            try:
                best = json.loads((self.path(step) / PROGRESS).read_text("utf-8")).get("best_step")
            except (OSError, ValueError):
                continue
            needed.add(best)
        for step in steps[:-KEPT]:
            if step not in needed:
                shutil.rmtree(self.path(step), ignore_errors=True)


def seal(path: Path) -> None:
    """Write the sha256 of each of a checkpoint's files beside them, all flushed to the disk."""
    files = {inner.name: flushed_sha256(inner) for inner in sorted(path.iterdir())}
    unsealed = path / f"{SEAL}.part"
    with unsealed.open("w", encoding="utf-8") as stream:
        json.dump({"version": VERSION, "files": files}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    unsealed.replace(path / SEAL)
    flush(path)
    flush(path.parent)


def progress_of(path: Path) -> dict[str, Any]:
    """What ``progress.json`` of a whole checkpoint holds.

    Raises:
        OSError, ValueError, KeyError, TypeError: the checkpoint is damaged or was not finished.
    """
    if not (path / SEAL).exists():
        raise ValueError("it was not finished")
    sealed = json.loads((path / SEAL).read_text(encoding="utf-8"))
    if sealed["version"] != VERSION:
        raise ValueError(f"it is of version {sealed['version']}, not {VERSION}")
    present = {inner.name for inner in path.iterdir()} - {SEAL}
    if present != set(sealed["files"]):
        raise ValueError(
            f"its files are not those sealed: {sorted(present ^ set(sealed['files']))}"
        )
    for name, digest in sealed["files"].items():
        if sha256_of_file(path / name) != digest:
            raise ValueError(f"{name} does not match its checksum")
    return dict(json.loads((path / PROGRESS).read_text(encoding="utf-8")))
