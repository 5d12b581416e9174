"""A model that is divided among the processes that train it: each has its part of every weight, gradient, and
optimizer state.

torch's FSDP2 (`fully_shard`) gathers a layer for its pass and frees it afterwards. It is called here and not
by accelerate, whose checkpoints of such models are of another layout: what is written is whole, as by one
process, so that checkpoints, best weights and the artifact are the same files. Tensors are gathered for that
one at a time, and the first process alone keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from lifecycle.runtime.engine.classifier import Network
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.layers import layers_of
from lifecycle.runtime.engine.strategies import learning, load_trainable
from lifecycle.runtime.engine.trainer import WEIGHTS, EngineTrainer


def check(model: Network) -> None:
    """Raises SpecError where the model has no layers that could be gathered one by one."""
    try:
        layers_of(model.encoder)
    except SpecError as error:
        raise SpecError("sharded", error.message.partition(f"{error.field} ")[2]) from error


def divide(model: Network, device: str, processes: int) -> int:
    """Have each process keep its part of the model, which all have whole and equal, once they have met. To a
    GPU it moves layer by layer.

    Returns how many weights the largest part has.
    """
    mesh = init_device_mesh(device, (processes,))
    for each in (*layers_of(model.encoder), model):
        fully_shard(each, mesh=mesh)
    parts: Iterable[Any] = model.parameters()
    held = torch.tensor(sum(each.to_local().numel() for each in parts), device=device)
    distributed.all_reduce(held, distributed.ReduceOp.MAX)
    return int(held)


@torch.no_grad()
def gathered(parts: Mapping[str, Any], *, keep: bool) -> dict[str, Tensor]:
    """Tensors whole and on the CPU; none where this process does not keep them. All processes call it with
    the same names.
    """
    found = {}
    for name, part in parts.items():
        whole = part.full_tensor() if isinstance(part, DTensor) else part
        if keep:
            found[name] = whole.cpu().contiguous()
    return found


def like(part: Any, whole: Tensor) -> Tensor:
    """A tensor that all processes have whole, divided as `part` is."""
    return distribute_tensor(whole, part.device_mesh, part.placements, src_data_rank=None)


class ShardedTrainer(EngineTrainer):
    """Trains a model that `divide` has divided. All processes validate together, since none could run the
    model alone.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # gradients are averaged here already: nothing is to be wrapped for that
        self.is_distributed_loading_by_transformers = True

    def trained_weights(self) -> dict[str, Tensor]:
        """Gathered; empty in the processes that follow."""
        return gathered(learning(self.model), keep=self.team.leads)

    def is_number(self, loss: Tensor) -> bool:
        """Of all processes, so that they end together: anyone who continued alone would wait for the
        others.
        """
        finite = torch.isfinite(loss).to(torch.int32)
        distributed.all_reduce(finite, distributed.ReduceOp.MIN)
        return bool(finite)

    def validated(self) -> dict[str, float] | None:
        """The scores that the first process computed."""
        found = self._validate()
        # parameters outside of layers stay gathered after a forward pass without a backward pass
        self.model.reshard()
        return self.team.broadcast(lambda: found)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> float:
        if grad_norm is None:
            grad_norm = self.accelerator.clip_grad_norm_(model.parameters(), math.inf)
        return super()._get_grad_norm(model, grad_norm=float(grad_norm.full_tensor()))

    def _defer_fsdp_gradient_reduction(self) -> AbstractContextManager[None]:
        # kept back until the last batch of a step, gradients would be whole in each process
        return nullcontext()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        parts = learning(self.model)
        whole = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        load_trainable(
            self.model,
            {name: like(parts[name], value) if name in parts else value for name, value in whole.items()},
        )

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.is_at_end:
            return
        state = self.optimizer.state_dict()
        state["state"] = {
            number: gathered(values, keep=self.team.leads) for number, values in state["state"].items()
        }
        if self.team.leads:
            torch.save(state, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not (Path(checkpoint) / OPTIMIZER_NAME).exists():
            return
        state = torch.load(Path(checkpoint) / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
        parts = [each for group in self.optimizer.param_groups for each in group["params"]]
        for number, values in state["state"].items():  # AdamW counts its steps in a tensor without dimensions
            state["state"][number] = {
                name: like(parts[number], value) if value.ndim else value for name, value in values.items()
            }
        self.optimizer.load_state_dict(state)
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True))
