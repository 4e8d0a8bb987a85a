"""Predicted peak memory and training time held against runs that were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare.arms import rows_of
from harness.config import Config
from harness.economics.plan.predicted import (
    Row,
    loss_share,
    mean_tokens,
    positive,
    predicted_bytes,
    shared_tokens,
)
from harness.economics.plan.render import number, table
from harness.errors import ConfigError, HarnessError, RecordError
from harness.recorded import settings_of
from harness.results import read_results

if TYPE_CHECKING:
    from harness.economics.plan.calibration import Pace

GIB = 2**30


@dataclass(frozen=True)
class Comparison:
    """One figure of one run; ``predicted`` is None where ``note`` says why.

    Attributes:
        quantity: "peak_memory_gib", "peak_gpu_memory_gib", "train_seconds" or "train_cpu_seconds".
        note: what a reader has to know of this comparison.
    """

    run_id: str
    arm: str
    quantity: str
    predicted: float | None
    measured: float
    note: str = ""

    @property
    def error(self) -> float | None:
        """Predicted over measured, less 1."""
        return None if self.predicted is None else self.predicted / self.measured - 1


def check(paths: Sequence[Path], timed: bool = True) -> list[Comparison]:
    """Every finished run's peak memory, and its training time where it is of this device.

    Args:
        timed: calibrate, some ten seconds for each kind of training.

    Raises:
        RecordError: no run can be read, or none is finished.
    """
    rows = [row for row in rows_of(read_results(paths).frame) if row.get("status") == "ok"]
    if not rows:
        where = ", ".join(map(str, paths))
        raise RecordError(f"{where} holds no finished run; run an experiment first")
    pace = _calibrating()
    found: list[Comparison] = []
    for row in rows:
        found += _memory(row)
        if timed and positive(row, "train_seconds") is not None:
            found += _time(row, pace)
    if not found:
        raise RecordError("no run says its peak memory or its training time: nothing to check")
    return found


def check_as_text(found: Sequence[Comparison]) -> str:
    """A table of predictions, measurements and errors, and what is to be known of them."""
    rows = [["arm", "run", "quantity", "predicted", "measured", "error", ""]]
    notes: dict[str, int] = {}
    for one in found:
        mark = f"[{notes.setdefault(one.note, len(notes) + 1)}]" if one.note else ""
        figures = (number(one.predicted), number(one.measured))
        error = "-" if one.error is None else f"{one.error:+.1%}"
        rows.append([one.arm, one.run_id, one.quantity, *figures, error, mark])
    lines = table(rows)
    for quantity in dict.fromkeys(one.quantity for one in found):
        errors = [abs(o.error) for o in found if o.quantity == quantity and o.error is not None]
        if errors:
            lines.append(
                f"{quantity}: largest error {max(errors):.1%}, median "
                f"{sorted(errors)[len(errors) // 2]:.1%}, of {len(errors)}"
            )
    return "\n".join([*lines, *(f"[{mark}] {note}" for note, mark in notes.items())])


def check_as_data(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The comparisons, JSON-ready."""
    return [asdict(one) | {"error": one.error} for one in found]


def _memory(row: Row) -> list[Comparison]:
    on_gpu = positive(row, "peak_gpu_memory_gib") is not None
    quantity = "peak_gpu_memory_gib" if on_gpu else "peak_memory_gib"
    measured = positive(row, quantity)
    if measured is None:
        return []
    names = {"run_id": str(row["run_id"]), "arm": str(row["arm"])}
    try:
        predicted = predicted_bytes(row, settings_of(row), on_gpu) / GIB
    except HarnessError as error:
        note = _why(error)
        return [
            Comparison(**names, quantity=quantity, predicted=None, measured=measured, note=note)
        ]
    note = ""
    if not on_gpu and row.get("cold_start") is not True:
        note = "its process had run other arms before or took work over: what they left counts too"
    return [
        Comparison(**names, quantity=quantity, predicted=predicted, measured=measured, note=note)
    ]


def _time(row: Row, pace: Callable[[Config, float, float, int], Pace]) -> list[Comparison]:
    """The seconds of training, and on a CPU its CPU seconds, which other load does not change."""
    measured = {
        name: value
        for name in ("train_seconds", "train_cpu_seconds")
        if (value := positive(row, name)) is not None
    }
    config, one, note = None, None, ""
    try:
        config = settings_of(row)
        if config.adapter is None or config.adapter.processes > 1:
            raise ConfigError("it was trained by several processes")
        _check_device(row, config)
        one = pace(config, round(mean_tokens(row), 1), loss_share(row), shared_tokens(row))
    except HarnessError as error:
        note = _why(error)
    if one is not None and row.get("device_exclusive") is not True:
        note = "the device was shared while it trained: only its CPU seconds can be compared"
    if config is None or config.model.device != "cpu" or one is None:
        measured.pop("train_cpu_seconds", None)
    tokens = positive(row, "trained_tokens")
    predicted = {}
    if one is not None and tokens is not None:
        predicted = {
            "train_seconds": one.seconds(tokens),
            "train_cpu_seconds": one.cpu_seconds(tokens),
        }
    return [
        Comparison(
            run_id=str(row["run_id"]),
            arm=str(row["arm"]),
            quantity=name,
            predicted=predicted.get(name),
            measured=value,
            note=note if name == "train_seconds" else "",
        )
        for name, value in measured.items()
    ]


def _why(error: HarnessError) -> str:
    """Why a figure is not predicted; the same words for all runs whose settings are not there."""
    if isinstance(error, RecordError):
        return "not predicted: its settings were not kept, or this version cannot read them"
    return f"not predicted: {error}"


def _check_device(row: Row, config: Config) -> None:
    """Raise ConfigError unless the run was made on this device."""
    from harness.metering.device import choose_device, device_description

    here = device_description(choose_device(config.model.device))
    if row.get("device") != here:
        raise ConfigError(f"it ran on '{row.get('device')}' and this is '{here}'")


def _calibrating() -> Callable[[Config, float, float, int], Pace]:
    """What a run's training costs here; trainings that are alike are timed once."""
    known: dict[str, Pace] = {}

    def pace(config: Config, tokens: float, share: float, shared: int) -> Pace:
        from harness.economics.plan.calibration import training_pace

        adapter = config.adapter
        assert adapter is not None
        alike = (asdict(config.model), asdict(adapter) | {"epochs": 1}, tokens, share, shared)
        if repr(alike) not in known:
            known[repr(alike)] = training_pace(config.model, adapter, tokens, share, shared)
        return known[repr(alike)]

    return pace
