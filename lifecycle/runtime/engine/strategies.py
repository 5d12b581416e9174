"""Trainable parameters by strategy: all, those of PEFT or of a bottleneck adapter, or the head alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from peft.utils.constants import (
    TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
    TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
)
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from lifecycle.runtime.engine.adapters import add_adapters
from lifecycle.runtime.engine.base import missing
from lifecycle.runtime.engine.classifier import Classifier
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.layers import freeze_lowest
from lifecycle.runtime.engine.strategy import Strategy

ATTENTION = (
    *(("query", "value"), ("q_lin", "v_lin"), ("q_proj", "v_proj"), ("query_proj", "value_proj"), ("q", "v")),
    *(("Wqkv",), ("qkv_proj",)),
)


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer, without running code of its own. What is too long loses its end, as where the
    artifact answers.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if tokenizer.truncation_side != "right":
        tokenizer.truncation_side = "right"
    return tokenizer


def load_encoder(folder: Path, pooling: str) -> Any:
    """The folder's encoder in fp32 from safetensors. Raises EngineFault `base_missing` when transformers
    cannot load it.
    """
    options = {
        "trust_remote_code": False,
        "local_files_only": True,
        "use_safetensors": True,
        "dtype": torch.float32,
    }
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if pooling != "pooler" and config.model_type in (
        "bert",
        "roberta",
        "xlm-roberta",
        "mpnet",
        "electra",
        "camembert",
    ):
        options |= {"add_pooling_layer": False} if config.model_type != "electra" else {}
    try:
        return AutoModel.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError) as error:
        raise missing(folder, f"it couldn't be loaded ({error}).") from error


def build(
    folder: Path,
    strategy: Strategy,
    pooling: str,
    labels: int,
    loss: nn.Module | None = None,
    *,
    checkpointing: bool = False,
    network: type[Classifier] = Classifier,
) -> Classifier:
    """A classifier over the base, with gradients only where the strategy trains. Random parts come from
    torch's seed.

    loss: of logits and labels; cross entropy by default. checkpointing: activations are computed again on the
    way back.
    """
    encoder = load_encoder(folder, pooling)
    hidden = int(encoder.config.hidden_size)
    return network(adapt(encoder, strategy, checkpointing=checkpointing), hidden, labels, pooling, loss)


def adapt(encoder: Any, strategy: Strategy, *, checkpointing: bool = False) -> Any:
    """The model with what the strategy adds to it, and gradients only where it trains."""
    if checkpointing and not encoder.supports_gradient_checkpointing:
        raise SpecError("gradient_checkpointing", f"isn't supported by {type(encoder).__name__}.")
    if checkpointing:
        encoder.activation_checkpointing_enable({"use_reentrant": False})
    if strategy.kind == "lora":
        encoder = get_peft_model(encoder, lora_config(encoder, strategy))
    elif strategy.kind == "ia3":
        encoder = get_peft_model(encoder, ia3_config(encoder, strategy))
    elif strategy.kind == "adapter":
        encoder = add_adapters(encoder, strategy.width, strategy.dropout)
    elif strategy.kind == "head":
        encoder.requires_grad_(False)
    freeze_lowest(encoder, strategy.frozen_layers)
    return encoder


def lora_config(encoder: nn.Module, strategy: Strategy) -> LoraConfig:
    """The adapter's shape. Raises EngineFault `bad_spec`-like base_missing when no attention weights are
    known for this model.
    """
    return LoraConfig(
        r=strategy.rank,
        lora_alpha=strategy.alpha,
        lora_dropout=strategy.dropout,
        target_modules=list(strategy.target_modules or default_targets(encoder)),
        use_dora=strategy.dora,
        use_rslora=strategy.rank_stabilised,
    )


def ia3_config(encoder: Any, strategy: Strategy) -> IA3Config:
    """Keys, values and what enters the dense parts are scaled. Raises EngineFault base_missing where PEFT
    does not know this model's.
    """
    kind = encoder.config.model_type
    targets = strategy.target_modules or TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING.get(kind)
    forward = TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(kind, [])
    if targets is None:
        raise missing(
            type(encoder).__name__,
            "IA3 target modules are unknown for this architecture; set strategy.target_modules.",
        )
    return IA3Config(
        target_modules=list(targets), feedforward_modules=[each for each in forward if each in targets]
    )


def default_targets(encoder: nn.Module) -> tuple[str, ...]:
    """Names of the query and value projections of this architecture."""
    names = {
        name.rsplit(".", 1)[-1] for name, module in encoder.named_modules() if isinstance(module, nn.Linear)
    }
    for targets in ATTENTION:
        if names.issuperset(targets):
            return targets
    raise missing(
        type(encoder).__name__, "its attention weight names are unknown; set strategy.target_modules."
    )


def counts(model: nn.Module) -> tuple[int, int]:
    """(trainable, all) parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad), sum(
        p.numel() for p in model.parameters()
    )


def learning(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trainable parameters by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name, as saved in checkpoints."""
    return {name: parameter.detach().contiguous() for name, parameter in learning(model).items()}


def load_trainable(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Put saved weights back in place. Raises ValueError unless they are exactly the trainable parameters."""
    parameters = learning(model)
    if parameters.keys() != state.keys():
        raise ValueError(
            f"The saved weights don't fit this model: {sorted(parameters.keys() ^ state.keys())[:3]}."
        )
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


def merged(model: Classifier) -> Classifier:
    """The same function as plain layers: what PEFT added goes into the base weights. Changes the model
    given.
    """
    if isinstance(model.encoder, PeftModel):
        model.encoder = model.encoder.merge_and_unload()
    return model
