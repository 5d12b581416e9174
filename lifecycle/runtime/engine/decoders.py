"""Decoders: loaded, prepared for training by each strategy, wrapped so that only answers count in the loss,
and loaded from an artifact.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    PromptTuningInit,
    get_peft_model,
)
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from lifecycle.runtime.engine.artifact import BESIDE, ArtifactInfo
from lifecycle.runtime.engine.base import missing
from lifecycle.runtime.engine.classifier import Network
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.layers import layers_of
from lifecycle.runtime.engine.losses import Loss
from lifecycle.runtime.engine.strategies import default_targets, ia3_config
from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.engine.task_types.generation.answering import token_losses

PEFT_KINDS = ("lora", "ia3", "prompt", "p_tuning", "prefix")  # whose weights PEFT keeps
UNTIED = (
    "A decoder's head is its token table; training it alone hardly changes responses. Choose prompt tuning or"
    " LoRA."
)
REFUSED = {
    "head": UNTIED,
    "adapter": "Bottleneck adapters are only available for encoders. Choose LoRA.",
}


def load_decoder(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """The folder's causal language model from safetensors. Raises EngineFault `base_missing` when
    transformers cannot load it.
    """
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, use_safetensors=True, dtype=dtype
        )
    except (OSError, ValueError, KeyError) as error:
        raise missing(folder, f"it couldn't be loaded as a decoder ({error}).") from error


class AnswerLoss(Loss):
    """Cross entropy in nats of a token of the answers: the mean over all of a batch that count, so rows count
    by their length.
    """

    def weight(self, labels: Tensor) -> float:
        """How much labels (B, T) count in a batch: their tokens."""
        return float((labels[:, 1:] != NOT_COUNTED).sum())

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits: (B, K, V) of the last K places. labels: (B, T)."""
        nats, tokens = token_losses(logits, labels)
        return nats.sum() / tokens.sum().clamp(min=1)


class Decoder(Network):
    """A decoder with its trainable parts. encoder: a causal language model of Hugging Face, or a PEFT model
    around one.
    """

    def __init__(self, decoder: Any, loss: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder, self.loss, self.lowest = decoder, loss or AnswerLoss(), None
        base = decoder.get_base_model() if isinstance(decoder, PeftModel) else decoder
        self.keeps = "logits_to_keep" in inspect.signature(base.forward).parameters

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the last K places (B, K, V), and the loss where labels (B, T) are given: then K reaches
        to the first that counts.

        Places before it are never turned into logits, which for a large vocabulary are most of a batch's
        memory.
        """
        options: dict[str, Any] = {}
        if labels is not None and self.keeps:
            counted = (labels != NOT_COUNTED).any(dim=0).nonzero()
            first = int(counted[0]) if len(counted) else labels.shape[1]
            options["logits_to_keep"] = labels.shape[1] - max(first - 1, 0)
        logits = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **options
        ).logits
        return {"logits": logits} if labels is None else {"loss": self.loss(logits, labels), "logits": logits}


def build_decoder(
    folder: Path, strategy: Strategy, loss: nn.Module | None = None, *, checkpointing: bool = False
) -> Decoder:
    """A decoder over the base, with gradients only where the strategy trains. Random parts come from torch's
    seed.

    Raises SpecError for a strategy that makes no sense here, naming the field.
    """
    if reason := REFUSED.get(strategy.kind):
        raise SpecError("strategy.kind", f"{strategy.kind} isn't available for generation. {reason}")
    if strategy.cached:
        raise SpecError(
            "strategy.cached",
            "is only available for encoders: lower-layer output of decoders can't be cached.",
        )
    model = load_decoder(folder)
    if checkpointing and not model.supports_gradient_checkpointing:
        raise SpecError("gradient_checkpointing", f"isn't supported by {type(model).__name__}.")
    if checkpointing and strategy.kind == "prefix":
        raise SpecError(
            "gradient_checkpointing",
            "can't be combined with prefix tuning, because the prefix isn't recomputed.",
        )
    if checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    config = peft_config(model, strategy)
    if config is not None:
        model = get_peft_model(model, config)
    _freeze_lowest(model, strategy.frozen_layers)
    return Decoder(model, loss)


def peft_config(model: Any, strategy: Strategy) -> Any:
    """What PEFT adds for a strategy; None for full fine-tuning."""
    kind, task = strategy.kind, "CAUSAL_LM"
    if kind == "lora":
        targets = strategy.target_modules or TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(
            model.config.model_type
        )
        return LoraConfig(
            task_type=task,
            r=strategy.rank,
            lora_alpha=strategy.alpha,
            lora_dropout=strategy.dropout,
            use_dora=strategy.dora,
            use_rslora=strategy.rank_stabilised,
            target_modules=list(targets or default_targets(model)),
        )
    if kind == "ia3":
        plain = ia3_config(model, strategy)
        return IA3Config(
            task_type=task, target_modules=plain.target_modules, feedforward_modules=plain.feedforward_modules
        )
    # begins at tokens of the vocabulary, which learn sooner than random vectors (Lester et al. 2021)
    if kind == "prompt":
        return PromptTuningConfig(
            task_type=task,
            num_virtual_tokens=strategy.virtual_tokens,
            prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
        )
    if kind == "p_tuning":
        return PromptEncoderConfig(
            task_type=task, num_virtual_tokens=strategy.virtual_tokens, encoder_hidden_size=strategy.width
        )
    return (
        PrefixTuningConfig(task_type=task, num_virtual_tokens=strategy.virtual_tokens)
        if kind == "prefix"
        else None
    )


def _freeze_lowest(model: Any, count: int) -> None:
    if not count:
        return
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    layers = layers_of(base)
    if count >= len(layers):
        raise SpecError("strategy.frozen_layers", f"must be below {len(layers)}, the layers of this model.")
    for module in (base.get_input_embeddings(), *layers[:count]):
        module.requires_grad_(False)


def save_decoder(folder: Path, model: Decoder) -> None:
    """The trained weights, as public libraries load them: PEFT's two files with the base's config beside
    them, or the whole model.
    """
    decoder = model.encoder
    if isinstance(decoder, PeftModel):
        decoder.peft_config["default"].base_model_name_or_path = BESIDE
        decoder.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
        decoder.get_base_model().config.save_pretrained(folder)
    else:
        decoder.save_pretrained(folder)


def open_decoder(
    artifact: Path, base: Path | None, info: ArtifactInfo, dtype: torch.dtype = torch.float32
) -> Any:
    """The artifact as a model that answers; IA3 is added into its weights, and LoRA too in fp32: bf16 would
    round off most of it. Raises EngineFault where a base is missing.
    """
    if info.strategy == "full":
        return load_decoder(artifact, dtype).eval()
    if base is None:
        message = f"This {info.strategy} artifact needs its base model {info.base_name}."
        raise EngineFault("base_missing", message, "Pass the folder of the base model.")
    model = adapted(load_decoder(base, dtype), artifact)
    is_added = info.strategy == "ia3" or (info.strategy == "lora" and dtype is torch.float32)
    return (model.merge_and_unload() if is_added else model).eval()


def adapted(model: Any, artifact: Path) -> Any:
    """A base with what PEFT adds to it, in the base's type of numbers."""
    found = PeftModel.from_pretrained(model, artifact)
    for each in found.parameters():
        each.data = each.data.to(model.dtype)
    return found
