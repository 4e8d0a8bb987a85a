"""A recorded run opened again: its row, its settings, and what the store has of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from harness import method_keys
from harness.compare.arms import rows_of
from harness.config import MODEL_SCHEMAS, TASK_SCHEMAS, Config, config_hash, first_line
from harness.errors import DataError, RecordError, suggestion
from harness.ledger import Ledger
from harness.metering.codecarbon_source import open_energy_source
from harness.metering.device import choose_device
from harness.metering.meter import Meter
from harness.method import Method
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles, locate
from harness.results import read_results
from harness.tasks import load_task
from harness.types import Task

Row = Mapping[str, Any]

UNREADABLE = (
    *(OmegaConfBaseException, YAMLError),
    *(OSError, ValueError, KeyError, TypeError, AttributeError),
)

MAKING = {"index": ("index",), "adapter": ("prepare", "train")}
"""Kind of artifact -> the phases whose seconds in a row are what making it took."""


@dataclass(frozen=True)
class Opened:
    """A run that can be put to use: index and adapter are there, the model is not loaded yet.

    Attributes:
        top_k: passages for a question, as the run chose; None without a retriever.
    """

    row: Row
    config: Config
    method: Method
    top_k: int | None


def find_run(paths: Sequence[Path], arm: str | None, run_id: str | None) -> Row:
    """The finished run that is asked for: by its id, else the newest of the arm.

    Raises:
        RecordError: there is none; with the nearest name and those that there are.
    """
    rows = [row for row in rows_of(read_results(paths).frame) if row.get("status") == "ok"]
    where = ", ".join(str(path) for path in paths)
    if not rows:
        raise RecordError(f"{where} holds no finished run; run an experiment first")
    name, asked = ("run_id", run_id) if run_id else ("arm", arm)
    known = sorted({str(row[name]) for row in rows})
    if asked is None:
        if len(known) == 1:
            return _newest(rows)
        raise RecordError(f"{where} holds several arms; name one with --arm: {', '.join(known)}")
    found = [row for row in rows if row[name] == asked and (arm is None or row["arm"] == arm)]
    if not found:
        what = f"run '{asked}'" if run_id else f"arm '{asked}'"
        near = suggestion(asked, known) or f"; it has: {', '.join(known[:12])}"
        raise RecordError(f"{where} holds no finished {what}{near}")
    return _newest(found)


def open_run(row: Row, rebuild: bool = False) -> Opened:
    """The run of ``row``, with what it made; what is no longer stored is made again if ``rebuild``.

    Raises:
        RecordError: its settings were not kept, or an artifact is gone and not to be made again.
        DataError: its documents, questions or model are others by now.
    """
    config, task, files = parts_of(row)
    device = choose_device(config.model.device)

    def look(circumstances: dict[str, Any] | None = None) -> Method:
        ledger = Ledger(Meter(device), makes=False)
        method = Method(config, task, files, device, ledger, circumstances)
        method.index()
        method.fit()
        return method

    here = method_keys.circumstances(config, device)
    method = look(here | _circumstances_of(row))
    if method.ledger.missing and here != here | _circumstances_of(row):
        method = look()  # it may have been made again since
    if method.ledger.missing:
        if not rebuild:
            raise RecordError(_gone(row, method.ledger.missing))
        energy = open_energy_source(config.cost, device, _processes(config))
        with Meter(device, energy, sample_seconds=config.cost.sample_seconds) as meter:
            making = Method(config, task, files, device, Ledger(meter))
            making.index()
            making.fit()
        method = look()
    top_k = row.get("top_k")
    return Opened(row, config, method, None if top_k is None else int(top_k))


def parts_of(row: Row) -> tuple[Config, Task, ModelFiles]:
    """The settings of a recorded run, its task and where its model lies, all as they were.

    Raises:
        RecordError: its settings were not kept.
        DataError: its documents, questions or model are others by now.
    """
    config = settings_of(row)
    task, files = load_task(config.task), locate(config.model)
    _check_unchanged(row, "corpus_sha256", task.corpus_sha256(), "documents")
    _check_unchanged(row, "split_sha256", task.test_sha256(), "questions")
    _check_unchanged(row, "model_identity", files.identity, "model")
    return config, task, files


def settings_of(row: Row) -> Config:
    """The settings of a recorded run, from the file that was kept beside its table.

    Raises:
        RecordError: the file is not there, cannot be read, or holds other settings.
    """
    digest = str(row.get("config_hash"))
    path = Path(str(row["folder"])) / "configs" / f"{Path(digest).name}.yaml"
    if not path.is_file():
        raise RecordError(f"{path} is not there: the settings of run {row['run_id']} were not kept")
    try:
        kept = OmegaConf.load(path)
        config = OmegaConf.structured(Config)
        config.task = OmegaConf.structured(TASK_SCHEMAS[kept.task.name])
        config.model = OmegaConf.structured(_model_schema(set(kept.model)))
        settings = OmegaConf.to_object(OmegaConf.merge(config, kept))
    except UNREADABLE as error:
        raise RecordError(f"{path} cannot be read as settings: {first_line(error)}") from error
    if not isinstance(settings, Config) or config_hash(settings) != digest:
        raise RecordError(
            f"{path} does not hold the settings of run {row['run_id']}, or another version of the "
            "harness hashed them otherwise; run it again"
        )
    return replace(settings, results=str(Path(str(row["folder"])).parent))


def making_seconds(row: Row, kind: str) -> float | None:
    """What making an artifact of the run took, as its row says; None if it does not."""
    parts = [row.get(f"{phase}_seconds") for phase in MAKING.get(kind, ())]
    known = [float(part) for part in parts if part is not None]
    return sum(known) if known else None


def _gone(row: Row, missing: Sequence[str]) -> str:
    parts = []
    for kind in missing:
        seconds = making_seconds(row, kind)
        parts.append(f"{kind}{'' if seconds is None else f' (making it took {seconds:.1f} s)'}")
    return (
        f"run {row['run_id']} needs what is not in the store any more: {', '.join(parts)}; "
        "--rebuild makes it again"
    )


def _circumstances_of(row: Row) -> dict[str, Any]:
    """The circumstances that the row tells of: what the run made is stored under those."""
    versions = row.get("package_versions") or {}
    told: dict[str, Any] = {}
    if row.get("device"):
        told["device"] = row["device"]
    if all(versions.get(name) for name in method_keys.DETERMINING_PACKAGES):
        told["packages"] = {name: versions[name] for name in method_keys.DETERMINING_PACKAGES}
    return told


def _model_schema(names: set[Any]) -> type[ModelConfig]:
    """The settings class that has all the names and fewest others."""
    schemas: list[type[ModelConfig]] = [ModelConfig, *MODEL_SCHEMAS.values()]
    fitting = [one for one in schemas if names <= {field.name for field in fields(one)}]
    if not fitting:
        raise ValueError("model has settings that this version does not know")
    return min(fitting, key=lambda one: len(fields(one)))


def _check_unchanged(row: Row, column: str, now: str, what: str) -> None:
    then = row.get(column)
    if then is not None and then != now:
        raise DataError(
            f"the {what} of run {row['run_id']} have changed since it ran ({column} was "
            f"{str(then)[:12]}…, is {now[:12]}…); run it again"
        )


def _processes(config: Config) -> int:
    return config.adapter.processes if config.adapter else 1


def _newest(rows: Sequence[Row]) -> Row:
    return max(rows, key=lambda row: str(row.get("created_at") or ""))
