"""Train an adapter (or every weight) with PEFT and the transformers Trainer.

The output head is applied at the positions that carry loss and nowhere else: with short answers
it would otherwise be a third of the work.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from harness.adapters.config import AdapterConfig
from harness.adapters.examples import IGNORED, Example
from harness.errors import TrainingError
from harness.models.language_model import LanguageModel, is_out_of_memory
from harness.progress import bar

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSummary:
    """What a training did.

    Attributes:
        steps: optimiser steps.
        tokens: tokens without padding that went through the model, all epochs.
        epochs: passes that were run; fewer than asked for after early stopping.
        last_loss: mean training loss of the last epoch, nats a token.
        validation_loss: of the weights that were kept; None without early stopping.
    """

    steps: int
    tokens: int
    epochs: float
    last_loss: float
    validation_loss: float | None


def train(
    model: LanguageModel,
    config: AdapterConfig,
    examples: Sequence[Example],
    validation: Sequence[Example],
    seed: int,
    folder: Path,
    measured: Callable[[Callable[[], None]], None],
    validating: Callable[[bool], None] = lambda begins: None,
) -> TrainingSummary:
    """Train on ``examples`` and save the adapter to ``folder`` as safetensors.

    Args:
        model: its weights are changed: load them afresh before answering.
        validation: examples whose loss decides early stopping; without any, all epochs are run.
        seed: of the adapter's initialisation, the data order and dropout.
        measured: runs the training loop itself, inside the "train" phase.
        validating: called with True before the loss on ``validation`` is taken, False after, so
            that it can be metered apart.

    Raises:
        TrainingError: no examples, a loss that is not finite, or out of memory.
    """
    if not examples:
        raise TrainingError("there is nothing to train on: the task has no training data")
    stopping = config.early_stopping_patience if validation else None
    set_seed(seed)
    trained = attach_for_training(model.model, config)
    if config.gradient_checkpointing:
        # Frozen inputs would cut the graph of a recomputed block.
        model.model.enable_input_require_grads()
    scratch = folder / "checkpoints"
    steps = math.ceil(len(examples) / config.batch_size) * config.epochs
    trainer = HeadOnAnswersTrainer(
        head=model.head,
        validating=validating,
        model=trained,
        args=_arguments(config, steps, stopping is not None, seed, scratch, model.device),
        data_collator=Collator(model.tokenizer.pad_token_id),
        train_dataset=[_features(example) for example in examples],
        eval_dataset=[_features(example) for example in validation] or None,
        callbacks=[EarlyStoppingCallback(stopping)] if stopping else [],
    )
    # Trainer's own printer writes a dictionary a step; ours is a bar.
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    try:
        with bar("training", steps) as advance:
            trainer.add_callback(_Progress(advance))
            measured(lambda: _loop(trainer))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory in training with micro-batches of "
            f"{config.micro_batch_size or config.batch_size}; set adapter.micro_batch_size lower "
            "or adapter.gradient_checkpointing=true"
        ) from error
    _save(trained, config, folder)
    shutil.rmtree(scratch, ignore_errors=True)
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    return TrainingSummary(
        steps=trainer.state.global_step,
        tokens=trainer.tokens,
        epochs=float(trainer.state.epoch or 0.0),
        last_loss=float(losses[-1]["loss"]) if losses else math.nan,
        validation_loss=trainer.state.best_metric,
    )


def attach_for_training(model: PreTrainedModel, config: AdapterConfig) -> Any:
    """The model with what is to be trained requiring grad, in training mode.

    Raises:
        TrainingError: ``target_modules`` names no module of this model.
    """
    if config.kind == "full":
        return model.requires_grad_(True).train()
    from peft import LoraConfig, get_peft_model

    modules: str | list[str] = config.target_modules
    if modules != "all-linear":
        modules = [name.strip() for name in config.target_modules.split(",")]
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        lora_dropout=config.dropout,
        target_modules=modules,
        task_type="CAUSAL_LM",
    )
    try:
        # Adapters in the weights' own dtype: in bfloat16 PEFT would otherwise compute in float32.
        return get_peft_model(model, lora, autocast_adapter_dtype=False).train()
    except ValueError as error:
        raise TrainingError(
            f"adapter.target_modules={config.target_modules}: {str(error).splitlines()[0]}; "
            "use all-linear or names of the model's linear modules"
        ) from error


class HeadOnAnswersTrainer(Trainer):
    """A Trainer whose loss is computed at the labelled positions only."""

    def __init__(self, head: Any, validating: Callable[[bool], None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = head
        self.validating = validating
        self.tokens = 0
        # The loss below is divided by the labelled tokens of the whole step, accumulation included.
        self.model_accepts_loss_kwargs = True

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The loss on the validation examples, told apart from training."""
        self.validating(True)
        try:
            return super().evaluate(*args, **kwargs)
        finally:
            self.validating(False)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Mean cross-entropy (nats) over labelled tokens; logits at t predict token t + 1."""
        labels = inputs.pop("labels")
        predicts = torch.zeros_like(labels, dtype=torch.bool)
        predicts[:, :-1] = labels[:, 1:] != IGNORED
        with self.head.only(predicts):
            outputs = model(**inputs, use_cache=False)
        targets = labels[:, 1:][predicts[:, :-1]]
        total = torch.nn.functional.cross_entropy(outputs.logits.float(), targets, reduction="sum")
        loss = total / (num_items_in_batch if num_items_in_batch is not None else len(targets))
        if model.training:
            self.tokens += int(inputs["attention_mask"].sum())
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the training loss became {loss.item()} at step {self.state.global_step + 1}; "
                    "lower adapter.learning_rate, or train in float32 "
                    "(model.train_dtype=float32 adapter.mixed_precision=no)"
                )
        return (loss, outputs) if return_outputs else loss


class Collator:
    """Pads examples on the right into tensors ``(batch, longest)``."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, features: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(feature["input_ids"]) for feature in features)

        def padded(name: str, filler: int) -> torch.Tensor:
            return torch.tensor([f[name] + [filler] * (width - len(f[name])) for f in features])

        ids = padded("input_ids", self.pad_id)
        lengths = torch.tensor([len(feature["input_ids"]) for feature in features])
        mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": padded("labels", IGNORED)}


class _Progress(TrainerCallback):
    """Advances a bar by one at each optimiser step."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self.advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(1)


def _arguments(
    config: AdapterConfig,
    steps: int,
    stopping: bool,
    seed: int,
    scratch: Path,
    device: torch.device,
) -> TrainingArguments:
    if device.type == "cuda" and device.index:
        raise TrainingError(
            f"model.device={device}: training runs on the first visible GPU; set "
            f"CUDA_VISIBLE_DEVICES={device.index} and model.device=cuda"
        )
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=config.micro_batch_size or config.batch_size,
        per_device_eval_batch_size=config.micro_batch_size or config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        lr_scheduler_type=config.schedule,
        warmup_steps=round(steps * config.warmup_share),
        activation_checkpointing=config.gradient_checkpointing,
        bf16=config.mixed_precision == "bf16",
        fp16=config.mixed_precision == "fp16",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch" if stopping else "no",
        save_strategy="epoch" if stopping else "no",
        save_total_limit=1,
        save_only_model=True,
        load_best_model_at_end=stopping,
        metric_for_best_model="eval_loss" if stopping else None,
        greater_is_better=False if stopping else None,
        prediction_loss_only=True,
        logging_strategy="epoch",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        seed=seed,
        data_seed=seed,
        use_cpu=device.type == "cpu",
    )
    # With several GPUs in sight the Trainer would split each batch over all of them (DataParallel).
    if device.type == "cuda" and arguments.device.type == "cuda":
        arguments._n_gpu = 1
    return arguments


def _loop(trainer: Trainer) -> None:
    trainer.train()


def _features(example: Example) -> dict[str, list[int]]:
    return {"input_ids": example.input_ids, "labels": example.labels}


def _save(trained: Any, config: AdapterConfig, folder: Path) -> None:
    try:
        trained.save_pretrained(folder, safe_serialization=True)
    except SafetensorError as error:
        raise TrainingError(
            f"the adapter could not be written to {folder}: {error}; free some space or set "
            "HARNESS_CACHE to another folder"
        ) from error
    (folder / "README.md").unlink(missing_ok=True)
    if config.kind == "lora":
        # PEFT writes the base model's folder, a path of this machine; which model it was is in the
        # artifact's key.
        path = folder / "adapter_config.json"
        written = json.loads(path.read_text(encoding="utf-8"))
        written["base_model_name_or_path"] = None
        path.write_text(json.dumps(written, indent=2, sort_keys=True), encoding="utf-8")
