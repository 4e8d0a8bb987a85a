"""Bytes and accelerators that training and inference need, from counts alone; no weights loaded.

Activations are left out of the training figures: they depend on batch, length and checkpointing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.economics.checks import checked_amount, checked_positive, checked_share

ADAM_FP32_BYTES = 16
"""A trained parameter in fp32 with Adam: weight 4, gradient 4, two moments 4 each."""


@dataclass(frozen=True)
class Accelerator:
    """One device of a catalogue.

    Attributes:
        memory_bytes: of its own (HBM).
        peak_flops: FLOP a second at the number format in use.
        bandwidth: bytes a second from its memory.
        source: where the figures are from.
    """

    name: str
    memory_bytes: float
    peak_flops: float
    bandwidth: float
    source: str

    def __post_init__(self) -> None:
        for field in ("memory_bytes", "peak_flops", "bandwidth"):
            checked_positive(getattr(self, field), f"{field} of {self.name}")


def full_training_bytes(parameters: float) -> float:
    """Weights, gradients and moments of full fine-tuning with Adam in fp32."""
    return ADAM_FP32_BYTES * checked_positive(parameters, "the number of parameters")


def lora_training_bytes(
    parameters: float, trainable_share: float, weight_bytes: float = 2
) -> float:
    """LoRA with Adam: frozen weights (2 bytes each in bf16) and 16 bytes a trained one."""
    checked_positive(parameters, "the number of parameters")
    checked_positive(weight_bytes, "the bytes of a weight")
    trained = checked_share(trainable_share, "the trainable share") * parameters
    return weight_bytes * parameters + ADAM_FP32_BYTES * trained


def kv_cache_bytes(
    layers: int, kv_heads: int, head_dim: int, tokens: int, batch: int = 1, value_bytes: float = 2
) -> float:
    """Keys and values of ``batch`` sequences of ``tokens`` each."""
    counts = {
        "layers": layers,
        "KV heads": kv_heads,
        "values in a head": head_dim,
        "bytes of a value": value_bytes,
    }
    for what, count in counts.items():
        checked_positive(count, f"the number of {what}")
    checked_amount(tokens, "the number of tokens")
    checked_amount(batch, "the number of sequences")
    return 2 * layers * kv_heads * head_dim * tokens * batch * value_bytes


def decode_tokens_per_second(
    device: Accelerator, weight_bytes: float, kv_bytes: float, batch: int
) -> float:
    """The most that ``batch`` sequences decode together: each step reads weights and KV once.

    ``kv_bytes`` is that of the whole batch. A bound from bandwidth; real decoding is slower.
    """
    checked_positive(weight_bytes, "the size of the weights", "bytes")
    checked_amount(kv_bytes, "the size of the KV cache", "bytes")
    checked_positive(batch, "the number of sequences")
    return batch * device.bandwidth / (weight_bytes + kv_bytes)


def training_accelerators(
    device: Accelerator,
    parameters: float,
    trained_tokens: float,
    seconds: float,
    utilisation: float,
    needed_bytes: float = 0,
    memory_share: float = 0.9,
) -> int:
    """Devices that train in ``seconds``: the larger of what 6ND FLOP and the memory ask for.

    Args:
        utilisation: share of the peak FLOP/s that training reaches (MFU).
        needed_bytes: of the training, spread evenly over the devices; 0 leaves memory aside.
        memory_share: of a device's memory that can be filled.
    """
    flop = 6 * checked_positive(parameters, "the number of parameters")
    flop *= checked_positive(trained_tokens, "the number of trained tokens")
    return max(
        accelerators_in_time(device, flop, seconds, utilisation),
        accelerators_to_hold(device, checked_amount(needed_bytes, "the memory"), memory_share),
    )


def accelerators_in_time(
    device: Accelerator, flop: float, seconds: float, utilisation: float
) -> int:
    """Devices that do ``flop`` in ``seconds`` at a share of their peak; no time for traffic."""
    checked_positive(seconds, "the time to train in", "seconds")
    rate = device.peak_flops * _used(utilisation, "the utilisation")
    return max(1, math.ceil(checked_amount(flop, "the work", "FLOP") / (rate * seconds)))


def accelerators_to_hold(device: Accelerator, needed_bytes: float, memory_share: float) -> int:
    """Devices whose memory holds ``needed_bytes`` spread evenly over them."""
    share = _used(memory_share, "the share of memory that can be filled")
    return max(1, math.ceil(needed_bytes / (device.memory_bytes * share)))


def inference_accelerators(
    device: Accelerator,
    needed_bytes: float,
    demanded_tokens_per_second: float,
    tokens_per_second_each: float,
    memory_share: float = 0.9,
) -> int:
    """Devices that hold weights and KV cache, and keep up: the larger of the two counts."""
    checked_positive(needed_bytes, "the memory", "bytes")
    checked_amount(demanded_tokens_per_second, "the demand", "tokens/s")
    checked_positive(tokens_per_second_each, "the rate of one device", "tokens/s")
    return max(
        accelerators_to_hold(device, needed_bytes, memory_share),
        math.ceil(demanded_tokens_per_second / tokens_per_second_each),
    )


def _used(share: float, what: str) -> float:
    return checked_positive(checked_share(share, what), what)
