"""Low-rank adapters of many versions over one model: rows of a batch may each have another.

Peers: S-LoRA (Sheng et al. 2023, arXiv:2311.03285) and Punica (Chen et al. 2023, arXiv:2310.18547) gather the
weights by row as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lifecycle.runtime.generation.rules import Adapter

NONE = ""

Pair = tuple[Tensor, Tensor]


class AdaptedLayer(nn.Module):
    """A layer of the model with what adapters add to it. current: A and B that the next forward adds: of
    all rows (in, r) and (r, out), or row by row (rows, in, r) and (rows, r, out); None for nothing.
    """

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.pairs: dict[str, Pair] = {}
        self.current: Pair | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x: (rows, T, in)."""
        found: Tensor = self.base(x)
        if self.current is None:
            return found
        a, b = self.current
        return found + x @ a @ b if a.dim() == 2 else torch.baddbmm(found, torch.bmm(x, a), b)


class Adapters:
    """The adapted layers of a model, by name."""

    def __init__(self, model: nn.Module) -> None:
        self._model, self._dtype = model, next(model.parameters()).dtype
        self._layers: dict[str, AdaptedLayer] = {}
        self._loaded: set[str] = set()
        self._chosen: tuple[str, ...] = ()

    def __contains__(self, key: str) -> bool:
        return key == NONE or key in self._loaded

    @property
    def loaded(self) -> frozenset[str]:
        """Keys of the adapters in memory."""
        return frozenset(self._loaded)

    def put(self, key: str, adapter: Adapter) -> None:
        """Add an adapter. Raises KeyError for a layer that the model doesn't have."""
        for name, (a, b) in adapter.layers.items():
            self._layer(name).pairs[key] = a.to(self._dtype), b.to(self._dtype)
        self._loaded.add(key)
        self._chosen = ()

    def drop(self, key: str) -> None:
        """Forget an adapter."""
        for layer in self._layers.values():
            layer.pairs.pop(key, None)
        self._loaded.discard(key)
        self._chosen = ()

    def choose(self, keys: Sequence[str]) -> None:
        """The adapters of the next forward, one for each row. Weights are gathered only when they change."""
        chosen = tuple(keys)
        if len(set(chosen)) == 1:
            chosen = chosen[:1]
        if chosen == self._chosen:
            return
        for layer in self._layers.values():
            layer.current = layer.pairs.get(chosen[0]) if len(chosen) == 1 else _mixed(layer, chosen)
        self._chosen = chosen

    def _layer(self, name: str) -> AdaptedLayer:
        if name not in self._layers:
            parent_name, _, last = name.rpartition(".")
            try:
                parent = self._model.get_submodule(parent_name)
                made = AdaptedLayer(parent.get_submodule(last))
            except AttributeError as error:
                raise KeyError(name) from error
            setattr(parent, last, made)
            self._layers[name] = made
        return self._layers[name]


def _mixed(layer: AdaptedLayer, keys: Iterable[str]) -> Pair | None:
    """A and B of each row, zero where it has none and beyond its rank."""
    found = [layer.pairs.get(key) for key in keys]
    known = [each for each in found if each is not None]
    if not known:
        return None
    (inner, _), (_, outer) = known[0][0].shape, known[0][1].shape
    rank = max(a.shape[1] for a, _ in known)
    dtype = known[0][0].dtype
    first = torch.zeros(len(found), inner, rank, dtype=dtype)
    second = torch.zeros(len(found), rank, outer, dtype=dtype)
    for row, pair in enumerate(found):
        if pair is not None:
            first[row, :, : pair[0].shape[1]] = pair[0]
            second[row, : pair[1].shape[0]] = pair[1]
    return first, second


OTHERS = (  # of PEFT's options: those whose weights aren't added in one multiplication
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "alora_invocation_tokens",
)


def is_added(config: Mapping[str, Any]) -> bool:
    """Whether an adapter only adds the product of two matrices to layers. config: adapter_config.json."""
    return (
        config.get("peft_type") == "LORA"
        and config.get("bias", "none") == "none"
        and not any(config.get(name) for name in OTHERS)
    )


def read(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Adapter:
    """An adapter as PEFT keeps it. tensors: of adapter_model.safetensors; config: adapter_config.json, of
    which `is_added` holds.
    """
    rank = int(config["r"])
    scale = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    found: dict[str, Pair] = {}
    for name, a in tensors.items():
        if name.endswith(".lora_A.weight"):
            layer = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            b = tensors[name.replace(".lora_A.", ".lora_B.")]
            found[layer] = a.float().T.contiguous(), (b.float() * scale).T.contiguous()
    return Adapter(found)
