"""Bytes and FLOP of training, part by part, from a model's shape; no weights loaded.

Weights, gradients and moments are counts times bytes. Activations are what autograd keeps for the
backward pass of a Llama block, counted tensor by tensor as Korthikanti et al. (2022,
arXiv:2205.05198) did for GPT's. FLOP are 2 a weight and token in the forward pass (Kaplan et al.
2020, arXiv:2001.08361), and for attention those of PaLM's appendix B (arXiv:2204.02311).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.economics.checks import checked_positive, checked_share
from harness.economics.plan.shape import Shape
from harness.errors import ConfigError, suggestion

METHODS = ("full", "lora", "qlora", "mezo")
ATTENTIONS = ("sdpa", "eager")
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}

MOMENTS = {"adamw": 2.0, "sgd": 0.0, "adamw_8bit": 2.0}
"""Optimiser -> numbers that it keeps for each trained parameter."""
MOMENT_BYTES = {"adamw_8bit": 1.0}
"""Bytes of one of them, where it is not that of the trained parameter (arXiv:2110.02861)."""

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Of a weight in QLoRA: 4-bit NormalFloat, an 8-bit constant for 64 weights and a 32-bit one for
256 of those constants (double quantisation, arXiv:2305.14314, section 3)."""


@dataclass(frozen=True)
class Training:
    """How a model is trained; examples and epochs are not needed for the memory.

    Attributes:
        method: "full", "lora" (every linear layer of the blocks), "qlora" (the same on NF4 weights)
            or "mezo" (zeroth order: forward passes alone, arXiv:2305.17333).
        dtype: number format of weights and activations.
        trained_dtype: of what is trained (beside bfloat16 weights a copy), of its gradients and
            moments. "float32" is the usual mixed precision, and this project's training.
        micro_batch: sequences on the device at once.
        tokens: of the longest batch's sequences, padding included.
        loss_share: share of the positions that carry loss: the output head sees no others.
        shared: tokens that all sequences begin with and that are computed once for the device's
            batch; not with ``checkpointing`` or "mezo".
        checkpointing: only each block's input is kept, and the rest of it recomputed.
    """

    method: str = "lora"
    rank: int = 16
    dtype: str = "bfloat16"
    trained_dtype: str = "float32"
    optimiser: str = "adamw"
    micro_batch: int = 1
    tokens: int = 512
    loss_share: float = 1.0
    attention: str = "sdpa"
    checkpointing: bool = False
    shared: int = 0

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("--train", self.method, METHODS),
            ("--train-dtype", self.dtype, tuple(BYTES)),
            ("--trained-dtype", self.trained_dtype, tuple(BYTES)),
            ("--optimiser", self.optimiser, tuple(MOMENTS)),
            ("--attention", self.attention, ATTENTIONS),
        ):
            if value not in choices:
                near = suggestion(value, list(choices))
                raise ConfigError(f"{name} is '{value}'; it is one of {', '.join(choices)}{near}")
        for name, number in (
            ("--rank", self.rank),
            ("--micro-batch", self.micro_batch),
            ("--example-tokens", self.tokens),
        ):
            if number < 1:
                raise ConfigError(f"{name} is {number}; it is at least 1")
        checked_positive(checked_share(self.loss_share, "--loss-share"), "--loss-share")

    @property
    def value_bytes(self) -> float:
        """Bytes of a weight or an activation."""
        return BYTES[self.dtype]

    @property
    def trained_bytes(self) -> float:
        """Bytes of a trained parameter."""
        return BYTES[self.trained_dtype]


def trained_parameters(shape: Shape, training: Training) -> int:
    """How many numbers are trained."""
    if training.method in ("lora", "qlora"):
        return shape.lora_parameters(training.rank)
    return shape.parameters


def training_bytes(shape: Shape, training: Training) -> dict[str, float]:
    """Part -> bytes at the peak of a training step.

    The process itself (interpreter, libraries, a GPU's context) is in none of them.
    """
    trained = trained_parameters(shape, training)
    parts = {"weights": _weight_bytes(shape, training)}
    if training.method == "mezo":
        # Perturbation and update are made anew from a seed, in place (arXiv:2305.17333, section 2).
        return parts | {
            "activations": _forward_bytes(shape, training),
            "logits": _logit_bytes(shape, training, kept=1),
        }
    if training.method != "full":
        parts["adapter"] = trained * training.trained_bytes
    elif training.trained_bytes != training.value_bytes:
        parts["trained copy"] = trained * training.trained_bytes
    each = MOMENT_BYTES.get(training.optimiser, training.trained_bytes)
    return parts | {
        "gradients": trained * training.trained_bytes,
        "moments": trained * MOMENTS[training.optimiser] * each,
        "activations": activation_bytes(shape, training),
        # The output, its softmax in float32, and that one's gradient.
        "logits": _logit_bytes(shape, training, kept=3),
    }


def activation_bytes(shape: Shape, training: Training) -> float:
    """What the forward pass keeps for the backward pass, of the largest batch.

    With ``checkpointing`` each block's input, and all that one block keeps while it is recomputed.
    A shared beginning is there once but for its keys and values, repeated for every sequence.
    """
    repeated = training.micro_batch * training.shared
    tokens = training.micro_batch * training.tokens - repeated + training.shared
    block = tokens * _block_bytes(shape, training)
    block += 2 * shape.query_width * repeated * training.value_bytes
    if training.checkpointing:
        return shape.layers * tokens * shape.hidden * training.value_bytes + block
    return shape.layers * block


def _block_bytes(shape: Shape, training: Training) -> float:
    """Bytes that one block keeps for each token.

    The inputs of both normalisations (in float32: they compute in it) and their outputs; queries,
    keys and values, both repeated for every query head, and the attention's output; in the
    feed-forward network the gate before and after its activation, the other branch, and their
    product. sdpa keeps the mask's row and a float32 sum for each head, eager the softmax. Full
    fine-tuning needs what a normalisation multiplies its weight with, too, and LoRA the output of
    each A. Dropout is taken to be 0, as it is here.
    """
    h, q, value = shape.hidden, shape.query_width, training.value_bytes
    scores = shape.heads * training.tokens
    kept: float = 2 * h + 4 * q + 4 * shape.intermediate
    in_float32: float = 2 * h
    if training.attention == "eager":
        kept += scores
        in_float32 += scores if value < 4 else 0
    else:
        kept += training.tokens
        in_float32 += shape.heads
    if training.method == "full":
        kept += 2 * h
    else:
        kept += len(shape.linear_shapes) * training.rank
    return value * kept + 4 * in_float32


def _forward_bytes(shape: Shape, training: Training) -> float:
    """The largest tensors of one block that are there together in a pass without gradients."""
    tokens = training.micro_batch * training.tokens
    kept = 2 * shape.hidden + 3 * shape.intermediate
    scores = shape.heads * training.tokens if training.attention == "eager" else 0
    return tokens * (kept + scores) * training.value_bytes


def _logit_bytes(shape: Shape, training: Training, kept: int) -> float:
    """The head's output at the positions with loss, in its format, and float32 copies of it."""
    rows = training.micro_batch * training.tokens * training.loss_share
    return rows * shape.vocabulary * (training.value_bytes + 4 * (kept - 1))


def _weight_bytes(shape: Shape, training: Training) -> float:
    """The model's weights; of QLoRA the linear layers in NF4 and the rest in ``dtype``.

    QLoRA de-quantises a layer when it is used: its largest matrix is there in full.
    """
    if training.method != "qlora":
        return shape.parameters * training.value_bytes
    rest = (shape.parameters - shape.linear) * training.value_bytes
    largest = max(rows * columns for rows, columns in shape.linear_shapes)
    return shape.linear * NF4_BITS / 8 + rest + largest * training.value_bytes


def training_flop(shape: Shape, training: Training, tokens: float) -> dict[str, float]:
    """Part -> FLOP of training on ``tokens`` tokens, every epoch counted.

    Full: 2 forward, 4 backward a weight and token. A frozen weight has no gradient: 2 forward, 2
    backward. MeZO: two forward passes. Recomputed blocks add a forward pass. Embeddings are looked
    up and count nothing; the head counts at the positions with loss.

    Args:
        tokens: without padding, those that are computed.
    """
    checked_positive(tokens, "the number of trained tokens")
    forwards = {"full": 3, "lora": 2, "qlora": 2, "mezo": 2}[training.method]
    trained = trained_parameters(shape, training) if training.method in ("lora", "qlora") else 0
    # Scores and their product with the values: 4 FLOP a query value, token and token attended to;
    # backward it is twice that, whatever is trained. The causal half is not taken off.
    attended = 4 * shape.layers * shape.query_width * training.tokens * tokens
    again = 1 if training.checkpointing and training.method != "mezo" else 0
    blocks = 2 * shape.linear * tokens
    head = 2 * shape.embedding * tokens * training.loss_share
    return {
        "blocks": forwards * blocks,
        "adapter": 3 * 2 * trained * tokens,
        "attention": (2 if training.method == "mezo" else 3) * attended,
        "head": forwards * head,
        "recomputed": again * (blocks + 2 * trained * tokens + attended),
    }
