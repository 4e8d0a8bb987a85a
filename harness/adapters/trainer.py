"""The Trainer that training uses: loss at the labelled positions only, and an exact resume.

The transformers Trainer puts weights, optimiser, schedule and random states back. Three things it
does not, which would change the result of a resumed training, and are put back here: the random
state at the epoch's beginning (the order by length is drawn from it, so a resumed epoch would skip
as many batches of another order), the loss summed since it was last logged, and the token counter.
PEFT's loader would also turn a bfloat16 adapter into float32.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import Trainer, TrainerCallback

from harness.adapters.beginning import logits_at
from harness.adapters.checkpoints import Checkpoints, progress_of
from harness.adapters.config import KlConfig
from harness.adapters.examples import IGNORED
from harness.errors import TrainingError
from harness.models.language_model import is_out_of_memory

logger = logging.getLogger(__name__)

LABELS = ("labels", "kl_labels")
"""Of an example's features, those that mark positions: where loss is taken, and the penalty."""


class HeadOnAnswersTrainer(Trainer):
    """A Trainer whose loss is computed at the labelled positions only.

    Args:
        head: the model's ``AnswerHead``.
        validating: called with True before the validation loss is taken, False after.
        checkpoints: where training can go on from after a kill.
        kl: the penalty on moving away from the base model.
        shared: how many tokens all examples begin with, which a batch computes once.
    """

    def __init__(
        self,
        head: Any,
        validating: Callable[[bool], None],
        checkpoints: Checkpoints,
        kl: KlConfig,
        shared: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.head = head
        self.validating = validating
        self.kl = kl
        self.shared = shared
        self.checkpoints = checkpoints
        self.tokens = 0
        self.epoch_start: torch.Tensor = torch.random.get_rng_state()
        # PEFT's model card: rendering it takes longer than all the rest of a small checkpoint.
        cast("Any", self.model).create_or_update_model_card = lambda folder: None
        # The loss below is divided by the labelled tokens of the whole step, accumulation included.
        self.model_accepts_loss_kwargs = True

    def run(self) -> None:
        """Train, from the newest whole checkpoint where there is one."""
        newest = self.checkpoints.newest()
        self.add_callback(_Resuming(self, newest))
        self.checkpoints.begin()
        self.train(resume_from_checkpoint=str(newest) if newest else None)

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
        """Mean cross-entropy (nats) over labelled tokens; logits at t predict token t + 1.

        In training ``kl.weight`` times the sum of the divergences from the base model is added to
        the sum of the cross-entropies; both are divided by the labelled tokens of the whole step.
        """
        labels, kl_labels = inputs.pop("labels"), inputs.pop("kl_labels", None)
        predicts = _predicting(labels)
        penalised = kl_labels is not None and model.training
        base = self._base_logits(model, inputs, _predicting(kl_labels)) if penalised else None
        logits = logits_at(model, self.head, inputs, predicts, self.shared)
        targets = labels[:, 1:][predicts[:, :-1]]
        total = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
        if base is not None:
            adapted = logits[_predicting(kl_labels)[predicts]]
            total = total + self.kl.weight * forward_kl(base, adapted)
        loss = total / (num_items_in_batch if num_items_in_batch is not None else len(targets))
        if model.training:
            self.tokens += int(inputs["attention_mask"].sum())
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the training loss became {loss.item()} at step {self.state.global_step + 1}; "
                    "lower adapter.learning_rate, or train in float32 "
                    "(model.train_dtype=float32 adapter.mixed_precision=no)"
                )
        return (loss, {"logits": logits}) if return_outputs else loss

    def _base_logits(self, model: Any, inputs: dict[str, Any], rows: torch.Tensor) -> torch.Tensor:
        """The base model's logits at ``rows``: the same model, its adapter switched off."""
        model.eval()  # the base model is what it is without dropout
        try:
            with torch.no_grad(), model.disable_adapter():
                return logits_at(model, self.head, inputs, rows, self.shared)
        finally:
            model.train()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write and seal a checkpoint; one that cannot be written is done without if it may be.

        Raises:
            TrainingError: it cannot be written, and early stopping may need its weights.
        """
        step = self.state.global_step
        if self.control.should_training_stop and step < self.state.max_steps:
            return  # stopped early: resumed from here, it would train on
        progress = {
            "tokens": self.tokens,
            "loss_sum": float(self._tr_loss),
            "loss_total": self._total_loss_scalar,
            "logged_step": self._globalstep_last_logged,
            "epoch_start": bytes(self.epoch_start.tolist()).hex(),
            "best_step": self.state.best_global_step,
        }
        try:
            self.checkpoints.write(
                step,
                lambda: super(HeadOnAnswersTrainer, self)._save_checkpoint(model, trial),
                progress,
            )
        except (OSError, RuntimeError, SafetensorError) as error:
            if is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())
            if self.args.load_best_model_at_end and self.state.epoch == round(
                self.state.epoch or 0
            ):
                raise TrainingError(
                    f"the weights of epoch {self.state.epoch:.0f}, which early stopping may need, "
                    f"cannot be written to {self.checkpoints.folder}: {reason}; free some space or "
                    "set HARNESS_CACHE to another folder"
                ) from error
            logger.warning("training goes on without a checkpoint at step %d: %s", step, reason)
            self.checkpoints.begin()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Put a checkpoint's weights into the model, in the number format that they have."""
        adapter = Path(resume_from_checkpoint) / "adapter_model.safetensors"
        if not adapter.exists():
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        set_peft_model_state_dict(self.model, load_file(adapter))

    def _load_best_model(self) -> None:
        best = str(self.state.best_model_checkpoint)
        try:
            progress_of(Path(best))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"the weights of the best epoch were damaged ({best}: {error}); run it again"
            ) from error
        self._load_from_checkpoint(best)


def _predicting(labels: torch.Tensor) -> torch.Tensor:
    """Which positions predict a labelled token ``(batch, position)``: those just before one."""
    predicts = torch.zeros_like(labels, dtype=torch.bool)
    predicts[:, :-1] = labels[:, 1:] != IGNORED
    return predicts


def forward_kl(base: torch.Tensor, adapted: torch.Tensor) -> torch.Tensor:
    """Sum over rows of KL(base || adapted) in nats, of logits ``(rows, vocabulary)``.

    KL(p || q) = sum over tokens v of p(v) (log p(v) - log q(v)), at temperature 1. It is the
    distillation loss of Learning without Forgetting (Li & Hoiem 2016, arXiv:1606.09282) but for the
    entropy of p, which training does not change.
    """
    log_p, log_q = (torch.log_softmax(logits.float(), dim=-1) for logits in (base, adapted))
    return torch.nn.functional.kl_div(log_q, log_p, reduction="sum", log_target=True)


class _Resuming(TrainerCallback):
    """Asks for checkpoints when they are due, and puts back what the Trainer does not."""

    def __init__(self, trainer: HeadOnAnswersTrainer, resumed: Path | None) -> None:
        self.trainer = trainer
        self.resumed = resumed
        self.progress = progress_of(resumed) if resumed else {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.resumed is None:
            return
        trainer, progress = self.trainer, self.progress
        logger.info("training goes on from step %d of %d", state.global_step, state.max_steps)
        trainer.tokens = int(progress["tokens"])
        trainer._tr_loss += float(progress["loss_sum"])
        trainer._total_loss_scalar = float(progress["loss_total"])
        trainer._globalstep_last_logged = int(progress["logged_step"])
        if state.best_global_step:  # by its step: the store may have been moved since
            state.best_model_checkpoint = str(trainer.checkpoints.path(state.best_global_step))
        trainer.checkpoints.resumed(progress["costs"])

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.resumed is not None:
            if state.global_step % self._steps_in_epoch(args, state):
                start = torch.tensor(list(bytes.fromhex(self.progress["epoch_start"])))
                torch.random.set_rng_state(start.to(torch.uint8))
            else:
                self.trainer._load_rng_state(str(self.resumed))
            self.resumed = None
        self.trainer.epoch_start = torch.random.get_rng_state()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # At an epoch's last step its validation is still to come; resumed there it would be lost.
        within = state.global_step % self._steps_in_epoch(args, state) != 0
        if within and self.trainer.checkpoints.is_due(state.global_step):
            control.should_save = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # After the last epoch the artifact itself is written.
        more = state.global_step < state.max_steps
        if more and self.trainer.checkpoints.is_due(state.global_step):
            control.should_save = True

    @staticmethod
    def _steps_in_epoch(args: Any, state: Any) -> int:
        return int(state.max_steps // args.num_train_epochs)


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
        others = {name: padded(name, IGNORED) for name in LABELS if name in features[0]}
        return {"input_ids": ids, "attention_mask": mask, **others}


class Progress(TrainerCallback):
    """Advances a bar by one at each optimiser step, and over those already done."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self.advance = advance

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(1)
