"""Rows are logged to a local tracker as well; whatever it does, the row is kept."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from harness import tracking
from harness.cli import main
from harness.errors import ConfigError
from harness.row import Row, new_row
from harness.tracking import check_tracker, require_tracker, split, track


def row() -> Row:
    return new_row(
        run_id="lora-s0-abc",
        experiment="e",
        arm="lora",
        task="t",
        model="m",
        seed=3,
        status="ok",
        rank=8,
        contains=0.5,
        train_seconds=2.5,
        reused=["index"],
    )


@pytest.fixture
def trackio(monkeypatch: pytest.MonkeyPatch) -> list:
    """What is told to a fake Trackio."""
    told: list = []
    fake = ModuleType("trackio")
    fake.init = lambda **settings: told.append(("init", settings))  # type: ignore[attr-defined]
    fake.log = lambda metrics: told.append(("log", metrics))  # type: ignore[attr-defined]
    fake.finish = lambda: told.append(("finish",))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackio", fake)
    monkeypatch.setattr(tracking, "find_spec", lambda name: object())
    monkeypatch.setenv("TRACKIO_DIR", "elsewhere")
    monkeypatch.setenv("TRACKIO_SPACE_ID", "someone/space")
    return told


def test_settings_are_parameters_and_measures_and_costs_are_metrics():
    parameters, metrics = split(row())
    assert metrics == {"contains": 0.5, "train_seconds": 2.5}
    assert parameters["rank"] == "8"
    assert parameters["seed"] == "3"
    assert "f1" not in metrics and "retriever" not in parameters  # empty cells
    assert "reused" not in parameters


def test_trackio_gets_the_row_in_a_store_under_the_results(trackio, tmp_path: Path):
    track("trackio", tmp_path, row())
    (first, settings), (second, metrics), last = trackio
    assert (first, second, last) == ("init", "log", ("finish",))
    assert (settings["project"], settings["name"]) == ("e", "lora-s0-abc")
    assert settings["config"]["arm"] == "lora"
    assert settings["embed"] is False
    assert metrics == {"contains": 0.5, "train_seconds": 2.5}
    assert os.environ["TRACKIO_DIR"] == str(tmp_path / "trackio")
    assert "TRACKIO_SPACE_ID" not in os.environ  # no server


class FakeClient:
    """Notes what an MlflowClient is asked for."""

    def __init__(self, tracking_uri: str) -> None:
        type(self).uri = tracking_uri

    uri = ""
    said: ClassVar[list] = []

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str, artifact_location: str) -> str:
        return "1"

    def search_runs(self, experiments: list, text: str) -> list:
        return [old("x")]

    def delete_run(self, run_id: str) -> None:
        self.said.append(("deleted", run_id))

    def create_run(self, experiment: str, run_name: str):
        return old("new")

    def log_batch(self, run_id: str, metrics: list, params: list) -> None:
        self.said.append((run_id, dict(m[:2] for m in metrics), dict(params)))

    def set_terminated(self, run_id: str, status: str) -> None:
        self.said.append((run_id, status))


def old(run_id: str):
    info = type("Info", (), {"run_id": run_id, "start_time": 0})
    return type("Run", (), {"info": info})


def test_mlflow_gets_the_row_in_a_store_under_the_results_in_place_of_its_old_run(
    monkeypatch, tmp_path: Path
):
    mlflow, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    mlflow.MlflowClient = FakeClient  # type: ignore[attr-defined]
    entities.Metric = lambda *values: values  # type: ignore[attr-defined]
    entities.Param = lambda *values: values  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setattr(tracking, "find_spec", lambda name: object())
    monkeypatch.setattr(FakeClient, "said", [])
    track("mlflow", tmp_path, row())
    assert FakeClient.uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    deleted, (run, metrics, parameters), ended = FakeClient.said
    assert deleted == ("deleted", "x")
    assert (run, metrics) == ("new", {"contains": 0.5, "train_seconds": 2.5})
    assert parameters["rank"] == "8"
    assert ended == ("new", "FINISHED")


def test_a_tracker_that_fails_is_one_warning(trackio, tmp_path: Path, caplog, monkeypatch):
    def broken(**settings: object) -> None:
        raise OSError("disk\nfull")

    monkeypatch.setattr(sys.modules["trackio"], "init", broken)
    with caplog.at_level(logging.WARNING):
        track("trackio", tmp_path, row())
    assert caplog.messages == ["row lora-s0-abc is in runs.csv but not in trackio: disk full"]


def test_without_tracking_nothing_is_written(tmp_path: Path):
    track("none", tmp_path, row())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_names_the_extra_before_anything_runs(
    monkeypatch, tmp_path: Path, capsys
):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "method=rag", "tracking=mlflow"]) == 2
    assert capsys.readouterr().err == (
        "error: tracking=mlflow needs the package mlflow, which is not installed: "
        "pip install -e '.[mlflow]'\n"
    )
    assert list(tmp_path.iterdir()) == []
    require_tracker("none")


def test_an_unknown_tracker_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"tracking is 'mlfow'; did you mean 'mlflow'\?"):
        check_tracker("mlfow")
