"""Predicted peak memory and training time held against runs that were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.config import AdapterConfig
from harness.compare.arms import rows_of
from harness.config import Config
from harness.economics.plan.process import process_bytes
from harness.economics.plan.render import number, table
from harness.economics.plan.retrieval import ENCODERS
from harness.economics.plan.serving import KV_FORMATS, weight_bytes
from harness.economics.plan.shape import Shape, shape_of
from harness.economics.plan.training import BYTES, Training, training_bytes
from harness.errors import ConfigError, HarnessError, RecordError
from harness.recorded import settings_of
from harness.results import read_results

if TYPE_CHECKING:
    from harness.economics.plan.calibration import Pace

GIB = 2**30

LONGEST = 1.35
"""Tokens of the longest example or prompt over those of the mean: 1.13 to 1.37 in the tasks here. A
row tells the mean alone."""

ANSWER_SHARE = 0.15
"""Of a training example's tokens, those of its answer: 0.14 and 0.15 in the tasks here."""

Row = Mapping[str, Any]


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
    pace = cache(_calibrated)
    found: list[Comparison] = []
    for row in rows:
        found += _memory(row)
        if timed and _positive(row, "train_seconds") is not None:
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
    on_gpu = _positive(row, "peak_gpu_memory_gib") is not None
    quantity = "peak_gpu_memory_gib" if on_gpu else "peak_memory_gib"
    measured = _positive(row, quantity)
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


def predicted_bytes(row: Row, config: Config, on_gpu: bool) -> float:
    """The highest memory of a run, in training or in answering.

    Raises:
        ConfigError: it cannot be predicted; the message says why.
    """
    shape = _shape(config)
    stages = [*answering_stages(shape, row, config), _loading(shape, config)]
    if config.adapter is not None:
        stages.append(training_bytes(shape, training_of(row, config, config.adapter)))
    return max(sum((parts if on_gpu else process_bytes(parts)).values()) for parts in stages)


def training_of(row: Row, config: Config, adapter: AdapterConfig) -> Training:
    """How the run trained, its longest batch assumed from the mean length of its examples.

    Raises:
        ConfigError: it is a kind of training whose memory is not covered.
    """
    for covered, what in (
        (adapter.kind in ("lora", "full"), f"adapter.kind={adapter.kind}"),
        (adapter.processes == 1, f"adapter.processes={adapter.processes}"),
        (adapter.mixed_precision == "no", f"adapter.mixed_precision={adapter.mixed_precision}"),
        (
            adapter.kind == "full" or adapter.target_modules == "all-linear",
            f"adapter.target_modules={adapter.target_modules}",
        ),
    ):
        if not covered:
            raise ConfigError(f"{what} is not covered")
    return Training(
        method=adapter.kind,
        rank=adapter.rank,
        dtype=config.model.train_dtype,
        micro_batch=adapter.on_device,
        tokens=min(adapter.max_tokens, round(LONGEST * mean_tokens(row))),
        loss_share=loss_share(row),
        attention="eager" if config.model.train_attention == "eager" else "sdpa",
        checkpointing=adapter.gradient_checkpointing,
    )


def answering_stages(shape: Shape, row: Row, config: Config) -> list[dict[str, float]]:
    """Bytes of answering the test questions, and the validation questions where top_k was chosen.

    The latter were read with the most passages that were tried.

    Raises:
        ConfigError: the row does not say enough, or the number format is not covered.
    """
    questions = _positive(row, "n_test")
    read = _positive(row, "prefill_tokens")
    if questions is None or read is None:
        raise ConfigError("the row does not say how many questions and prompt tokens there were")
    if config.model.dtype not in KV_FORMATS:
        raise ConfigError(f"model.dtype={config.model.dtype} is not covered")
    prompt = read / questions
    stages = [_answering(shape, config, questions, prompt)]
    retriever, top_k = config.retriever, _positive(row, "top_k")
    validation = getattr(config.task, "validation_questions", None)
    if (
        retriever is not None
        and top_k
        and row.get("top_k_chosen_by") == "validation"
        and validation
    ):
        most = max([*retriever.top_k_candidates, top_k])
        passages = (_positive(row, "passage_tokens") or 0.0) / questions
        longer = prompt + passages * (most / top_k - 1)
        stages.append(_answering(shape, config, validation, longer))
    return stages


def _answering(shape: Shape, config: Config, questions: float, prompt: float) -> dict[str, float]:
    """Bytes of the largest batch, an encoder beside the model."""
    longest = LONGEST * prompt
    value = BYTES[config.model.dtype]
    batch = max(1, min(config.model.batch_size, questions, config.model.batch_tokens // longest))
    tokens = batch * (longest + config.prompt.max_new_tokens)
    widest = 3 * shape.intermediate + 2 * shape.hidden
    parts = {
        "weights": weight_bytes(shape, config.model.dtype),
        "growing kv cache": 2 * shape.layers * shape.kv_width * tokens * value,
        "working": batch * longest * widest * value,
        "logits": batch * shape.vocabulary * (value + 4),
    }
    if config.retriever is not None and config.retriever.has_encoder:
        parts["encoder"] = ENCODERS["minilm"].parameters * BYTES["float32"]
    return parts


def _loading(shape: Shape, config: Config) -> dict[str, float]:
    """Bytes while weights are turned into another format: the file's pages count as long.

    A model converted from GGUF is stored in float32; what others are stored in is not read.
    """
    dtype = config.model.dtype
    stored = weight_bytes(shape, "float32")
    if config.model.source != "wheel" or dtype == "float32" or dtype not in BYTES:
        return {}
    return {"weights": weight_bytes(shape, dtype), "their file": stored}


def mean_tokens(row: Row) -> float:
    """Tokens of a training example, from what all epochs together read.

    Raises:
        ConfigError: the row does not say.
    """
    counts = [_positive(row, name) for name in ("trained_tokens", "training_pairs", "epochs")]
    tokens, pairs, epochs = counts
    if tokens is None or pairs is None or epochs is None:
        raise ConfigError("the row does not say trained_tokens, training_pairs and epochs")
    return tokens / (pairs * epochs)


def loss_share(row: Row) -> float:
    """Share of the trained positions that carry loss: answers', or all of raw text."""
    return 1.0 if row.get("training_data") == "text" else ANSWER_SHARE


def _time(row: Row, pace: Callable[[_Kind], Pace]) -> list[Comparison]:
    """The seconds of training, and on a CPU its CPU seconds, which other load does not change."""
    measured = {
        name: value
        for name in ("train_seconds", "train_cpu_seconds")
        if (value := _positive(row, name)) is not None
    }
    config, one, note = None, None, ""
    try:
        config = settings_of(row)
        if config.adapter is None or config.adapter.processes > 1:
            raise ConfigError("it was trained by several processes")
        _check_device(row, config)
        one = pace(_Kind(config, round(mean_tokens(row), 1), loss_share(row)))
    except HarnessError as error:
        note = _why(error)
    if one is not None and row.get("device_exclusive") is not True:
        note = "the device was shared while it trained: only its CPU seconds can be compared"
    if config is None or config.model.device != "cpu" or one is None:
        measured.pop("train_cpu_seconds", None)
    tokens = _positive(row, "trained_tokens")
    each = {
        "train_seconds": one and one.seconds,
        "train_cpu_seconds": one and one.cpu_seconds,
    }
    return [
        Comparison(
            run_id=str(row["run_id"]),
            arm=str(row["arm"]),
            quantity=name,
            predicted=tokens * cost if tokens is not None and (cost := each[name]) else None,
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


@dataclass(frozen=True)
class _Kind:
    """Trainings that are alike, so that one calibration does for all."""

    config: Config
    mean_tokens: float
    loss_share: float

    def _what(self) -> str:
        adapter = self.config.adapter
        told = None if adapter is None else asdict(adapter) | {"epochs": 0, "pairs": None}
        return repr((asdict(self.config.model), told, self.mean_tokens, self.loss_share))

    def __hash__(self) -> int:
        return hash(self._what())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kind) and self._what() == other._what()


def _calibrated(kind: _Kind) -> Pace:
    from harness.economics.plan.calibration import training_pace

    assert kind.config.adapter is not None
    return training_pace(kind.config.model, kind.config.adapter, kind.mean_tokens, kind.loss_share)


def _shape(config: Config) -> Shape:
    """The shape of the run's model: by its name or id.

    Raises:
        ConfigError: neither is known here, or it was not run in this process.
    """
    model = config.model
    if model.backend != "transformers":
        raise ConfigError(f"the model ran behind '{model.backend}', not in this process")
    try:
        return shape_of(model.name if model.source == "wheel" else model.id)
    except ConfigError:
        return shape_of(model.id)


def _positive(row: Row, name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else None
