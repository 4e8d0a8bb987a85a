"""Choose number format and attention by one short measurement for each device and model.

Which is faster depends on the processor: bfloat16 is some three times faster than float32 where
there are matrix tiles (AMX) and slower where there are none. The choice is stored and goes into
the resolved configuration and its hash, so every arm of a comparison runs alike.
"""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from harness.metering.device import device_description, synchronise
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles, load_weights, one_line
from harness.store import obtain

logger = logging.getLogger(__name__)

CALIBRATION_VERSION = 2
PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 8, 48, 3
EXAMPLES, EXAMPLE_TOKENS = 4, 32
TIMINGS = 3  # the fastest counts, so that a busy moment does not decide


def resolve_choices(config: ModelConfig, files: ModelFiles, device: torch.device) -> ModelConfig:
    """The config with every "auto" replaced by the fastest choice on this device.

    Measured once (about ten seconds) and stored; where nothing is "auto" nothing is measured.
    """
    fields = ("dtype", "attention", "train_dtype", "train_attention")
    if all(getattr(config, name) != "auto" for name in fields):
        return config
    key = {
        "version": CALIBRATION_VERSION,
        "model": files.identity,
        "device": device_description(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }

    def measure(folder: Path) -> None:
        logger.info("choosing number format and attention for %s (once)", config.name)
        text = json.dumps(measure_choices(files, device), indent=1)
        (folder / "choices.json").write_text(text, encoding="utf-8")

    stored = obtain("choices", key, measure).folder / "choices.json"
    chosen = json.loads(stored.read_text(encoding="utf-8"))["chosen"]
    return replace(
        config,
        **{name: chosen[name] for name in fields if getattr(config, name) == "auto"},
    )


def measure_choices(files: ModelFiles, device: torch.device) -> dict[str, Any]:
    """Seconds of answering and of a training step for each candidate, and the fastest of each."""
    formats = ["float32", "bfloat16", *(["float16"] if device.type != "cpu" else [])]
    seconds: dict[str, dict[str, float]] = {"answer": {}, "train": {}}
    for dtype in formats:
        model: Any = load_weights(files, dtype, "sdpa", device).requires_grad_(False)
        for attention in ("sdpa", "eager"):
            model.set_attn_implementation(attention)
            name = f"{dtype} {attention}"
            seconds["answer"][name] = _seconds(model, _answer, device, name)
            # float16 gradients underflow without loss scaling: never chosen for training.
            if dtype != "float16":
                seconds["train"][name] = _seconds(model, _train_step, device, name)
        del model
    chosen = {}
    for work, prefix in (("answer", ""), ("train", "train_")):
        fastest = min(seconds[work], key=lambda name: seconds[work][name])
        chosen[f"{prefix}dtype"], chosen[f"{prefix}attention"] = fastest.split()
    return {"chosen": chosen, "seconds": seconds}


def _seconds(model: Any, work: Callable[[Any], None], device: torch.device, name: str) -> float:
    """The fastest of a few timings, after one warm-up; infinite where the format does not run."""
    best = float("inf")
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
