"""The network of every task with an encoder, and its batches: token ids → encoder → pooled vector → linear
head → logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lifecycle.runtime.engine.layers import Lowest
from lifecycle.runtime.engine.losses import CrossEntropy
from lifecycle.runtime.engine.memory import SQUARES, rows_within

HEAD_DROPOUT = 0.1


def encode(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids of each text, with special tokens, cut at max_tokens."""
    if not texts:
        return []
    return list(
        tokenizer(list(texts), truncation=True, max_length=max_tokens, return_attention_mask=False)[
            "input_ids"
        ]
    )


def collate(encoded: Sequence[Sequence[int]], pad_id: int, *, token_types: bool) -> dict[str, Tensor]:
    """Pad to the longest: input_ids, attention_mask (and token_type_ids), each int64 (B, T)."""
    width = max(len(each) for each in encoded)
    ids = torch.full((len(encoded), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(encoded), width), dtype=torch.long)
    for row, each in enumerate(encoded):
        ids[row, : len(each)] = torch.tensor(each, dtype=torch.long)
        mask[row, : len(each)] = 1
    batch = {"input_ids": ids, "attention_mask": mask}
    if token_types:
        batch["token_type_ids"] = torch.zeros_like(ids)
    return batch


def collate_sets(
    encoded: Sequence[Sequence[Sequence[int]]], pad_id: int, *, token_types: bool
) -> dict[str, Tensor]:
    """Rows of several sequences, padded to the most and the longest, without attention where a row has fewer:
    each int64 (B, M, T).
    """
    flat = collate([ids for each in encoded for ids in each], pad_id, token_types=token_types)
    most, start, batch = max(map(len, encoded)), 0, {}
    for name, values in flat.items():
        batch[name] = values.new_full(
            (len(encoded), most, values.shape[1]), pad_id if name == "input_ids" else 0
        )
    for row, each in enumerate(encoded):
        for name, values in flat.items():
            batch[name][row, : len(each)] = values[start : start + len(each)]
        start += len(each)
    return batch


def length_batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Row numbers in batches of like length, longest first, so that padding is small and too much memory
    shows at once; fewer of rows that are long, of whose attention a whole batch would hold gigabytes.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    start = 0
    while start < len(order):
        count = rows_within(lengths[order[start]], batch_size, SQUARES)
        yield order[start : start + count]
        start += count


def set_batches(lengths: Sequence[int], counts: Sequence[int], sequences: int) -> Iterator[list[int]]:
    """As `length_batches`, of rows that are several sequences each: at most so many sequences at once, or one
    row.
    """
    batch: list[int] = []
    held = most = 0
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if batch and held + counts[row] > most:
            yield batch
            batch, held = [], 0
        if not batch:
            most = rows_within(lengths[row], sequences, SQUARES)
        batch.append(row)
        held += counts[row]
    if batch:
        yield batch


class Network(nn.Module):
    """The network that is trained. Called with a batch, it returns {"logits"}, and {"loss"} where the batch
    has labels.

    encoder: a Hugging Face model or a PEFT model around one. loss: of logits and labels, with
    `weight(labels)`. lowest: the encoder's lowest layers, where they are detached and batches contain their
    output. Parameters under the name `head` have the head's rate.
    """

    encoder: Any
    loss: Any
    lowest: Lowest | None


class Classifier(Network):
    """An encoder, its pooled vector and a linear head of our own. is_ragged: it gives logits to every token.
    reads_pairs: of texts.
    """

    is_ragged = False
    reads_pairs = False

    def __init__(
        self, encoder: nn.Module, hidden: int, labels: int, pooling: str, loss: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.dropout = nn.Dropout(HEAD_DROPOUT)
        self.head = nn.Linear(hidden, labels)
        self.loss = loss or CrossEntropy()
        self.lowest = None

    def embed(self, **inputs: Tensor) -> Tensor:
        """The pooled vector. inputs: int64 (B, T). Returns float (B, H)."""
        output = self.encoder(**inputs)
        if self.pooling == "pooler":
            return output.pooler_output  # type: ignore[no-any-return]
        if self.pooling == "cls":
            return output.last_hidden_state[:, 0]  # type: ignore[no-any-return]
        mask = inputs["attention_mask"].unsqueeze(-1).to(output.last_hidden_state.dtype)  # (B, T, 1)
        return (output.last_hidden_state * mask).sum(1) / mask.sum(1).clamp(min=1)  # type: ignore[no-any-return]

    def serve(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """What an artifact's graph gives: logits (B, C) before temperature and the pooled vector (B, H)."""
        pooled = self.embed(**inputs)
        return self.head(pooled), pooled

    def forward(
        self,
        labels: Tensor | None = None,
        features: Tensor | None = None,
        hidden: Tensor | None = None,
        **inputs: Tensor,
    ) -> dict[str, Tensor]:
        """Logits (B, C), and the loss where labels, as the task's truth has them, are given.

        features (B, H) are in for the encoder where it is frozen, hidden (B, T, H) for its lowest layers
        where they were taken off.
        """
        if hidden is not None and self.lowest is not None:
            self.lowest.given.hidden = hidden
        pooled = self.embed(**inputs) if features is None else features
        logits = self.head(self.dropout(pooled)).float()
        if labels is None:
            return {"logits": logits}
        return {"loss": self.loss(logits, labels), "logits": logits}


class Ranker(Classifier):
    """A cross-encoder: the encoder reads a prompt with one response, and the head gives it a score. Rows of a
    batch are such sets.
    """

    reads_pairs = True

    def forward(
        self,
        labels: Tensor | None = None,
        features: Tensor | None = None,
        hidden: Tensor | None = None,
        **inputs: Tensor,
    ) -> dict[str, Tensor]:
        """Scores (B, M), undefined where a row has no such response, and the loss where ranks (B, M) are
        given.

        inputs: int64 (B, M, T). features (B, M, H) are in for the encoder where it is frozen.
        """
        if features is not None:
            scores = self.head(self.dropout(features)).squeeze(-1).float()
        else:
            there = inputs["attention_mask"].any(-1)
            read = (
                self.head(self.dropout(self.embed(**{name: each[there] for name, each in inputs.items()})))
                .squeeze(-1)
                .float()
            )
            scores = read.new_zeros(there.shape).masked_scatter(there, read)
        return {"logits": scores} if labels is None else {"loss": self.loss(scores, labels), "logits": scores}


class TokenClassifier(Classifier):
    """An encoder, and the same linear head on the vector of each token. Its pooled vector is their mean,
    regardless of `pooling`.
    """

    is_ragged = True

    def embed(self, **inputs: Tensor) -> Tensor:
        """The vector of each token. inputs: int64 (B, T). Returns float (B, T, H)."""
        return self.encoder(**inputs).last_hidden_state  # type: ignore[no-any-return]

    def serve(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, K) before temperature and the mean of the tokens' vectors (B, H)."""
        hidden = self.embed(**inputs)
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)  # (B, T, 1)
        return self.head(hidden), (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
