"""Log finished rows to MLflow or Trackio as well: a local store under the results, no server.

The record is ``runs.csv``; a tracker that fails is told of and loses nothing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, suggestion

logger = logging.getLogger(__name__)

TRACKERS = ("none", "mlflow", "trackio")

REMOTE_TRACKIO = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""Environment variables that make Trackio log to a server."""


def check_tracker(name: str) -> None:
    """Check the value of ``tracking``.

    Raises:
        ConfigError: it is none of ``TRACKERS``.
    """
    if name not in TRACKERS:
        raise ConfigError(
            f"tracking is '{name}'{suggestion(name, list(TRACKERS))}; it is one of "
            f"{', '.join(TRACKERS)}"
        )


def require_tracker(name: str) -> None:
    """Check that the tracker's package is installed.

    Raises:
        ConfigError: it is not.
    """
    if name != "none" and find_spec(name) is None:
        raise ConfigError(
            f"tracking={name} needs the package {name}, which is not installed: "
            f"pip install -e '.[{name}]'"
        )


def track(name: str, results: Path, row: Mapping[str, Any]) -> None:
    """Log a row that has been written: its texts as parameters, its numbers as metrics."""
    if name == "none":
        return
    try:
        from filelock import FileLock

        require_tracker(name)
        parameters, metrics = split(row)
        with FileLock(results / f".{name}.lock"):  # one store, many workers
            LOGGERS[name](results, row, parameters, metrics)
    except Exception as error:  # whatever a tracker does, the row is kept
        message = " ".join(str(error).split()) or type(error).__name__
        logger.warning("row %s is in runs.csv but not in %s: %s", row["run_id"], name, message)


def split(row: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, float]]:
    """A row's settings and identity, and its measures and costs; empty cells are left out."""
    from harness.columns import COLUMNS

    parameters: dict[str, str] = {}
    metrics: dict[str, float] = {}
    for name, column in COLUMNS.items():
        value = row.get(name)
        if value is None or column.type == "json":
            continue
        number = column.type in ("int", "float") and column.group not in ("Identity", "Settings")
        if number and math.isfinite(value):
            metrics[name] = float(value)
        elif not number:
            parameters[name] = str(value)
    return parameters, metrics


def _to_mlflow(
    results: Path, row: Mapping[str, Any], parameters: dict[str, str], metrics: dict[str, float]
) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would report its use
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    folder = (results / "mlflow").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # Given here, so that a server named in the environment is not written to.
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(row["experiment"])
    number = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(
            row["experiment"], artifact_location=(folder / "artifacts").as_uri()
        )
    )
    for old in client.search_runs([number], f"attributes.run_name = '{row['run_id']}'"):
        client.delete_run(old.info.run_id)  # a cell that is run again replaces its row
    run = client.create_run(number, run_name=row["run_id"])
    now = run.info.start_time
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
        params=[Param(name, value[:6000]) for name, value in parameters.items()],
    )
    client.set_terminated(run.info.run_id, "FINISHED" if row["status"] == "ok" else "FAILED")


def _to_trackio(
    results: Path, row: Mapping[str, Any], parameters: dict[str, str], metrics: dict[str, float]
) -> None:
    # Read when the package is imported, so it is set before.
    os.environ["TRACKIO_DIR"] = str((results / "trackio").resolve())
    for name in REMOTE_TRACKIO:  # a run would go there instead
        os.environ.pop(name, None)
    import trackio

    with contextlib.redirect_stdout(io.StringIO()):  # it prints how to start its dashboard
        trackio.init(
            project=row["experiment"],
            name=row["run_id"],
            config=dict(parameters),
            embed=False,  # it would start a dashboard
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        trackio.log(metrics)
        trackio.finish()


LOGGERS = {"mlflow": _to_mlflow, "trackio": _to_trackio}
