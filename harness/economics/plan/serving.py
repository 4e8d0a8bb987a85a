"""Bytes, FLOP and rates of answering, from a model's shape; no weights loaded."""

from __future__ import annotations

from dataclasses import dataclass

from harness.economics.checks import checked_positive
from harness.economics.memory import kv_cache_bytes
from harness.economics.plan.shape import Shape
from harness.economics.plan.training import NF4_BITS
from harness.errors import ConfigError, suggestion

FORMATS = {
    "float32": 32.0,
    "bfloat16": 16.0,
    "float16": 16.0,
    "int8": 8.0,
    "nf4": NF4_BITS,
    "q8_0": 8.5,
    "q5_0": 5.5,
    "q4_0": 4.5,
    "q4_1": 5.0,
}
"""Bits a weight of each format. GGUF's hold 32 weights in a block: a float16 scale, in q4_1 a
float16 minimum, in q5_0 32 high bits (ggml-common.h of llama.cpp). int8's scales, one a row, are
left out. Every matrix is taken to be in the format."""

KV_FORMATS = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.0}


@dataclass(frozen=True)
class Serving:
    """How questions are answered.

    Attributes:
        format: of the weights, a key of ``FORMATS``.
        kv_format: of cached keys and values.
        concurrency: sequences that are answered together.
        prompt_tokens, answer_tokens: of one query.
        context: tokens that the cache has room for in each sequence; None is prompt and answer.
    """

    format: str = "bfloat16"
    kv_format: str = "bfloat16"
    concurrency: int = 1
    prompt_tokens: int = 512
    answer_tokens: int = 64
    context: int | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("--format", self.format, list(FORMATS)),
            ("--kv-format", self.kv_format, list(KV_FORMATS)),
        ):
            if value not in choices:
                near = suggestion(value, choices)
                raise ConfigError(f"{name} is '{value}'; it is one of {', '.join(choices)}{near}")
        for name, number in (
            ("--concurrency", self.concurrency),
            ("--prompt-tokens", self.prompt_tokens),
            ("--answer-tokens", self.answer_tokens),
            ("--context", self.room),
        ):
            if number < 1:
                raise ConfigError(f"{name} is {number}; it is at least 1")
        if self.room < self.prompt_tokens + self.answer_tokens:
            raise ConfigError(
                f"--context is {self.room}; a prompt and its answer are "
                f"{self.prompt_tokens + self.answer_tokens} tokens"
            )

    @property
    def room(self) -> int:
        """Tokens that each sequence's cache has room for."""
        return self.prompt_tokens + self.answer_tokens if self.context is None else self.context


def serving_bytes(shape: Shape, serving: Serving) -> dict[str, float]:
    """Part -> bytes of answering ``concurrency`` queries together.

    The working memory is that of reading one prompt at a time.

    Raises:
        ConfigError: the context exceeds what the model was made for.
    """
    if shape.positions is not None and serving.room > shape.positions:
        raise ConfigError(
            f"a context of {serving.room} tokens exceeds the {shape.positions} that {shape.name} "
            "was made for; lower --context, --prompt-tokens or --answer-tokens"
        )
    widest = max(shape.intermediate * 3, shape.query_width * 3) + 2 * shape.hidden
    return {
        "weights": weight_bytes(shape, serving.format),
        "kv cache": kv_cache(shape, serving, serving.room),
        "working": 2.0 * widest * serving.prompt_tokens + 4.0 * shape.vocabulary,
    }


def weight_bytes(shape: Shape, name: str) -> float:
    """The model's weights in a format."""
    return shape.parameters * FORMATS[name] / 8


def kv_cache(shape: Shape, serving: Serving, tokens: int) -> float:
    """Bytes of the keys and values of all sequences, each of ``tokens``."""
    return kv_cache_bytes(
        shape.layers,
        shape.kv_heads,
        shape.head_dim,
        tokens,
        serving.concurrency,
        KV_FORMATS[serving.kv_format],
    )


def prefill_flop(shape: Shape, tokens: int) -> float:
    """FLOP of reading a prompt: 2 a weight and token, attention, and the head once."""
    checked_positive(tokens, "the tokens of a prompt")
    attention = 4 * shape.layers * shape.query_width * tokens * tokens
    return 2.0 * shape.linear * tokens + attention + 2 * shape.embedding


def decode_flop(shape: Shape, prompt: int, tokens: int) -> float:
    """FLOP of ``tokens`` generated after a prompt: 2 a weight and token, and attention."""
    attended = 4 * shape.layers * shape.query_width * (prompt + tokens / 2)
    return tokens * (2.0 * (shape.linear + shape.embedding) + attended)
