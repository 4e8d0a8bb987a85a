"""Choose number format and attention by one short measurement for each device and model.

Which is faster depends on the processor: bfloat16 is some three times faster than float32 where
there are matrix tiles (AMX), twice where there are dot products of good speed (Zen 4), and slower
elsewhere. It depends on the work's size as well: with few tokens the passes over memory decide,
with a real batch the matrix products, so the batches here are near real ones. The choice is stored
and goes into the resolved configuration and its hash, so every arm of a comparison runs alike.
"""

from __future__ import annotations

import json
import logging
import math
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from harness.errors import ModelError
from harness.metering.device import device_description, synchronise
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles, load_weights, one_line
from harness.store import obtain

logger = logging.getLogger(__name__)

CALIBRATION_VERSION = 4
PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 8, 48, 3
# A batch of 16 short examples computes 250 to 500 tokens, by what they share (adapters.beginning).
EXAMPLES, EXAMPLE_TOKENS = 8, 40
NEVER = math.inf
TIMINGS = 3  # the fastest counts, so that a busy moment does not decide


def resolve_choices(
    config: ModelConfig,
    files: ModelFiles,
    device: torch.device,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> ModelConfig:
    """The config with every "auto" replaced by the fastest choice on this device.

    Measured once (about half a minute) and stored; where nothing is "auto" nothing is measured,
    and what is set is not measured against anything else.

    Args:
        turn: entered while it is measured: nobody else is measured on the device then.

    Raises:
        ModelError: the model runs in none of the formats that are left to choose from.
    """
    candidates = {
        prefix: _candidates(config, prefix, device)
        for prefix in config.timed
        if "auto" in (getattr(config, f"{prefix}dtype"), getattr(config, f"{prefix}attention"))
    }
    if not candidates:
        return config
    key = {
        "version": CALIBRATION_VERSION,
        "model": files.identity,
        "device": device_description(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "candidates": candidates,
    }

    def measure(folder: Path) -> None:
        logger.info("choosing number format and attention for %s (once)", config.name)
        with turn():
            measured = measure_choices(files, device, candidates)
        text = json.dumps(measured, indent=1)
        (folder / "choices.json").write_text(text, encoding="utf-8")

    stored = obtain("choices", key, measure).folder / "choices.json"
    return replace(config, **json.loads(stored.read_text(encoding="utf-8"))["chosen"])


def _candidates(config: ModelConfig, prefix: str, device: torch.device) -> list[str]:
    """ "dtype attention" pairs that the config leaves open; ``prefix`` is "" or "train_"."""
    formats, attentions = ["float32", "bfloat16"], ["sdpa", "eager"]
    if device.type != "cpu" and not prefix:
        formats.append("float16")  # in training its gradients underflow without loss scaling
    dtype = getattr(config, f"{prefix}dtype")
    attention = getattr(config, f"{prefix}attention")
    return [
        f"{one} {other}"
        for one in (formats if dtype == "auto" else [dtype])
        for other in (attentions if attention == "auto" else [attention])
    ]


def measure_choices(
    files: ModelFiles, device: torch.device, candidates: dict[str, list[str]]
) -> dict[str, Any]:
    """Seconds of answering and of a training step for each candidate, and the fastest of each.

    Args:
        candidates: "dtype attention" pairs for answering (key "") and training (key "train_").
    """
    seconds: dict[str, dict[str, float]] = {prefix: {} for prefix in candidates}
    for name in sorted({name for names in candidates.values() for name in names}):
        dtype, attention = name.split()
        model = _loaded(files, dtype, attention, device)
        for prefix, names in candidates.items():
            if name in names:
                work = _train_step if prefix else _answer
                runs = model is not None
                seconds[prefix][name] = _seconds(model, work, device, name) if runs else NEVER
        del model
    chosen = {}
    for prefix, times in seconds.items():
        fastest = min(times, key=lambda name: times[name])
        if times[fastest] == NEVER:
            raise ModelError(
                f"the model at {files.location} runs in none of {', '.join(times)} on {device}; "
                "use a smaller model or another device"
            )
        chosen[f"{prefix}dtype"], chosen[f"{prefix}attention"] = fastest.split()
    told = {"train" if prefix else "answer": times for prefix, times in seconds.items()}
    return {"chosen": chosen, "seconds": told}


def _loaded(files: ModelFiles, dtype: str, attention: str, device: torch.device) -> Any:
    """The model, frozen; None where it cannot be loaded so, for want of memory say."""
    try:
        return load_weights(files, dtype, attention, device).requires_grad_(False)
    except ModelError as error:
        logger.info("%s with %s attention is no choice here: %s", dtype, attention, error)
        return None


def _seconds(model: Any, work: Callable[[Any], None], device: torch.device, name: str) -> float:
    """The fastest of a few timings, after one warm-up; infinite where the format does not run."""
    best = NEVER
    try:
        work(model)
        for _ in range(TIMINGS):
            synchronise(device)
            started = time.perf_counter()
            work(model)
            synchronise(device)
            best = min(best, time.perf_counter() - started)
    except (RuntimeError, NotImplementedError) as error:
        logger.info("%s attention does not run here: %s", name, one_line(error))
    return best


def _answer(model: Any) -> None:
    """Read some prompts and decode a few tokens, as answering does."""
    ids = _ids(model, PROMPTS, PROMPT_TOKENS)
    with torch.inference_mode():
        read = model.base_model(input_ids=ids, use_cache=True)
        cache = read.past_key_values
        for _ in range(NEW_TOKENS):
            step = model.base_model(input_ids=ids[:, :1], past_key_values=cache, use_cache=True)
            cache = step.past_key_values


def _train_step(model: Any) -> None:
    """Forward and backward with frozen weights and a gradient that reaches the first layer."""
    ids = _ids(model, EXAMPLES, EXAMPLE_TOKENS)
    embedded = model.get_input_embeddings()(ids).requires_grad_(True)
    hidden = model.base_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    hidden.float().mean().backward()


def _ids(model: Any, rows: int, width: int) -> torch.Tensor:
    vocabulary = model.config.get_text_config().vocab_size
    numbers = torch.arange(rows * width, device=model.device) * 7919
    return (numbers % vocabulary).view(rows, width)
