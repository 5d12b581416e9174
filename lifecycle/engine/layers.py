"""The layers of an encoder: the lowest stay as they are, and what they give to each text is computed once and kept on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import Tensor, nn

from lifecycle.engine.faults import EngineFault
from lifecycle.engine.spec import SpecError

HALF = np.dtype(np.float16)  # of kept activations: 11 bits of precision, where bf16, in which training reads them, has 8


def base_of(encoder: Any) -> Any:
    """The Hugging Face model inside what PEFT made of it."""
    return encoder.get_base_model() if isinstance(encoder, PeftModel) else encoder


def place_of_layers(encoder: Any) -> tuple[nn.Module, str]:
    """The module that holds the list of this encoder's layers, and the list's name in it. Raises SpecError where there is no such list."""
    base = base_of(encoder)
    for module in base.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == base.config.num_hidden_layers:
                return module, name
    raise SpecError("strategy.kind", f"needs layers that stand in a list, and {type(base).__name__} has none.")


def layers_of(encoder: Any) -> list[Any]:
    """The encoder's layers, the lowest first."""
    module, name = place_of_layers(encoder)
    return list(getattr(module, name))


def freeze_lowest(encoder: Any, count: int) -> None:
    """Nothing in the embeddings and the `count` lowest layers learns. Raises SpecError where no layer would be left."""
    if not count:
        return
    layers = layers_of(encoder)
    if count >= len(layers):
        raise SpecError("strategy.frozen_layers", f"must be below {len(layers)}, the layers of this model.")
    for module in (base_of(encoder).embeddings, *layers[:count]):
        module.requires_grad_(False)


class Lowest:
    """The embeddings and the `count` lowest layers of an encoder, which can be run alone and taken off.

    Taken off, the encoder is the layers above them: it reads `hidden` of the batch, set before each call.
    """

    def __init__(self, encoder: Any, count: int) -> None:
        self.base, self.count = base_of(encoder), count
        self.module, self.name = place_of_layers(encoder)
        self.layers = getattr(self.module, self.name)
        self.embeddings = self.base.embeddings
        self.given = Given()

    @torch.no_grad()
    def run(self, **inputs: Tensor) -> Tensor:
        """What they give, without dropout. inputs: int64 (B, T). Returns float (B, T, H)."""
        self.base.eval()
        setattr(self.module, self.name, nn.ModuleList(list(self.layers)[: self.count]))
        try:
            return self.base(**inputs).last_hidden_state  # type: ignore[no-any-return]
        finally:
            setattr(self.module, self.name, self.layers)

    def take_off(self) -> None:
        """Leave the layers above them."""
        self.base.embeddings = self.given
        setattr(self.module, self.name, nn.ModuleList(list(self.layers)[self.count :]))

    def put_back(self) -> None:
        """The whole encoder again, with what its upper layers have learnt."""
        self.base.embeddings = self.embeddings
        setattr(self.module, self.name, self.layers)


class Given(nn.Module):
    """In the place of embeddings: gives what is set."""

    hidden: Tensor

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """float (B, T, H)."""
        return self.hidden


class Activations:
    """What the lowest layers give to each token of each text, in a file that is read where it is needed. lengths: tokens of each text."""

    def __init__(self, path: Path, lengths: Sequence[int], width: int) -> None:
        self.path, self.width = path, width
        self.starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self.rows: NDArray[np.float16] | None = None

    def __getitem__(self, row: int) -> Tensor:
        """float32 (T, H) of one text."""
        if self.rows is None:
            self.rows = np.memmap(self.path, HALF, "r", shape=(int(self.starts[-1]), self.width))
        return torch.from_numpy(np.asarray(self.rows[self.starts[row] : self.starts[row + 1]], dtype=np.float32))

    def fill(self, batches: Iterable[Sequence[int]], run: Callable[[Sequence[int]], Tensor]) -> None:
        """Compute the file unless it is there whole. run: numbers of texts to their float (B, T, H). Raises EngineFault `disk_full`."""
        if self.path.exists():
            return
        self.path.parent.mkdir(exist_ok=True)
        needed, free = int(self.starts[-1]) * self.width * HALF.itemsize, shutil.disk_usage(self.path.parent).free
        if free < needed:
            message = f"The lower layers' activations need {needed / 1e6:,.0f} MB of disk and {free / 1e6:,.0f} MB are free."
            raise EngineFault("disk_full", message, "Free some space and resume, or train without keeping them.")
        temporary = self.path.with_suffix(".part")
        rows = np.memmap(temporary, HALF, "w+", shape=(int(self.starts[-1]), self.width))
        for numbers in batches:
            for number, hidden in zip(numbers, run(numbers).float().numpy(), strict=True):
                start, end = self.starts[number], self.starts[number + 1]
                rows[start:end] = hidden[: end - start]
        rows.flush()
        del rows
        temporary.replace(self.path)
