"""Base weights in four bits while an adapter is trained: QLoRA's NF4, through bitsandbytes.

After Dettmers et al. 2023 (arXiv:2305.14314): linear layers in 4-bit NormalFloat with double
quantisation, computing in ``model.train_dtype``. Answers come from the weights as they are, with
the adapter folded in or beside them, so every arm answers with the same base.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, ModelError
from harness.models.config import NF4, ModelConfig

if TYPE_CHECKING:
    import torch

    from harness.adapters.config import AdapterConfig

PACKAGE = "bitsandbytes"


def check_quantization(model: ModelConfig, adapter: AdapterConfig) -> None:
    """Nothing, if the adapter can be trained on the model's weights as ``train_quantization`` says.

    Raises:
        ConfigError: it cannot.
    """
    if model.train_quantization != NF4:
        return
    for fits, setting, what in (
        (
            adapter.kind == "lora",
            f"kind={adapter.kind}",
            "trains LoRA alone: set adapter.kind=lora",
        ),
        (
            adapter.variant not in ("pissa", "olora"),
            f"variant={adapter.variant}",
            "keeps weights that cannot be decomposed: set adapter.variant=plain, rslora or dora",
        ),
        (
            adapter.processes == 1,
            f"processes={adapter.processes}",
            "trains in one process: set adapter.processes=1",
        ),
        (
            adapter.mixed_precision == "no",
            f"mixed_precision={adapter.mixed_precision}",
            "computes in model.train_dtype: set adapter.mixed_precision=no",
        ),
    ):
        if not fits:
            raise ConfigError(f"adapter.{setting}: model.train_quantization={NF4} {what}")


def quantization_key(model: ModelConfig) -> dict[str, Any]:
    """What four bits add to the key of what they change; nothing without them."""
    if model.train_quantization != NF4:
        return {}
    return {"train_quantization": [NF4, installed_version()]}


def installed_version() -> str | None:
    """The version of bitsandbytes that is installed; None without it."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def loading_settings(dtype: str, device: torch.device) -> dict[str, Any]:
    """What transformers' ``from_pretrained`` needs to load weights in NF4 on ``device``.

    Raises:
        ModelError: bitsandbytes is not installed.
    """
    import torch

    if installed_version() is None:
        raise ModelError(
            f"model.train_quantization={NF4} needs {PACKAGE}: pip install -e '.[quantized]', or "
            "set model.train_quantization=none"
        )
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=NF4,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
    return {"quantization_config": settings, "device_map": {"": device}}
