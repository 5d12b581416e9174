"""The layers of an encoder: the lowest are frozen, and their output for each text is computed once and cached
on disk.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import Tensor, nn

from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.faults import EngineFault

TOLERANCE = 1e-3  # of the largest activation
# of kept activations: 11 bits of precision, where bf16, in which training reads them, has 8
HALF = np.dtype(np.float16)


def base_of(encoder: Any) -> Any:
    """The Hugging Face model inside what PEFT made of it."""
    return encoder.get_base_model() if isinstance(encoder, PeftModel) else encoder


def place_of_layers(encoder: Any) -> tuple[nn.Module, str]:
    """The module that has the list of this encoder's layers, and the list's name in it. Raises SpecError
    where there is no such list.
    """
    base = base_of(encoder)
    for module in base.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == base.config.num_hidden_layers:
                return module, name
    raise SpecError("strategy.kind", f"needs a model with a layer list, which {type(base).__name__} lacks.")


def layers_of(encoder: Any) -> list[Any]:
    """The encoder's layers, the lowest first."""
    module, name = place_of_layers(encoder)
    return list(getattr(module, name))


def embeddings_of(encoder: Any) -> nn.Module:
    """What is below the lowest layer. Raises SpecError if it isn't a separate module."""
    base = base_of(encoder)
    if not isinstance(getattr(base, "embeddings", None), nn.Module):
        raise SpecError(
            "strategy.frozen_layers", f"needs separate embeddings, which {type(base).__name__} lacks."
        )
    return base.embeddings  # type: ignore[no-any-return]


def freeze_lowest(encoder: Any, count: int) -> None:
    """Freeze the embeddings and the `count` lowest layers. Raises SpecError where no layer would be left."""
    if not count:
        return
    layers = layers_of(encoder)
    if count >= len(layers):
        raise SpecError("strategy.frozen_layers", f"must be below {len(layers)}, the layers of this model.")
    between = getattr(base_of(encoder), "embeddings_project", nn.Identity())  # ELECTRA's
    for module in (embeddings_of(encoder), between, *layers[:count]):
        module.requires_grad_(False)


class Caught(Exception):
    """Stops a forward pass once the output of the lowest layers is caught."""


class Lowest:
    """The embeddings and the `count` lowest layers of an encoder, which can be run alone and detached.

    Once detached, the encoder is the layers above them: it reads `hidden` of the batch, set before each call.
    """

    def __init__(self, encoder: Any, count: int) -> None:
        self.base, self.count = base_of(encoder), count
        self.module, self.name = place_of_layers(encoder)
        self.layers = getattr(self.module, self.name)
        self.embeddings = embeddings_of(encoder)
        self.given = Given()

    @torch.no_grad()
    def run(self, **inputs: Tensor) -> Tensor:
        """Their output for the layer above, without dropout. inputs: int64 (B, T). Returns float (B, T,
        H).
        """
        self.base.eval()
        seen: list[Tensor] = []

        def catch(layer: Any, args: Any, kwargs: Any) -> None:
            seen.append(args[0] if args else kwargs["hidden_states"])
            raise Caught

        hook = self.layers[self.count].register_forward_pre_hook(catch, with_kwargs=True)
        try:
            self.base(**inputs)
        except Caught:
            pass
        finally:
            hook.remove()
        return seen[0]

    @torch.no_grad()
    def check(self, **inputs: Tensor) -> None:
        """Raises SpecError where the layers above do not make of it what the whole encoder makes. inputs:
        int64 (B, T), of some texts.
        """
        real = inputs["attention_mask"].bool()
        self.base.eval()
        whole = self.base(**inputs).last_hidden_state[real]
        try:
            self.given.hidden = self.run(**inputs)
            self.detach()
            difference = float(
                (self.base(**inputs).last_hidden_state[real] - whole).abs().max() / whole.abs().max()
            )
        except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError):
            difference = float("inf")
        finally:
            self.restore()
        if not difference <= TOLERANCE:
            message = (
                f"isn't possible with {type(self.base).__name__}: its upper layers need more than the output"
                " of the lower ones."
            )
            raise SpecError("strategy.cached", message)

    def detach(self) -> None:
        """Leave only the layers above them in the encoder."""
        self.base.embeddings = self.given
        setattr(self.module, self.name, nn.ModuleList(list(self.layers)[self.count :]))

    def restore(self) -> None:
        """The whole encoder again, with what its upper layers have learned."""
        self.base.embeddings = self.embeddings
        setattr(self.module, self.name, self.layers)


class Given(nn.Module):
    """In the place of embeddings: gives what is set."""

    hidden: Tensor

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """float (B, T, H)."""
        return self.hidden


class Activations:
    """What the lowest layers give to each token of each text, in a file that is read where it is needed.
    lengths: tokens of each text.
    """

    def __init__(self, path: Path, lengths: Sequence[int], width: int) -> None:
        self.path, self.width = path, width
        self.starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self.rows: NDArray[np.float16] | None = None

    def __getitem__(self, row: int) -> Tensor:
        """float32 (T, H) of one text."""
        if self.rows is None:
            self.rows = np.memmap(self.path, HALF, "r", shape=(int(self.starts[-1]), self.width))
        return torch.from_numpy(
            np.asarray(self.rows[self.starts[row] : self.starts[row + 1]], dtype=np.float32)
        )

    def fill(self, batches: Iterable[Sequence[int]], run: Callable[[Sequence[int]], Tensor]) -> None:
        """Compute the file unless it is there whole. run: numbers of texts to their float (B, T, H). Raises
        EngineFault `disk_full`.
        """
        seal = self.path.with_suffix(".sha256")
        if self.path.exists() and seal.exists() and seal.read_text(encoding="ascii") == digest_of(self.path):
            return
        self.path.parent.mkdir(exist_ok=True)
        needed, free = (
            int(self.starts[-1]) * self.width * HALF.itemsize,
            shutil.disk_usage(self.path.parent).free,
        )
        if free < needed:
            message = (
                f"Caching the lower layers' activations needs {needed / 1e6:,.0f} MB of disk;"
                f" {free / 1e6:,.0f} MB are free."
            )
            raise EngineFault(
                "disk_full", message, "Free some disk space and resume, or train without caching."
            )
        temporary = self.path.with_suffix(".part")
        rows = np.memmap(temporary, HALF, "w+", shape=(int(self.starts[-1]), self.width))
        for numbers in batches:
            for number, hidden in zip(numbers, run(numbers).float().cpu().numpy(), strict=True):
                start, end = self.starts[number], self.starts[number + 1]
                rows[start:end] = hidden[: end - start]
        rows.flush()
        del rows
        seal.write_text(digest_of(temporary), encoding="ascii")
        temporary.replace(self.path)


def digest_of(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
