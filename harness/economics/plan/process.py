"""What a process on a CPU holds beyond the tensors that training and answering need."""

from __future__ import annotations

from collections.abc import Mapping

PROCESS_BYTES = 0.6 * 2**30
"""Interpreter and libraries of a run (torch, transformers, peft, sentence-transformers, faiss) with
a tokenizer, before any weights: measured on Linux x86_64, Python 3.11."""

HELD = 1.8
"""Resident bytes for a byte of short-lived tensors. Activations of batches of different lengths
come and go on the heap, and glibc keeps what it freed in pieces: 1.7 to 1.8 times the tensors after
ten training steps with SmolLM2-135M. A GPU's caching allocator rounds far less; there it is 1."""

HELD_IN_HALF_TRAINING = 3.0
"""The same of training in bfloat16: 2.7 GiB, where its tensors are half as large as in float32,
after an epoch of the quickstart's LoRA in a process of its own. What else the CPU's bfloat16
operations hold was not taken apart. Held against four epochs after other work it is 15 % low."""

SHORT_LIVED = ("activations", "logits", "working", "growing kv cache")


def held_in_training(dtype: str) -> float:
    """Resident bytes for a byte of short-lived tensors of a training in this number format."""
    return HELD if dtype == "float32" else HELD_IN_HALF_TRAINING


def process_bytes(parts: Mapping[str, float], held_share: float = HELD) -> dict[str, float]:
    """The parts as a process on a CPU holds them: its own share, and what the heap keeps."""
    held = sum(parts.get(name, 0.0) for name in SHORT_LIVED) * (held_share - 1)
    return {**parts, "process": PROCESS_BYTES, "kept by the heap": held}
