"""Which weights learn: everything, low-rank adapters, or the head alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from lifecycle.engine.base import missing
from lifecycle.engine.recipes.single_label import Classifier
from lifecycle.engine.spec import Strategy

ATTENTION = (("query", "value"), ("q_lin", "v_lin"), ("q_proj", "v_proj"), ("query_proj", "value_proj"), ("Wqkv",), ("qkv_proj",))


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer, without running code of its own."""
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def load_encoder(folder: Path, pooling: str) -> Any:
    """The folder's encoder in fp32 from safetensors. Raises EngineFault `base_missing` when transformers cannot load it."""
    options = {"trust_remote_code": False, "local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if pooling != "pooler" and config.model_type in ("bert", "roberta", "xlm-roberta", "mpnet", "electra", "camembert"):
        options |= {"add_pooling_layer": False} if config.model_type != "electra" else {}
    try:
        return AutoModel.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError) as error:
        raise missing(folder, f"it could not be loaded ({error}).") from error


def build(folder: Path, strategy: Strategy, pooling: str, labels: int, class_weights: Tensor | None = None) -> Classifier:
    """A classifier over the base, with gradients only where the strategy learns. Random parts come from torch's seed."""
    encoder = load_encoder(folder, pooling)
    hidden = int(encoder.config.hidden_size)
    if strategy.kind == "lora":
        encoder = get_peft_model(encoder, lora_config(encoder, strategy))
    elif strategy.kind == "head":
        encoder.requires_grad_(False)
    return Classifier(encoder, hidden, labels, pooling, class_weights)


def lora_config(encoder: nn.Module, strategy: Strategy) -> LoraConfig:
    """The adapter's shape. Raises EngineFault `bad_spec`-like base_missing when no attention weights are known for this model."""
    return LoraConfig(
        r=strategy.rank,
        lora_alpha=strategy.alpha,
        lora_dropout=strategy.dropout,
        target_modules=list(strategy.target_modules or default_targets(encoder)),
    )


def default_targets(encoder: nn.Module) -> tuple[str, ...]:
    """Names of the query and value projections of this architecture."""
    names = {name.rsplit(".", 1)[-1] for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    for targets in ATTENTION:
        if names.issuperset(targets):
            return targets
    raise missing(type(encoder).__name__, "its attention weights have unknown names; set strategy.target_modules.")


def counts(model: nn.Module) -> tuple[int, int]:
    """(trainable, all) parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad), sum(p.numel() for p in model.parameters())


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """The weights that learn, by name, as they are saved in checkpoints."""
    return {name: parameter.detach().contiguous() for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_trainable(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Put saved weights back in place. Raises ValueError when they are not exactly the weights that learn."""
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if parameters.keys() != state.keys():
        raise ValueError(f"The saved weights do not fit this model: {sorted(parameters.keys() ^ state.keys())[:3]}.")
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


def merged(model: Classifier) -> Classifier:
    """The same function as plain layers: LoRA is added into the base weights. Changes the model given."""
    if isinstance(model.encoder, PeftModel):
        model.encoder = model.encoder.merge_and_unload()
    return model
