"""Decoders made in code: two random layers with a tokenizer of whole words, which learn eight questions in a
second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

QUESTIONS = [
    ("how do i reset my password", "open settings and press reset"),
    ("where is my order", "look at orders in your account"),
    ("how do i cancel", "press cancel in your account"),
    ("my card is lost", "call us and we close the card"),
    ("how do i pay", "pay with card or by invoice"),
    ("when is the office open", "monday to friday nine to five"),
    ("how do i change my address", "open settings and change it"),
    ("can i get a refund", "yes within thirty days"),
]
WORDS = sorted(
    {word for pair in QUESTIONS for text in pair for word in text.split()}
    | {str(at) for at in range(40)}
    | {"please", "no", "."}
)
SPECIAL = ("<unk>", "<pad>", "<|start|>", "<|end|>")
CHAT = (
    "{% for m in messages %}<|start|> {{ m.role }} {{ m.content }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|start|> assistant {% endif %}"
)
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}
ARCHITECTURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": (
        "LlamaConfig",
        "LlamaForCausalLM",
        SHAPE | {"num_key_value_heads": 2, "tie_word_embeddings": True},
    ),
    "mistral": ("MistralConfig", "MistralForCausalLM", SHAPE | {"num_key_value_heads": 1}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", SHAPE | {"num_key_value_heads": 2}),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128}),
}


def make_tiny_decoder(
    folder: Path, words: list[str] | None = None, *, architecture: str = "llama", chat: bool = True
) -> Path:
    """Write the folder: config.json, model.safetensors, tokenizer. The same arguments give the same bytes."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = [*SPECIAL, "user", "assistant", "###", "Answer", *(words or WORDS)]
    tokenizer = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(dict.fromkeys(names))}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="<|end|>",
        additional_special_tokens=["<|start|>"],
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.chat_template = CHAT if chat else None
    fast.save_pretrained(folder, save_jinja_files=False)
    torch.manual_seed(7)
    config, model, shape = ARCHITECTURES[architecture]
    ends = {"bos_token_id": None, "eos_token_id": 3, "pad_token_id": 1}
    made = getattr(transformers, model)(
        getattr(transformers, config)(vocab_size=len(set(names)), **shape, **ends)
    )
    made.save_pretrained(folder)
    return folder


def make_lively_decoder(folder: Path, **options: Any) -> Path:
    """One whose weights are large, so that its answers differ from prompt to prompt."""
    from safetensors.torch import load_file, save_file

    make_tiny_decoder(folder, **options)
    path = folder / "model.safetensors"
    weights = {name: each * 8 if each.ndim > 1 else each for name, each in load_file(path).items()}
    save_file(weights, path, {"format": "pt"})
    return folder
