"""Rows as a model reads them, and batches of them as its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from lifecycle.runtime.engine.classifier import collate
from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.layers import Activations


@dataclass(frozen=True)
class Encoded:
    """Rows in file order, as their learner encodes them.

    ids: the token ids of each. labels: what the loss reads of each, an array (N, …), or an int64 (T,) for
    each, as long as its ids, with -100 where a token does not count. truth: what the scores read. offsets:
    where each token is in its text, and cut: whether the text continues behind them, where the learner asks.
    notes: diagnoses of them. shown: numbers of the rows that are shown while it trains; None: any few.
    """

    ids: Sequence[Sequence[int]]
    labels: Any
    truth: Any
    offsets: Sequence[Any] | None = None
    cut: Sequence[bool] = ()
    notes: Sequence[Diagnosis] = ()
    shown: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(each) for each in self.ids]


class EncodedRows(Dataset[dict[str, Any]]):
    """Rows as the trainer reads them: token ids, with what frozen layers give to each token where that is
    kept; or, where only the head learns, what the frozen encoder gives: one vector a row (N, H), or for each
    row one a token (T, H).
    """

    def __init__(
        self,
        encoded: Encoded,
        features: Tensor | Activations | None = None,
        hidden: Activations | None = None,
    ) -> None:
        self.encoded, self.features, self.hidden = encoded, features, hidden

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def lengths(self) -> list[int]:
        """By which rows share a batch: their tokens, or 1 where each is one vector."""
        return [1] * len(self) if isinstance(self.features, Tensor) else self.encoded.lengths

    def __getitem__(self, row: int) -> dict[str, Any]:
        labels = self.encoded.labels[row]
        if self.features is not None:
            return {"features": self.features[row], "labels": labels}
        found = {"input_ids": self.encoded.ids[row], "labels": labels}
        return found if self.hidden is None else found | {"hidden": self.hidden[row]}


def stacked(labels: Sequence[Any]) -> Tensor:
    """The labels of a batch whose rows have labels of one shape."""
    return torch.from_numpy(np.stack(labels))


@dataclass(frozen=True)
class Collate:
    """Batches of EncodedRows as model arguments. stack: how a learner makes one tensor of a batch's labels;
    pad: and of its token ids.
    """

    pad_id: int
    token_types: bool
    stack: Callable[[Sequence[Any]], Tensor] = stacked
    pad: Callable[..., dict[str, Tensor]] = collate

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Tensors of one batch, labels included."""
        labels = self.stack([row["labels"] for row in rows])
        if "features" in rows[0]:
            return {
                "features": pad_sequence([row["features"] for row in rows], batch_first=True),
                "labels": labels,
            }
        batch = {
            **self.pad([row["input_ids"] for row in rows], self.pad_id, token_types=self.token_types),
            "labels": labels,
        }
        if "hidden" in rows[0]:
            batch["hidden"] = pad_sequence([row["hidden"] for row in rows], batch_first=True)
        return batch
