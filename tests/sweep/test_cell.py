"""Which row a cell makes, and when that row makes running it needless."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config import Config
from harness.errors import ConfigError
from harness.models.config import ModelConfig
from harness.record import append_row
from harness.row import new_row
from harness.sweep.cell import draft_id, kept, run_id
from harness.tasks.config import FictionalConfig
from harness.types import Document, Question, Task

CONFIG = Config(
    arm="rag", task=FictionalConfig(), model=ModelConfig(name="tiny", source="local", id="folder")
)
TASK = Task("own", (), (), (Question("q1", "What?", ("this",)),), (Document("d", "text"),))


def test_the_id_says_arm_and_seed_and_follows_the_settings():
    one = draft_id(CONFIG)
    assert one.startswith("rag-s0-")
    assert draft_id(replace(CONFIG, results="elsewhere", experiment="other")) == one
    assert draft_id(replace(CONFIG, seed=1)).startswith("rag-s1-")
    assert draft_id(replace(CONFIG, prompt=replace(CONFIG.prompt, max_new_tokens=7))) != one


@pytest.mark.parametrize(
    "task",
    [
        replace(TASK, test=(Question("q1", "What?", ("that",)),)),
        replace(TASK, corpus=(Document("d", "other text"),)),
        replace(TASK, validation=(Question("v1", "Who?", ("it",)),)),
    ],
)
def test_the_id_follows_the_content_of_the_users_files(task: Task):
    assert run_id(CONFIG, TASK, "m") == run_id(CONFIG, replace(TASK), "m")
    assert run_id(CONFIG, task, "m") != run_id(CONFIG, TASK, "m")


def test_the_id_follows_the_model():
    assert run_id(CONFIG, TASK, "m") != run_id(CONFIG, TASK, "n")


def add(folder: Path, name: str, status: str, lines: int | None = 2) -> Path:
    """A row of two questions, with so many lines of predictions."""
    row = new_row(
        run_id=name,
        experiment="e",
        arm="rag",
        task="t",
        model="m",
        seed=0,
        status=status,
        error="out of memory" if status == "failed" else None,
        n_test=2,
    )
    append_row(folder / "runs.csv", row)
    if lines is not None:
        path = folder / "predictions" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps({"question_id": str(i)}) + "\n" for i in range(lines)))
    return folder / "runs.csv"


def test_a_finished_cell_is_kept(tmp_path: Path):
    table = add(tmp_path, "one", "ok")
    for rerun in ("missing", "failed"):
        found = kept(table, ["draft", "one"], rerun)
        assert found is not None
        assert found["run_id"] == "one"
    assert kept(table, ["one"], "all") is None
    assert kept(table, ["two"], "missing") is None
    assert kept(tmp_path / "none.csv", ["one"], "missing") is None


@pytest.mark.parametrize("lines", [None, 0, 1, 3])
def test_a_row_without_all_its_predictions_is_made_again(tmp_path: Path, lines: int | None):
    assert kept(add(tmp_path, "one", "ok", lines), ["one"], "missing") is None


def test_torn_predictions_are_made_again(tmp_path: Path):
    table = add(tmp_path, "one", "ok")
    path = tmp_path / "predictions" / "one.jsonl"
    path.write_text(path.read_text()[:-5])
    assert kept(table, ["one"], "missing") is None


def test_a_failed_cell_is_run_again_only_if_asked(tmp_path: Path):
    table = add(tmp_path, "one", "failed", None)
    found = kept(table, ["one"], "missing")
    assert found is not None
    assert found["status"] == "failed"
    assert kept(table, ["one"], "failed") is None


def test_an_unknown_rerun_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"--rerun is 'fialed'; did you mean 'failed'\?"):
        kept(tmp_path / "runs.csv", ["one"], "fialed")
