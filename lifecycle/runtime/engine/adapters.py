"""Bottleneck adapters: a narrow layer after each layer of a frozen encoder.

h + W_up gelu(W_down h): Houlsby et al. 2019 (arXiv:1902.00751), one a layer as Pfeiffer et al. 2021
(arXiv:2005.00247), here behind the layer's own norm. W_up is initialized to zero, so that the encoder starts
unchanged. They can't be merged into the layers' weights, so the served model keeps them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.layers import layers_of

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class Bottleneck(nn.Module):
    """One adapter. width: of the narrow part."""

    def __init__(self, hidden: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.down, self.up, self.dropout = (
            nn.Linear(hidden, width),
            nn.Linear(width, hidden),
            nn.Dropout(dropout),
        )
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """float (B, T, H) to the same."""
        return hidden + self.up(nn.functional.gelu(self.down(self.dropout(hidden))))


def add_adapters(encoder: Any, width: int, dropout: float = 0.0) -> Any:
    """The encoder with an adapter after each layer; only adapters are trainable."""
    encoder.requires_grad_(False)
    for layer in layers_of(encoder):
        layer.adapter = Bottleneck(encoder.config.hidden_size, width, dropout)
        layer.register_forward_hook(_through)
    return encoder


def _through(layer: Any, args: Any, output: Any) -> Any:
    return (layer.adapter(output[0]), *output[1:]) if isinstance(output, tuple) else layer.adapter(output)


def save_adapters(encoder: Any, folder: Path, base_name: str) -> None:
    """The two files of an adapter, named as PEFT names its own: weights by the number of their layer, and
    what is needed to lay it out.
    """
    adapters = [layer.adapter for layer in layers_of(encoder)]
    weights = {
        f"{at}.{name}": value.contiguous()
        for at, each in enumerate(adapters)
        for name, value in each.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    document = {
        "peft_type": "BOTTLENECK",
        "base_model_name_or_path": base_name,
        "width": adapters[0].down.out_features,
    }
    write_json(folder / CONFIG, document)


def load_adapters(encoder: Any, folder: Path) -> Any:
    """The encoder with the adapters of a folder."""
    weights = load_file(folder / WEIGHTS)
    add_adapters(encoder, weights["0.down.weight"].shape[0])
    for at, layer in enumerate(layers_of(encoder)):
        layer.adapter.load_state_dict(
            {name.split(".", 1)[1]: value for name, value in weights.items() if name.startswith(f"{at}.")}
        )
    return encoder
