"""The settings of fine-tuning; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.errors import ConfigError, suggestion
from harness.pairs.config import PairsConfig

KINDS = ("lora", "loha", "lokr", "vera", "oft", "ia3", "full")
VARIANTS = ("plain", "dora", "rslora", "pissa", "olora")
CHANGE_THE_BASE = ("pissa", "olora")
"""Variants whose initialisation takes a part of the base weights away and trains it."""
TRAIN_PASSAGES = ("none", "retrieved", "gold", "raft")
KL_TOKENS = ("answers", "replay")
DISTRACTORS_FROM = ("random", "retrieved")
SCHEDULES = ("linear", "cosine", "constant", "constant_with_warmup")
MIXED_PRECISION = ("no", "bf16", "fp16")
STRATEGIES = ("ddp", "fsdp")


@dataclass
class ReplayConfig:
    """General data mixed into training so that the model forgets less.

    The examples are the base model's own answers to general questions, so they teach nothing new:
    they only ask the model to stay as it is.

    Attributes:
        share: replayed examples as a share of all training examples; 0 is none.
        prompts: how many different general questions are answered by the base model.
        max_new_tokens: longest replayed answer.
    """

    share: float = 0.0
    prompts: int = 200
    max_new_tokens: int = 24

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ConfigError(f"adapter.replay.share is {self.share}; it is 0 or more, below 1")
        if self.prompts < 1 or self.max_new_tokens < 1:
            raise ConfigError(
                "adapter.replay.prompts and adapter.replay.max_new_tokens are at least 1"
            )


@dataclass
class KlConfig:
    """A penalty on moving away from the base model, against forgetting.

    Attributes:
        weight: of the penalty in the loss; 0 is none.
        tokens: where it is taken: "answers" (the answer tokens of all training examples) or
            "replay" (those of replayed general examples alone).
    """

    weight: float = 0.0
    tokens: str = "answers"

    def __post_init__(self) -> None:
        # Written so that NaN is refused as well.
        if not 0 <= self.weight < float("inf"):
            raise ConfigError(f"adapter.kl.weight is {self.weight}; it is a number, 0 or more")
        if self.tokens not in KL_TOKENS:
            near = suggestion(self.tokens, list(KL_TOKENS))
            raise ConfigError(
                f"adapter.kl.tokens is '{self.tokens}'; it is one of {', '.join(KL_TOKENS)}{near}"
            )


@dataclass
class RaftConfig:
    """The passages of a training prompt with ``train_passages=raft`` (arXiv:2403.10131).

    Attributes:
        gold_share: share of the prompts that hold the gold passage and ``distractors`` others; the
            rest hold one distractor more in its place.
        distractors: passages of other documents beside the gold one.
        distractors_from: "random" (drawn by the run's seed) or "retrieved" (the best that the arm's
            retriever finds for the question).
        quote: train answers that first quote the sentence of the gold passage that states them.
    """

    gold_share: float = 0.8
    distractors: int = 4
    distractors_from: str = "random"
    quote: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.gold_share <= 1:
            raise ConfigError(f"adapter.raft.gold_share is {self.gold_share}; it is from 0 to 1")
        if self.distractors < 1:
            raise ConfigError(f"adapter.raft.distractors is {self.distractors}; it is at least 1")
        if self.distractors_from not in DISTRACTORS_FROM:
            near = suggestion(self.distractors_from, list(DISTRACTORS_FROM))
            raise ConfigError(
                f"adapter.raft.distractors_from is '{self.distractors_from}'; it is one of "
                f"{', '.join(DISTRACTORS_FROM)}{near}"
            )


@dataclass
class AdapterConfig:
    """What fills an arm's adapter slot, and how it is trained.

    Attributes:
        kind: "lora", another kind of PEFT ("loha", "lokr", "vera", "oft", "ia3"), or "full" (every
            weight; the "adapter" is then a whole model).
        variant: of LoRA: "plain", "dora", "rslora", "pissa" or "olora".
        options: further settings of PEFT for the kind, under PEFT's names.
        rank, alpha, dropout: of LoRA and the kinds that have them; LoRA's update is scaled by
            alpha / rank. On a CPU, dropout more than doubles the time of a forward pass, and a few
            epochs need none.
        lr_ratio: learning rate of LoRA's B over that of its A; above 1 it is LoRA+
            (arXiv:2402.12354).
        target_modules: "all-linear", or module names separated by commas.
        learning_rate: the highest, after warm-up.
        epochs: passes over the training examples.
        batch_size: examples in one optimiser step, over all processes.
        micro_batch_size: examples on one device at once; null is batch_size / processes. Smaller
            ones are accumulated: same step, less memory.
        warmup_share: share of the steps over which the learning rate rises.
        schedule: how it falls afterwards.
        max_tokens: examples are cut at so many tokens.
        gradient_checkpointing: recompute activations instead of keeping them.
        mixed_precision: "no" trains in model.train_dtype; "bf16" and "fp16" keep those weights and
            compute in the lower precision.
        early_stopping_patience: stop after so many epochs without a lower validation loss and keep
            the best epoch; null trains all epochs.
        checkpoint_steps: optimiser steps between checkpoints, from which a training that was killed
            goes on; null writes one about every minute, 0 none. The result is the same with any.
        processes: processes that train together, one a GPU, or sharing the CPU; the step is that
            of one process with the same batch_size.
        strategy: what each of several processes holds: "ddp" all weights, "fsdp" a shard of them,
            which takes less memory and more traffic.
        train_passages: what stands before the question in training prompts: "none", "retrieved"
            (what this arm's retriever finds), "gold" (the document that states the answer) or
            "raft" (the gold passage among distractors, or distractors alone).
        merge: fold the adapter into the weights before answering.
        replay: general data against forgetting.
        kl: a penalty against forgetting.
        raft: what "raft" puts into a prompt.
        pairs: training pairs made from the corpus; without a generator, the task's own are used.
    """

    kind: str = "lora"
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    target_modules: str = "all-linear"
    learning_rate: float = 1e-3
    epochs: int = 4
    batch_size: int = 16
    micro_batch_size: int | None = None
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    warmup_share: float = 0.05
    schedule: str = "linear"
    max_tokens: int = 1024
    gradient_checkpointing: bool = False
    mixed_precision: str = "no"
    early_stopping_patience: int | None = None
    checkpoint_steps: int | None = None
    processes: int = 1
    strategy: str = "ddp"
    train_passages: str = "none"
    merge: bool = True
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    variant: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)
    lr_ratio: float = 1.0
    kl: KlConfig = field(default_factory=KlConfig)
    raft: RaftConfig = field(default_factory=RaftConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("kind", self.kind, KINDS),
            ("variant", self.variant, VARIANTS),
            ("train_passages", self.train_passages, TRAIN_PASSAGES),
            ("schedule", self.schedule, SCHEDULES),
            ("mixed_precision", self.mixed_precision, MIXED_PRECISION),
            ("strategy", self.strategy, STRATEGIES),
        ):
            if value not in choices:
                near = suggestion(value, list(choices))
                raise ConfigError(
                    f"adapter.{name} is '{value}'; it is one of {', '.join(choices)}{near}"
                )
        for name, number in (
            ("rank", self.rank),
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("max_tokens", self.max_tokens),
            ("processes", self.processes),
        ):
            if number < 1:
                raise ConfigError(f"adapter.{name} is {number}; it is at least 1")
        if not 0 < self.learning_rate < 1:
            raise ConfigError(f"adapter.learning_rate is {self.learning_rate}; it is in (0, 1)")
        if not 0 <= self.dropout < 1 or not 0 <= self.warmup_share < 1:
            raise ConfigError("adapter.dropout and adapter.warmup_share are 0 or more, below 1")
        if self.batch_size % self.processes:
            raise ConfigError(
                f"adapter.batch_size ({self.batch_size}) cannot be divided among "
                f"adapter.processes={self.processes}; make it a multiple of {self.processes}"
            )
        each, micro = self.batch_size // self.processes, self.micro_batch_size
        if micro is not None and (micro < 1 or each % micro):
            among = f" / adapter.processes ({self.processes})" if self.processes > 1 else ""
            raise ConfigError(
                f"adapter.micro_batch_size is {micro}; it divides adapter.batch_size "
                f"({self.batch_size}){among}"
            )
        if self.strategy != "ddp" and self.processes == 1:
            raise ConfigError(
                f"adapter.strategy={self.strategy} is for several processes; set adapter.processes"
            )
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            raise ConfigError("adapter.early_stopping_patience is at least 1, or null")

        if self.checkpoint_steps is not None and self.checkpoint_steps < 0:
            raise ConfigError(
                f"adapter.checkpoint_steps is {self.checkpoint_steps}; it is a number of steps, "
                "0 for no checkpoints, or null"
            )
        if self.raft.quote and self.train_passages != "raft":
            raise ConfigError(
                f"adapter.raft.quote needs adapter.train_passages=raft, not {self.train_passages}: "
                "only there is a passage to quote among others"
            )
        self._check_peft()
        self._check_kl()

    def _check_peft(self) -> None:
        """Refuse a variant, options or learning rates that the kind does not have."""
        if self.kind != "lora" and self.variant != "plain":
            raise ConfigError(
                f"adapter.variant={self.variant} is of LoRA; adapter.kind is '{self.kind}'"
            )
        if self.kind == "full" and self.options:
            raise ConfigError("adapter.options are PEFT's; adapter.kind=full has none")
        if not 1 <= self.lr_ratio < float("inf"):
            raise ConfigError(f"adapter.lr_ratio is {self.lr_ratio}; it is at least 1")
        if self.kind != "lora" and self.lr_ratio != 1:
            raise ConfigError(f"adapter.lr_ratio is of LoRA; adapter.kind is '{self.kind}'")
        for name, value, alone in (
            ("variant", self.variant, self.variant in CHANGE_THE_BASE),
            ("lr_ratio", self.lr_ratio, self.lr_ratio != 1),
            ("kl.weight", self.kl.weight, self.kl.weight > 0),
        ):
            if alone and self.processes > 1:
                raise ConfigError(
                    f"adapter.{name}={value} trains in one process; set adapter.processes=1"
                )

    def _check_kl(self) -> None:
        """Refuse a penalty where there is no base model to compare with, or nothing to compare."""
        if self.kl.weight == 0:
            return
        if self.kind == "full" or self.variant in CHANGE_THE_BASE:
            what = "kind=full" if self.kind == "full" else f"variant={self.variant}"
            raise ConfigError(
                f"adapter.kl.weight={self.kl.weight} needs the base model's own weights, which "
                f"adapter.{what} changes; set it to 0 or choose another adapter"
            )
        if self.options.get("bias", "none") != "none":
            raise ConfigError(
                "adapter.kl.weight needs the base model's own weights, which adapter.options.bias "
                "changes; set one of the two to 0 or none"
            )
        if self.kl.tokens == "replay" and self.replay.share == 0:
            raise ConfigError("adapter.kl.tokens=replay needs adapter.replay.share above 0")

    @property
    def sharded(self) -> bool:
        """Whether no process holds all weights: FSDP updates them, in their own format."""
        return self.strategy == "fsdp"

    def update_dtype(self, train_dtype: str) -> str:
        """The number format in which updates are added to weights of ``train_dtype``."""
        return train_dtype if self.sharded else "float32"

    @property
    def on_device(self) -> int:
        """Examples on one device at once."""
        return self.micro_batch_size or self.batch_size // self.processes

    @property
    def accumulation(self) -> int:
        """Micro-batches of each process in one optimiser step."""
        return self.batch_size // (self.processes * self.on_device)
