"""What classification minimises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEAST = 1e-6


class CrossEntropy(nn.Module):
    """Cross entropy in nats, with classes weighted, targets smoothed, or easy rows counted less.

    weights: (C,), as balanced_weights gives them. smoothing: the share of a target that all classes divide evenly (0 to 1). gamma: of the
    focal loss, (1 - p)^gamma times each row's (Lin et al. 2017, arXiv:1708.02002); 0 = all rows count alike.
    """

    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, smoothing: float = 0.0, gamma: float = 0.0) -> None:
        super().__init__()
        self.smoothing, self.gamma = smoothing, gamma
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over rows, or their weighted mean. logits: float (B, C). labels: int64 (B,)."""
        if not self.gamma:
            return nn.functional.cross_entropy(logits, labels, weight=self.weights, label_smoothing=self.smoothing)
        own = nn.functional.log_softmax(logits, dim=-1).gather(1, labels.unsqueeze(1)).squeeze(1)  # log p of each row's own class
        unsure = (-torch.expm1(own)).clamp(min=LEAST)  # at zero, roots have no slope
        rows = -(unsure**self.gamma) * own
        if self.weights is None:
            return rows.mean()
        weights = self.weights[labels]
        return (rows * weights).sum() / weights.sum()

    def weight(self, labels: Tensor) -> float:
        """What rows weigh in a mean: how many there are, or their classes' weights together. labels: int64 (B,)."""
        return float(len(labels)) if self.weights is None else float(self.weights[labels].sum())
