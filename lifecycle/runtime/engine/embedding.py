"""Embeddings of texts by an untuned base model, which small classifiers are fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.engine.batches import Collate
from lifecycle.runtime.engine.classifier import Classifier, encode
from lifecycle.runtime.engine.forward import frozen_features
from lifecycle.runtime.engine.strategies import load_encoder, load_tokenizer


class Embedder:
    """A base model, loaded. pooling: mean, cls or pooler. max_tokens: where texts are cut."""

    def __init__(self, base: Path, pooling: str, max_tokens: int) -> None:
        self.tokenizer, self.max_tokens = load_tokenizer(base), max_tokens
        encoder = load_encoder(base, pooling)
        self.model = Classifier(encoder, int(encoder.config.hidden_size), 1, pooling)
        self.batches = Collate(
            self.tokenizer.pad_token_id or 0, "token_type_ids" in self.tokenizer.model_input_names
        )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Pooled vectors (N, H), each scaled to length 1, in order of the texts."""
        return unit(
            frozen_features(self.model, encode(self.tokenizer, texts, self.max_tokens), self.batches).numpy()
        )

    def embed_pairs(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """The same of two texts read together."""
        one, two = zip(*pairs, strict=True)
        found = self.tokenizer(
            list(one), list(two), truncation=True, max_length=self.max_tokens, return_attention_mask=False
        )
        return unit(frozen_features(self.model, found["input_ids"], self.batches).numpy())


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """The rows, each scaled to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)  # type: ignore[no-any-return]
