"""Results of PEFT's ``method_comparison``: one JSON file a run.

Fields: https://github.com/huggingface/peft, method_comparison/MetaMathQA/utils.py, ``log_results``.
"""

from __future__ import annotations

from typing import Any

from harness.errors import DataError
from harness.interchange.detect import ForeignFile
from harness.interchange.foreign_run import ForeignRun, OtherMeasure, Reading, foreign_name
from harness.interchange.leftover import Leftover, is_number
from harness.interchange.units import GIB
from harness.types import sha256_of

DEFINITIONS = {
    "forgetting_text_loss_nats": "peft forgetting",
    "train_seconds": "peft train_time: with tokenising and the final test",
    "spent_seconds": "peft total_time",
    "peak_gpu_memory_gib": "peft accelerator_memory_max: reserved, not allocated",
}
"""Column to what PEFT calls by that name; ``setup_seconds`` follows ``train_seconds``."""

SCORES = {"test accuracy": True, "test dino_similarity": True, "drift": False, "train loss": False}
"""Figures of the last evaluation to whether higher is better."""

SIZES = {
    "file_size": "bytes",
    "num_trainable_params": "parameters",
    "num_total_params": "parameters",
    "accelerator_memory_reserved_avg": "bytes",
    "accelerator_memory_reserved_99th": "bytes",
}
"""Other figures of ``train_info`` to their unit; less is better."""


def read(file: ForeignFile) -> Reading:
    """The one run of a PEFT result file; a run that did not succeed is a failed one.

    Raises:
        DataError: the file does not say whether the run succeeded.
    """
    identity = sha256_of(["peft", file.content])
    left = Leftover(file.content)
    status = left.look("train_info", "status")
    if not isinstance(status, str):
        raise DataError(f"{file.path}: no 'status' in 'train_info': whether it succeeded is open")
    failed = status != "success"
    columns = _settings(left) | _costs(left)
    measures = {} if failed else _measures(left, columns)
    problems = [
        f"{file.path}: {place} is no finite number: kept as text in other_fields"
        for place in left.not_finite()
    ]
    told = left.take_text("error", "run_info", "error_msg") if failed else None
    version = left.look("meta_info", "package_info", "peft-version")
    versions = {name: text for name, text in DEFINITIONS.items() if columns.get(name) is not None}
    if "train_seconds" in versions:
        versions["setup_seconds"] = versions["train_seconds"]
    run = ForeignRun(
        tool=f"peft {version}" if isinstance(version, str) else "peft",
        file=file.name,
        name=str(columns.get("arm") or file.path.stem),
        identity=identity,
        columns=columns | _packages(left),
        measures=measures,
        versions=versions,
        rest=left.rest(),
        placed=left.placed,
        error=(told or f"peft status '{status}'") if failed else "",
    )
    return Reading([run], problems)


def _settings(left: Leftover) -> dict[str, Any]:
    config, peft = ("run_info", "train_config"), ("run_info", "peft_config")
    number_format = left.take_text("dtype", *config, "dtype")
    attention = left.take_text("attention", *config, "attn_implementation")
    return {
        "created_at": left.take_text("created_at", "run_info", "created_at"),
        "arm": left.take_text("arm", "run_info", "experiment_name"),
        "task": _task(left),
        "model": left.take_text("model", *config, "model_id"),
        "model_identity": left.take_text("model_identity", "meta_info", "model_info", "sha"),
        "seed": left.take_int("seed", *config, "seed"),
        "adapter": _adapter(left),
        "rank": left.take_int("rank", *peft, "r"),
        "alpha": left.take_number("alpha", *peft, "lora_alpha"),
        "learning_rate": left.take_number("learning_rate", *config, "optimizer_kwargs", "lr"),
        "train_batch_size": left.take_int("train_batch_size", *config, "batch_size"),
        "trained_steps": left.take_int("trained_steps", "train_info", "metrics", -1, "step"),
        "trained_tokens": left.take_int(
            "trained_tokens", "train_info", "metrics", -1, "train total tokens"
        ),
        "dtype": number_format,
        "train_dtype": number_format,
        "attention": attention,
        "train_attention": attention,
        "max_new_tokens": left.take_int(
            "max_new_tokens", *config, "generation_kwargs", "max_new_tokens"
        ),
        "device": left.take_text("device", "meta_info", "system_info", "accelerator"),
    }


def _task(left: Leftover) -> str | None:
    """The data sets, as "gsm8k+metamath": the file has no other name for its task."""
    named = left.take_text("task", "run_info", "train_config", "dataset_id")
    sets = left.look("meta_info", "dataset_info")
    if named or not isinstance(sets, dict):
        return named
    return "+".join(sorted(name for name, told in sets.items() if isinstance(told, dict))) or None


def _adapter(left: Leftover) -> str | None:
    kind = left.look("run_info", "peft_config", "peft_type")
    if isinstance(kind, str):
        return kind.lower()  # the file's own spelling stays in other_fields
    full = isinstance(left.look("run_info"), dict) and left.look("run_info", "peft_config") is None
    return "full" if full else None


def _costs(left: Leftover) -> dict[str, float | None]:
    memory = left.take_number("peak_gpu_memory_gib", "train_info", "accelerator_memory_max")
    return {
        "spent_seconds": left.take_number("spent_seconds", "run_info", "total_time"),
        "train_seconds": left.take_number("train_seconds", "train_info", "train_time"),
        "peak_gpu_memory_gib": None if memory is None else memory * GIB["B"],
    }


def _measures(left: Leftover, columns: dict[str, Any]) -> dict[str, OtherMeasure]:
    last = ("train_info", "metrics", -1)
    columns["forgetting_text_loss_nats"] = left.take_number(
        "forgetting_text_loss_nats", *last, "forgetting"
    )
    found: dict[str, OtherMeasure] = {}
    figures = left.look(*last)
    for name in list(figures) if isinstance(figures, dict) else []:
        # A test that this table does not know is still a result; its direction is open.
        if (name in SCORES or name.startswith("test ")) and is_number(figures[name]):
            ours = foreign_name(name, "peft")
            value = left.take_number(f"other_measures.{ours}", *last, name)
            unit = "share of questions" if name == "test accuracy" else ""
            unit = (
                "nats per token" if name == "train loss" and columns.get("max_new_tokens") else unit
            )
            assert value is not None
            found[ours] = OtherMeasure(value, SCORES.get(name), unit)
    for name, unit in SIZES.items():
        size = left.take_number(f"other_measures.{name}", "train_info", name)
        if size is not None:
            found[name] = OtherMeasure(size, False, unit)
    return found


def _packages(left: Leftover) -> dict[str, Any]:
    """Package -> version; "peft-version" is called "peft" here, as in our own rows."""
    told = left.look("meta_info", "package_info")
    packages = {}
    for name in list(told) if isinstance(told, dict) else []:
        if name.endswith("-version"):
            version = left.take_text("package_versions", "meta_info", "package_info", name)
            if version is not None:
                packages[name.removesuffix("-version")] = version
    return {"package_versions": packages or None}
