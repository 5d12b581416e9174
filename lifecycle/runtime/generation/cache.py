"""Keys and values of several answers of different lengths, each from the left of its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from lifecycle.runtime.generation.rules import Prefix

STEP = 64  # tokens by which rows grow


class Place:
    """Where the next tokens go: rows first..last of the cache, at positions (rows, T) of each. width: of the
    longest row once they are there.
    """

    def __init__(self, first: int, positions: Tensor) -> None:
        self.first, self.positions = first, positions
        self.rows, self.tokens = positions.shape
        self.width = int(positions[:, -1].max()) + 1
        self.index = torch.arange(first, first + self.rows)[:, None]

    def mask(self, dtype: torch.dtype) -> Tensor:
        """Added to the scores of attention (rows, 1, T, width): 0 for a token's own past, else the lowest
        number.
        """
        unseen = torch.arange(self.width) > self.positions[:, None, :, None]
        return torch.zeros(unseen.shape, dtype=dtype).masked_fill(unseen, torch.finfo(dtype).min)


class Layer(CacheLayerMixin):
    """Of one layer: keys and values (rows, heads, capacity, width of a head)."""

    is_sliding = False

    def __init__(self) -> None:
        super().__init__()
        self.place: Place | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing: `grow` makes the room."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keep keys and values (rows, heads, T, width of a head) of the next tokens, and return those of the
        rows so far.
        """
        place = self.place
        if place is None or self.keys is None or self.values is None:
            raise RuntimeError("A layer was asked without a place.")
        self.keys[place.index, :, place.positions] = key_states.transpose(1, 2)
        self.values[place.index, :, place.positions] = value_states.transpose(1, 2)
        rows = slice(place.first, place.first + place.rows)
        return self.keys[rows, :, : place.width], self.values[rows, :, : place.width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """As of a cache of equally long rows."""
        return (self.place.width if self.place else query_length), 0

    def get_seq_length(self) -> int:
        """Tokens before the next ones."""
        return self.place.width - self.place.tokens if self.place else 0

    def get_max_length(self) -> int:
        """No limit of its own."""
        return -1


class Rows(Cache):
    """The cache of a model. Rows are numbered from 0 without a gap: who removes one moves the last into its
    place.

    layers, heads, width: of the model, the last two of keys; value_width: of values.
    """

    def __init__(self, layers: int, heads: int, width: int, dtype: torch.dtype) -> None:
        super().__init__(layers=[Layer() for _ in range(layers)])
        self.heads, self.width, self.dtype = heads, width, dtype
        self.rows = self.capacity = 0

    @property
    def bytes_per_token(self) -> int:
        """Of one row."""
        return 2 * len(self.layers) * self.heads * self.width * self.dtype.itemsize

    def grow(self, rows: int, capacity: int) -> None:
        """Make room for so many rows of so many tokens; what is there stays."""
        capacity = -(-capacity // STEP) * STEP
        if rows <= self.rows and capacity <= self.capacity:
            return
        rows, capacity = max(rows, self.rows), max(capacity, self.capacity)
        for layer in self.layers:
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = torch.zeros(rows, self.heads, capacity, self.width, dtype=self.dtype)
                if old is not None:
                    new[: self.rows, :, : self.capacity] = old
                setattr(layer, name, new)
            layer.is_initialized = True
        self.rows, self.capacity = rows, capacity

    def drop(self) -> None:
        """Free everything."""
        for layer in self.layers:
            layer.keys = layer.values = None
            layer.is_initialized = False
        self.rows = self.capacity = 0

    def move(self, source: int, target: int, length: int) -> None:
        """Copy a row's first tokens over another row."""
        for layer in self.layers:
            layer.keys[target, :, :length] = layer.keys[source, :, :length]
            layer.values[target, :, :length] = layer.values[source, :, :length]

    def begin(self, row: int, prefix: Prefix) -> None:
        """Put virtual tokens at the beginning of a row."""
        for layer, (keys, values) in zip(self.layers, prefix.layers, strict=True):
            layer.keys[row, :, : len(prefix)] = keys
            layer.values[row, :, : len(prefix)] = values

    def at(self, place: Place) -> None:
        """Where the next tokens go."""
        for layer in self.layers:
            layer.place = place


def decoding(lengths: Sequence[int]) -> Place:
    """The place of one more token of each of the first rows."""
    return Place(0, torch.tensor(lengths)[:, None])


def reading(row: int, begin: int, end: int) -> Place:
    """The place of tokens begin..end of one row."""
    return Place(row, torch.arange(begin, end)[None])
