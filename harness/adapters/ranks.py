"""What differs when one training runs in several processes: data, loss, counts and checkpoints.

The processes ("ranks") take the same steps over the same examples in the same order as one process
would: each takes its share of every micro-batch, so the global batch and its loss are those of one
process. Accelerate does the rest, as DDP (whole weights in each process) or FSDP (shards of them).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import Trainer, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from harness.adapters.checkpoints import Checkpoints
from harness.adapters.examples import IGNORED
from harness.adapters.trainer import HeadOnAnswersTrainer
from harness.errors import TrainingError

NOTHING = -1
"""Stands for an example where a rank has none in a micro-batch: it must take the step all the
same, since the others wait for its part of the gradients."""


class Ranks:
    """The processes of one training as one of them sees them.

    Every call is made by all of them, or those that made it wait for the others.

    Args:
        step_done: called after each optimiser step.
        strategy: "ddp" or "fsdp".
    """

    def __init__(
        self, strategy: str = "ddp", step_done: Callable[[int], None] = lambda step: None
    ) -> None:
        self.strategy = strategy
        self.step_done = step_done
        self.rank = torch.distributed.get_rank()
        self.world = torch.distributed.get_world_size()

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of what each process gives."""
        summed = value.detach().to("cpu", torch.float64)
        torch.distributed.all_reduce(summed)
        return summed

    def all_well(self, well: bool) -> bool:
        """Whether all say so."""
        return int(self.total(torch.tensor(int(not well)))) == 0

    def together(self, act: Callable[[], None]) -> None:
        """Do what each process has to do; where one of them fails, all do.

        Raises:
            OSError: one of them could not.
        """
        failure: Exception | None = None
        try:
            act()
        except Exception as error:
            failure = error
        if not self.all_well(failure is None):
            raise OSError(str(failure) if failure else "another process failed") from failure

    def from_first(self, value: torch.Tensor) -> torch.Tensor:
        """What the first process gives; of the others only the shape and type matter."""
        value = value.clone()
        torch.distributed.broadcast(value, src=0)
        return value

    def number_from_first(self, number: int) -> int:
        """The number that the first process gives."""
        return int(self.from_first(torch.tensor(number)))

    def settings(self) -> dict[str, Any]:
        """Training arguments that only several processes need."""
        settings: dict[str, Any] = {
            # Every trained weight takes part in every step, and no buffer changes.
            "ddp_find_unused_parameters": False,
            "ddp_broadcast_buffers": False,
        }
        if self.strategy == "fsdp":
            # Activations are recomputed by the Trainer's own means: FSDP's would draw other dropout
            # the second time, and wrap layers so that PEFT finds no adapter in them to save.
            full = {"version": 2, "state_dict_type": "FULL_STATE_DICT"}
            settings |= {"fsdp": True, "fsdp_config": full}
        return settings


class RanksTrainer(HeadOnAnswersTrainer):
    """A ``HeadOnAnswersTrainer`` that is one of several processes."""

    def __init__(self, ranks: Ranks, **kwargs: Any) -> None:
        self.ranks = ranks
        if ranks.strategy == "fsdp" and kwargs["args"].device.type == "cpu":
            # Accelerate would leave FSDP out on CPUs without a word, and train with DDP.
            from accelerate.state import PartialState
            from accelerate.utils import DistributedType

            PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        super().__init__(**kwargs)
        if self.is_fsdp_enabled != (ranks.strategy == "fsdp"):
            raise TrainingError(
                f"adapter.strategy={ranks.strategy} does not work on {kwargs['args'].device.type} "
                "with the accelerate that is installed; set adapter.strategy=ddp"
            )
        self.add_callback(_Steps(ranks))

    def run(self) -> None:
        """Train, and wait for all to have ended: the first one then removes what they read."""
        super().run()
        self.ranks.all_well(True)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This rank's share of each micro-batch, in the order that one process would draw."""
        args = self.args
        whole = args.per_device_train_batch_size * args.gradient_accumulation_steps
        dataset: Any = self.train_dataset
        sampler = LengthGroupedSampler(whole * self.ranks.world, dataset=dataset)
        return self._shared(dataset, sampler, args.per_device_train_batch_size)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """This rank's share of the validation examples, batched as one process would."""
        size = self.args.per_device_eval_batch_size
        seeded = torch.Generator().manual_seed(int(self.args.data_seed or self.args.seed))
        dataset: Any = self.eval_dataset
        sampler = LengthGroupedSampler(size * self.ranks.world, dataset=dataset, generator=seeded)
        return self._shared(dataset, sampler, size)

    def _shared(self, dataset: Any, sampler: Sampler[int], size: int) -> DataLoader[Any]:
        # Accelerate's own division would repeat examples to fill up the last batch, and its
        # processes would draw different orders once dropout has drawn differently in each.
        return DataLoader(
            WithNothing(dataset),
            batch_sampler=SharedBatches(sampler, size, self.ranks),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        """One step's micro-batches and the labelled tokens of all ranks in them."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        own = sum(int(b["attention_mask"].sum()) for b in batches if _has_labels(b))
        self.tokens += int(self.ranks.total(torch.tensor(own)))
        return batches, items

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """This rank's part of the global mean, times the number of ranks.

        Gradients and logged losses are averaged over the ranks: the mean of these is the sum over
        all labelled tokens of the step, divided by their number.
        """
        tokens = self.tokens  # counted already, those of all ranks
        loss = super().compute_loss(model, inputs, False, num_items_in_batch)
        self.tokens = tokens
        return loss * self.ranks.world if model.training else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The loss on the validation examples: the means of batches, weighted by their examples."""
        self.validating(True)
        try:
            metrics = {"eval_loss": self._validation_loss()}
        finally:
            self.validating(False)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _validation_loss(self) -> float:
        model = self.model_wrapped.eval()
        weighted, examples = 0.0, 0.0
        for batch in self.get_eval_dataloader():
            labels = batch["labels"]
            inputs = self._prepare_inputs(batch)
            with torch.no_grad():
                loss = self.compute_loss(model, inputs, num_items_in_batch=1)
            with_labels = (labels != IGNORED).any(dim=1).sum()
            own = [float(loss), float((labels[:, 1:] != IGNORED).sum()), float(with_labels)]
            total, tokens, count = self.ranks.total(torch.tensor(own, dtype=torch.float64)).tolist()
            weighted += count * total / tokens
            examples += count
        for module in model.modules():
            # A forward pass without a backward one leaves FSDP's last layers whole, and then no
            # checkpoint can be put back into them.
            if isinstance(module, FSDPModule):
                module.reshard()
        return weighted / examples

    def gathered(self) -> dict[str, torch.Tensor] | None:
        """The whole weights, in the first process, if each holds a shard of them."""
        if self.ranks.strategy != "fsdp":
            return None
        state: dict[str, torch.Tensor] = self.accelerator.get_state_dict(self.model)
        for tied in getattr(self.model, "all_tied_weights_keys", None) or {}:
            state.pop(tied, None)  # gathered twice; a model that is loaded ties it again
        return state

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Have the first process write the weights, and all know if it cannot.

        Raises:
            OSError: it cannot, for example for want of room.
        """
        # The Trainer's own would have the others wait for a process that has given up.
        self.ranks.together(
            lambda: super(RanksTrainer, self).save_model(output_dir, _internal_call)
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # One process writes it: the loss so far of all.
        self._tr_loss.copy_(self.ranks.total(self._tr_loss) / self.ranks.world)
        super()._save_checkpoint(model, trial)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.ranks.strategy == "fsdp":
            Trainer._load_from_checkpoint(self, resume_from_checkpoint, model)
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)


class SharedBatches(Sampler[list[int]]):
    """Positions of one rank's examples, micro-batch by micro-batch.

    The ranks draw one order: that of the first one's random state, as one process would. The
    others go on from random states of their own, so that their dropout differs.
    """

    def __init__(self, sampler: Sampler[int], size: int, ranks: Ranks) -> None:
        self.sampler = sampler
        self.ranks = ranks
        self.batch_size = size  # of one rank
        self.drop_last = False

    def __len__(self) -> int:
        examples: int = len(self.sampler)  # type: ignore[arg-type]
        return math.ceil(examples / (self.batch_size * self.ranks.world))

    def __iter__(self) -> Iterator[list[int]]:
        own = torch.random.get_rng_state()
        torch.random.set_rng_state(self.ranks.from_first(own))
        order = list(self.sampler)
        if not self.ranks.is_first:
            torch.manual_seed(int(torch.randint(2**40, ())) + self.ranks.rank)
        whole = self.batch_size * self.ranks.world
        for start in range(0, len(order), whole):
            yield share(order[start : start + whole], self.ranks.rank, self.ranks.world)


def share(positions: Sequence[int], rank: int, world: int) -> list[int]:
    """Every ``world``-th of the positions, or ``NOTHING``.

    Examples come sorted by length: dealt out like cards, each rank gets as long ones.
    """
    return list(positions[rank::world]) or [NOTHING]


class WithNothing(Dataset[Any]):
    """Examples by position; at ``NOTHING`` one that carries no loss."""

    def __init__(self, features: Sequence[dict[str, list[int]]]) -> None:
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, position: int) -> dict[str, list[int]]:
        if position != NOTHING:
            return self.features[position]
        shortest = self.features[0]["input_ids"][:1]
        return {"input_ids": shortest, "labels": [IGNORED] * len(shortest)}


def _has_labels(batch: dict[str, torch.Tensor]) -> bool:
    return bool((batch["labels"] != IGNORED).any())


class _Steps(TrainerCallback):
    """Tells of each optimiser step."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.ranks.step_done(state.global_step)


class RanksCheckpoints(Checkpoints):
    """Checkpoints that all ranks write into, decide about and resume from together.

    The first one's clock decides when one is due; it seals what all have written.
    """

    def __init__(self, ranks: Ranks, folder: Path, **kwargs: Any) -> None:
        super().__init__(folder, **kwargs)
        self.ranks = ranks

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is to be written after ``step``: the same in all ranks."""
        due = super().is_due(step)
        if self.every_steps is not None:
            return due
        return bool(self.ranks.number_from_first(int(due)))

    def newest(self) -> Path | None:
        """The newest whole checkpoint: the first rank looks, and removes damaged ones."""
        found = super().newest() if self.ranks.is_first else None
        step = self.ranks.number_from_first(int(found.name.split("-")[1]) if found else -1)
        return None if step < 0 else self.path(step)

    def write(self, step: int, save: Callable[[], None], progress: dict[str, Any]) -> None:
        """Have every rank write its part, then the first one seal it.

        Raises:
            OSError: one of them could not; nothing of it is left then.
        """
        if self.ranks.is_first:
            seal = super().write
            self.ranks.together(lambda: seal(step, lambda: self.ranks.together(save), progress))
        else:
            self.ranks.together(lambda: self.ranks.together(save))
