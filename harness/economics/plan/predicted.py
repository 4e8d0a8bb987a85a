"""The memory of a run that was made, predicted from its settings and the counts in its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.adapters.config import AdapterConfig
from harness.config import Config
from harness.economics.plan.process import HELD, held_in_training, process_bytes
from harness.economics.plan.retrieval import ENCODERS
from harness.economics.plan.serving import KV_FORMATS, weight_bytes
from harness.economics.plan.shape import Shape, shape_of
from harness.economics.plan.training import BYTES, Training, training_bytes
from harness.errors import ConfigError
from harness.models.config import NF4

LONGEST = 1.35
"""Tokens of the longest example or prompt over those of the mean: 1.13 to 1.37 in the tasks here. A
row tells the mean alone."""

ANSWER_SHARE = 0.15
"""Of a training example's tokens, those of its answer: 0.14 and 0.15 in the tasks here."""

Row = Mapping[str, Any]


def predicted_bytes(row: Row, config: Config, on_gpu: bool) -> float:
    """The highest memory of a run, in training or in answering.

    Raises:
        ConfigError: it cannot be predicted; the message says why.
    """
    shape = shape_of_run(config)
    stages = [
        (HELD, one) for one in (*answering_stages(shape, row, config), _loading(shape, config))
    ]
    if config.adapter is not None:
        training = training_of(row, config, config.adapter)
        stages.append((held_in_training(training.dtype), training_bytes(shape, training)))
    return max(
        sum((parts if on_gpu else process_bytes(parts, held)).values()) for held, parts in stages
    )


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
    quantised = config.model.train_quantization == NF4
    return Training(
        method="qlora" if quantised else adapter.kind,
        rank=adapter.rank,
        dtype=config.model.train_dtype,
        trained_dtype=_trained_dtype(row, config, adapter),
        micro_batch=adapter.on_device,
        tokens=min(adapter.max_tokens, round(LONGEST * mean_tokens(row))),
        shared=shared_tokens(row),
        loss_share=loss_share(row),
        attention="eager" if config.model.train_attention == "eager" else "sdpa",
        checkpointing=adapter.gradient_checkpointing,
    )


def _trained_dtype(row: Row, config: Config, adapter: AdapterConfig) -> str:
    """The row's ``update_dtype``, or that of a row from before it was recorded.

    Such rows had no float32 copy of 16-bit weights, but for adapters on weights in four bits, which
    were always float32.
    """
    recorded = row.get("update_dtype")
    if isinstance(recorded, str) and recorded:
        return recorded
    if config.model.train_quantization == NF4:
        return adapter.update_dtype(config.model.train_dtype)
    return config.model.train_dtype


def answering_stages(shape: Shape, row: Row, config: Config) -> list[dict[str, float]]:
    """Bytes of answering the test questions, and the validation questions where top_k was chosen.

    The latter were read with the most passages that were tried.

    Raises:
        ConfigError: the row does not say enough, or the number format is not covered.
    """
    questions = positive(row, "n_test")
    read = positive(row, "prefill_tokens")
    if questions is None or read is None:
        raise ConfigError("the row does not say how many questions and prompt tokens there were")
    if config.model.dtype not in KV_FORMATS:
        raise ConfigError(f"model.dtype={config.model.dtype} is not covered")
    prompt = read / questions
    stages = [_answering(shape, config, questions, prompt)]
    retriever, top_k = config.retriever, positive(row, "top_k")
    validation = getattr(config.task, "validation_questions", None)
    if (
        retriever is not None
        and top_k
        and row.get("top_k_chosen_by") == "validation"
        and validation
    ):
        most = max([*retriever.top_k_candidates, top_k])
        passages = (positive(row, "passage_tokens") or 0.0) / questions
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
    counts = [positive(row, name) for name in ("trained_tokens", "training_pairs", "epochs")]
    tokens, pairs, epochs = counts
    if tokens is None or pairs is None or epochs is None:
        raise ConfigError("the row does not say trained_tokens, training_pairs and epochs")
    return tokens / (pairs * epochs)


def shared_tokens(row: Row) -> int:
    """Tokens that all training examples begin with and a batch computed once; 0 if not told."""
    return int(positive(row, "train_shared_tokens") or 0)


def loss_share(row: Row) -> float:
    """Share of the trained positions that carry loss: answers', or all of raw text."""
    return 1.0 if row.get("training_data") == "text" else ANSWER_SHARE


def shape_of_run(config: Config) -> Shape:
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


def positive(row: Row, name: str) -> float | None:
    """The row's figure; None if it is not there, or 0."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else None
