"""Put a trained adapter on a freshly loaded base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from harness.adapters.config import AdapterConfig
from harness.errors import ModelError
from harness.models.load import ModelFiles, load_weights, one_line


def load_with_adapter(
    files: ModelFiles,
    adapter: Path,
    config: AdapterConfig,
    dtype: str,
    attention: str,
    device: torch.device,
) -> PreTrainedModel:
    """The base model with the adapter of ``adapter`` in it, ready to answer.

    It is folded into the weights if ``config.merge``, else computed beside them. After full
    fine-tuning ``adapter`` holds the whole model and the base is not read.

    Raises:
        ModelError: the adapter cannot be read or does not fit the base model.
    """
    if config.kind == "full":
        return load_weights(ModelFiles(str(adapter), None, ""), dtype, attention, device)
    from peft import PeftModel

    base = load_weights(files, dtype, attention, device)
    try:
        adapted: Any = PeftModel.from_pretrained(
            base, str(adapter), autocast_adapter_dtype=False, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"cannot load the adapter at {adapter}: {one_line(error)}") from error
    if config.merge:
        adapted = adapted.merge_and_unload()
    return adapted.eval()
