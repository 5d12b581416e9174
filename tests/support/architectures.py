"""Encoders of three random layers, of every architecture that is named in the docs."""

from __future__ import annotations

from typing import Any

SHAPE = {
    "vocab_size": 24,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
SPECIAL = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
MODELS = {
    "bert": ("BertConfig", "BertModel", SHAPE),
    "roberta": ("RobertaConfig", "RobertaModel", SHAPE),
    "mpnet": ("MPNetConfig", "MPNetModel", SHAPE),
    "electra": ("ElectraConfig", "ElectraModel", SHAPE | {"embedding_size": 32}),
    "modernbert": ("ModernBertConfig", "ModernBertModel", SHAPE | dict.fromkeys(SPECIAL, 1)),
    "deberta-v2": ("DebertaV2Config", "DebertaV2Model", SHAPE),
    "distilbert": (
        "DistilBertConfig",
        "DistilBertModel",
        {"vocab_size": 24, "dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
    ),
}


def make_encoder(name: str) -> Any:
    """One of MODELS; the same weights each time."""
    import torch
    import transformers

    config, model, shape = MODELS[name]
    torch.manual_seed(5)
    return getattr(transformers, model)(getattr(transformers, config)(**shape)).eval()
