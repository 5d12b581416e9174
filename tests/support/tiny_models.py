"""A base model made in code: a BERT of two random layers with a tokenizer of whole words. Loads in
milliseconds, learns eight sentences.
"""

from __future__ import annotations

from pathlib import Path

WORDS = (
    *(
        "card",
        "lost",
        "stolen",
        "money",
        "back",
        "please",
        "refund",
        "where",
        "is",
        "my",
        "the",
        "not",
        "arrived",
        "pay",
        "again",
        "order",
    ),
    *(
        "cancel",
        "thanks",
        "help",
        "late",
        "password",
        "reset",
        "login",
        "account",
        "app",
        "broken",
        "error",
        "slow",
        "closed",
        "open",
    ),
    *(
        "charge",
        "twice",
        "wrong",
        "delivery",
        "address",
        "change",
        "update",
        "invoice",
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
    ),
)


def make_tiny_base(folder: Path, words: list[str] | None = None) -> Path:
    """Write the folder: config.json, model.safetensors, tokenizer. The same words give the same bytes."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(words or WORDS)]
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder
