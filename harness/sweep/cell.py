"""Which row a cell makes, and whether it is there already: what resuming a sweep rests on.

A cell's run id is made from its settings and data, so that the same cell, run again after a kill,
writes the same files again and adds no second row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from pathlib import Path

from harness.config import Config, config_hash
from harness.errors import ConfigError, suggestion
from harness.record import read_rows
from harness.row import Row
from harness.types import Task, sha256_of

RERUN = ("missing", "failed", "all")
"""Which cells to run: those without a row; those whose run failed as well; or all anew."""


def draft_id(config: Config) -> str:
    """The run id of a cell of which only the settings are known: that of an early failure."""
    return _run_id(config, config_hash(config))


def run_id(config: Config, task: Task, model_identity: str) -> str:
    """The run id of a cell: arm, seed, and a hash of settings, questions, corpus and model.

    The settings name files of the user's own, whose content may change under the same name.
    """
    content = [config_hash(config), task.test_sha256(), task.validation_sha256()]
    content += [task.corpus_sha256(), sha256_of([repr(pair) for pair in task.train])]
    return _run_id(config, sha256_of([*content, model_identity]))


def _run_id(config: Config, digest: str) -> str:
    return f"{config.arm[:100]}-s{config.seed}-{digest[:12]}"


def kept(table: Path, ids: Collection[str], rerun: str) -> Row | None:
    """The row that makes running the cell needless; None if it is to run.

    A row counts as there only with its predictions: every line of them.
    """
    check_rerun(rerun)
    if rerun == "all" or not _mentions(table, ids):
        return None
    found = [row for row in read_rows(table) if row["run_id"] in ids]
    done = [row for row in found if row["status"] == "ok" and _answered(table.parent, row)]
    if done:
        return done[-1]
    failed = [row for row in found if row["status"] == "failed"]
    return failed[-1] if failed and rerun == "missing" and len(failed) == len(found) else None


def check_rerun(rerun: str) -> None:
    """Check the value of ``--rerun``.

    Raises:
        ConfigError: it is none of ``RERUN``.
    """
    if rerun not in RERUN:
        raise ConfigError(
            f"--rerun is '{rerun}'{suggestion(rerun, list(RERUN))}; it is one of {', '.join(RERUN)}"
        )


def _mentions(table: Path, ids: Collection[str]) -> bool:
    """Whether one of the ids stands in the table; reading all columns of a long one is slow."""
    if not table.exists():
        return False
    with table.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if "run_id" not in header:
            return False
        column = header.index("run_id")
        return any(len(cells) > column and cells[column] in ids for cells in reader)


def _answered(folder: Path, row: Row) -> bool:
    """Whether the row's predictions are there, whole."""
    path = folder / "predictions" / f"{row['run_id']}.jsonl"
    try:
        with path.open("rb") as file:
            lines = [line for line in file if line.strip()]
        json.loads(lines[-1])
    except (OSError, ValueError, IndexError):
        return False
    return len(lines) == row["n_test"]
