"""AdamW that moves weights in float32 and leaves the model its bfloat16: no update is rounded away.

A number in bfloat16 has eight bits: next to 0.1 it moves by 0.0005 or not at all. AdamW moves a
weight by about the learning rate, so at 5e-5 most updates of most weights are rounded away, and a
training seems to run and teaches nothing. The usual remedy is a master copy of each trained weight
in float32 (Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740, section 3.1): the
update is made to it, and the model computes with its rounded value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

HALF = (torch.bfloat16, torch.float16)
MASTER = "master"


class MasterAdamW(torch.optim.AdamW):
    """AdamW whose updates of half-precision weights are made to a copy in float32.

    Copy and moments are float32 and stand in the optimiser's state, so a checkpoint holds them: 12
    bytes a trained number beside the 4 of weight and gradient. Weights of another format are moved
    as by AdamW.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of AdamW on the copies; the weights become the copies, rounded.

        Gradients of half-precision weights are gone afterwards.
        """
        halves = [
            (parameter, parameter.data)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.dtype in HALF and parameter.grad is not None
        ]
        for parameter, half in halves:
            assert parameter.grad is not None
            gradient, parameter.grad = parameter.grad.float(), None  # of the weight's old format
            parameter.data = self.state[parameter].get(MASTER, half.float())
            parameter.grad = gradient
        loss = super().step(closure)
        for parameter, half in halves:
            self.state[parameter][MASTER] = parameter.data
            half.copy_(parameter.data)
            parameter.grad = None
            parameter.data = half
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put a saved state back, copies and moments in the float32 that they were saved in."""
        super().load_state_dict(state_dict)
        # torch turns what it loads into the format of the weight.
        parameters = [one for group in self.param_groups for one in group["params"]]
        for number, saved in state_dict["state"].items():
            state = self.state[parameters[number]]
            for name, value in saved.items():
                if isinstance(value, torch.Tensor) and state[name].dtype != value.dtype:
                    state[name] = value.to(state[name].device, copy=True)


def optimiser_of(arguments: TrainingArguments) -> tuple[type[MasterAdamW], dict[str, Any]]:
    """The Trainer's own AdamW and its settings, with master weights."""
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments)
    if kind is not torch.optim.AdamW:
        raise TypeError(f"the Trainer's optimiser is {kind.__name__}, and AdamW is expected")
    return MasterAdamW, settings
