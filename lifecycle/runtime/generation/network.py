"""A decoder that reads and continues the rows of one cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lifecycle.runtime.generation import cache
from lifecycle.runtime.generation.cache import Place, Rows
from lifecycle.runtime.generation.lora import Adapters
from lifecycle.runtime.generation.rules import Prefix


class Network:
    """A causal language model of transformers in fp32 or bf16, its adapters, and the cache of the answers in
    progress. limit: tokens that it can read in one row, the prompt's and the answer's.
    """

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        config = model.config.get_text_config(decoder=True)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.dtype: torch.dtype = self.model.dtype
        self.rows = Rows(config.num_hidden_layers, heads, width, self.dtype)
        self.adapters = Adapters(model)
        self.limit = limit_of(config)

    def read(self, row: int, ids: Sequence[int], begin: int, version: str) -> Tensor:
        """Logits (V,) behind the next tokens of one row. begin: tokens that are in the row."""
        place = cache.reading(row, begin, begin + len(ids))
        return self._forward(torch.tensor([list(ids)]), place, [version])[0]

    def continue_(self, last: Sequence[int], lengths: Sequence[int], versions: Sequence[str]) -> Tensor:
        """Logits (rows, V) behind one more token of each of the first rows. lengths: tokens that are in
        them.
        """
        return self._forward(torch.tensor(last)[:, None], cache.decoding(lengths), versions)

    def prefix_of(self, embedded: Tensor) -> Prefix:
        """What attention keeps of virtual tokens (1, n, H) at the beginning of a row."""
        rows = Rows(len(self.rows.layers), self.rows.heads, self.rows.width, self.dtype)
        rows.grow(1, embedded.shape[1])
        place = cache.reading(0, 0, embedded.shape[1])
        rows.at(place)
        self.adapters.choose([""])
        self.model(
            inputs_embeds=embedded.to(self.dtype),
            attention_mask=place.mask(self.dtype),
            position_ids=place.positions,
            cache=rows,
        )
        count = embedded.shape[1]
        return Prefix(
            tuple(
                (each.keys[0, :, :count].clone(), each.values[0, :, :count].clone()) for each in rows.layers
            )
        )

    def _forward(self, ids: Tensor, place: Place, versions: Sequence[str]) -> Tensor:
        self.rows.at(place)
        self.adapters.choose(versions)
        found = self.model(
            input_ids=ids,
            attention_mask=place.mask(self.dtype),
            position_ids=place.positions,
            cache=self.rows,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = found.logits[:, -1].float()
        return logits


def limit_of(config: Any) -> int:
    """Tokens of a row: those of the position embeddings, or of the sliding window where that is shorter,
    since the mask of a cache of rows reaches back to their beginning.
    """
    known = int(getattr(config, "max_position_embeddings", 0) or 0)
    window = int(getattr(config, "sliding_window", 0) or 0)
    if not window or not getattr(config, "use_sliding_window", True):
        return known
    return min(known, window) if known else window
