"""Train an adapter (or every weight) with PEFT and the transformers Trainer.

The output head is applied at the positions that carry loss and nowhere else: with short answers
it would otherwise be a third of the work. What all examples begin with is computed once a batch.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import (
    EarlyStoppingCallback,
    TrainingArguments,
    set_seed,
)

from harness.adapters.beginning import shared_in_training
from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import CHANGE_THE_BASE, AdapterConfig
from harness.adapters.examples import IGNORED, Example
from harness.adapters.kinds import attach
from harness.adapters.master_weights import MasterAdamW, optimiser_of
from harness.adapters.trainer import Collator, HeadOnAnswersTrainer, Progress
from harness.errors import TrainingError
from harness.models.language_model import LanguageModel, is_out_of_memory
from harness.progress import bar

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.adapters.ranks import Ranks

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSummary:
    """What a training did.

    Attributes:
        steps: optimiser steps.
        tokens: of the examples without padding, all epochs. What all of them begin with counts in
            each, as in prompts that are answered, though a batch computes it once: a cost a token
            is then one of what was trained on, whatever was saved.
        epochs: passes that were run; fewer than asked for after early stopping.
        last_loss: mean training loss of the last epoch, nats a token, its penalty included.
        validation_loss: of the weights that were kept; None without early stopping.
        trainable_parameters: how many numbers were trained.
        shared_tokens: how many tokens all examples begin with, which each batch computed once: the
            model computed so many fewer for each example of a batch but one.
    """

    steps: int
    tokens: int
    epochs: float
    last_loss: float
    validation_loss: float | None
    trainable_parameters: int
    shared_tokens: int = 0


def train(
    model: LanguageModel,
    config: AdapterConfig,
    examples: Sequence[Example],
    validation: Sequence[Example],
    seed: int,
    folder: Path,
    measured: Callable[[Callable[[], None]], None],
    validating: Callable[[bool], None] = lambda begins: None,
    checkpoints: Checkpoints | None = None,
    ranks: Ranks | None = None,
) -> TrainingSummary:
    """Train on ``examples`` and save the adapter to ``folder`` as safetensors.

    Args:
        model: its weights are changed: load them afresh before answering.
        validation: examples whose loss decides early stopping; without any, all epochs are run.
        seed: of the adapter's initialisation, the data order and dropout.
        measured: runs the training loop itself, inside the "train" phase; and before it an
            initialisation that decomposes the base weights (PiSSA, OLoRA).
        validating: called with True before the loss on ``validation`` is taken, False after, so
            that it can be metered apart.
        checkpoints: where this training goes on from if it was begun before, with the same result
            as without the interruption; None writes none but for early stopping.
        ranks: the processes that train together, of which this is one; None trains alone.

    Raises:
        TrainingError: no examples, a loss that is not finite, or out of memory.
    """
    if not examples:
        raise TrainingError("there is nothing to train on: the task has no training data")
    stopping = config.early_stopping_patience if validation else None
    set_seed(seed)
    initial = folder / "initial" if config.variant in CHANGE_THE_BASE else None
    attached: list[Any] = []

    def attaching() -> None:
        attached.append(attach_for_training(model.model, config))

    if initial:
        measured(attaching)
        _save_weights(attached[0], initial)
    else:
        attaching()
    trained = attached[0]
    trainable = sum(p.numel() for p in trained.parameters() if p.requires_grad)
    if config.gradient_checkpointing:
        # Frozen inputs would cut the graph of a recomputed block.
        model.model.enable_input_require_grads()
    scratch = folder / "checkpoints"
    if checkpoints is None or not usable(checkpoints.folder):
        checkpoints = Checkpoints(scratch, every_steps=0)
    steps = math.ceil(len(examples) / config.batch_size) * config.epochs
    kind: Any = HeadOnAnswersTrainer
    # Several processes compute each example whole: DDP expects one forward pass a backward one.
    alone = ranks is None
    shared = shared_in_training(trained, config, [*examples, *validation]) if alone else 0
    if ranks is not None:
        from harness.adapters.ranks import RanksTrainer

        kind = partial(RanksTrainer, ranks)
    arguments = _arguments(
        config, steps, stopping is not None, seed, checkpoints, model.device, ranks
    )
    own = loraplus(trained, config)
    trainer = kind(
        head=model.head,
        validating=validating,
        checkpoints=checkpoints,
        model=trained,
        kl=config.kl,
        shared=shared,
        optimizers=(own, None),
        # Sharded weights are FSDP's to update: it makes its optimiser after it has cut them.
        optimizer_cls_and_kwargs=None if own or config.sharded else optimiser_of(arguments),
        args=arguments,
        data_collator=Collator(model.tokenizer.pad_token_id),
        train_dataset=[_features(example, config) for example in examples],
        eval_dataset=[_features(example, config) for example in validation] or None,
        callbacks=[EarlyStoppingCallback(stopping)] if stopping else [],
    )
    # Trainer's own printer writes a dictionary a step; ours is a bar.
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    try:
        with bar("training", steps) as advance:
            trainer.add_callback(Progress(advance))
            measured(trainer.run)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory in training with micro-batches of "
            f"{config.on_device}; set adapter.micro_batch_size lower "
            "or adapter.gradient_checkpointing=true"
        ) from error
    weights = trainer.gathered() if ranks is not None else None
    if trainer.is_world_process_zero():
        _save(trained, config, folder, weights, initial)
    shutil.rmtree(scratch, ignore_errors=True)
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    return TrainingSummary(
        steps=trainer.state.global_step,
        tokens=trainer.tokens,
        epochs=float(trainer.state.epoch or 0.0),
        last_loss=float(losses[-1]["loss"]) if losses else math.nan,
        validation_loss=trainer.state.best_metric,
        trainable_parameters=trainable,
        shared_tokens=shared,
    )


def attach_for_training(model: PreTrainedModel, config: AdapterConfig) -> Any:
    """The model with what is to be trained requiring grad, in training mode.

    Raises:
        TrainingError: ``target_modules`` names no module of this model.
    """
    if config.kind == "full":
        return model.requires_grad_(True).train()
    if getattr(model, "is_loaded_in_4bit", False):
        from peft import prepare_model_for_kbit_training

        # Norms, embedding and head in float32; recomputing is set with the training itself.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return attach(model, config)


def loraplus(trained: Any, config: AdapterConfig) -> torch.optim.Optimizer | None:
    """The optimiser of LoRA+ (arXiv:2402.12354), whose B learns faster than its A; None without."""
    if config.lr_ratio == 1:
        return None
    from peft.optimizers import create_loraplus_optimizer

    return create_loraplus_optimizer(
        trained,
        MasterAdamW,
        lr=config.learning_rate,
        loraplus_lr_ratio=config.lr_ratio,
        loraplus_weight_decay=config.weight_decay,
    )


def _arguments(
    config: AdapterConfig,
    steps: int,
    stopping: bool,
    seed: int,
    checkpoints: Checkpoints,
    device: torch.device,
    ranks: Ranks | None = None,
) -> TrainingArguments:
    if device.type == "cuda" and device.index and ranks is None:
        raise TrainingError(
            f"model.device={device}: training runs on the first visible GPU; set "
            f"CUDA_VISIBLE_DEVICES={device.index} and model.device=cuda"
        )
    arguments = TrainingArguments(
        output_dir=str(checkpoints.folder),
        per_device_train_batch_size=config.on_device,
        per_device_eval_batch_size=config.on_device,
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
        # The Trainer does not put sharded weights back from a checkpoint of weights alone.
        save_only_model=checkpoints.every_steps == 0 and not config.sharded,
        restore_callback_states_from_checkpoint=True,
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
        **(ranks.settings() if ranks else {}),
    )
    # With several GPUs in sight the Trainer would split each batch over all of them (DataParallel).
    if device.type == "cuda" and arguments.device.type == "cuda":
        arguments._n_gpu = 1
    return arguments


def usable(folder: Path) -> bool:
    """Whether checkpoints can be written there; in a store that is read-only they cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK)
    except OSError:
        return False


def _features(example: Example, config: AdapterConfig) -> dict[str, list[int]]:
    features = {"input_ids": example.input_ids, "labels": example.labels}
    if config.kl.weight > 0:
        everywhere = config.kl.tokens == "answers" or example.replayed
        features["kl_labels"] = example.labels if everywhere else [IGNORED] * len(example.labels)
    return features


def _save(
    trained: Any, config: AdapterConfig, folder: Path, weights: Any, initial: Path | None
) -> None:
    """Write the adapter, or the whole model; ``weights`` are its own, or those gathered for it.

    Args:
        initial: the adapter before training, where its initialisation changed the base weights.
            What is written is then the difference, a plain LoRA of twice the rank on the plain base
            (``LoraModel.subtract_mutated_init`` of PEFT): W + BA - B0 A0.
    """
    more = {"path_initial_model_for_weight_conversion": str(initial)} if initial else {}
    _save_weights(trained, folder, state_dict=weights, **more)
    if initial:
        shutil.rmtree(initial)
    if config.kind != "full":
        # PEFT writes the base model's folder, a path of this machine; which model it was is in the
        # artifact's key.
        path = folder / "adapter_config.json"
        written = json.loads(path.read_text(encoding="utf-8"))
        written["base_model_name_or_path"] = None
        path.write_text(json.dumps(written, indent=2, sort_keys=True), encoding="utf-8")


def _save_weights(trained: Any, folder: Path, **settings: Any) -> None:
    """Write weights as safetensors, without PEFT's model card.

    Raises:
        TrainingError: there is no room for them.
    """
    try:
        trained.save_pretrained(folder, safe_serialization=True, **settings)
    except SafetensorError as error:
        raise TrainingError(
            f"the adapter could not be written to {folder}: {error}; free some space or set "
            "HARNESS_CACHE to another folder"
        ) from error
    (folder / "README.md").unlink(missing_ok=True)
