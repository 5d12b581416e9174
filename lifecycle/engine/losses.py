"""What classification minimises."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAST = 1e-6
MOST_WEIGHT = 100.0  # a class of a few rows must not throw the weights off


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


def balanced_weights(targets: Sequence[int], classes: int) -> Tensor:
    """Weight of each class inversely to its count, mean 1 over rows; 1 for classes without rows."""
    counts = torch.bincount(torch.tensor(targets), minlength=classes).float()
    return torch.where(counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp(min=1)), torch.ones_like(counts))


class BinaryCrossEntropy(nn.Module):
    """Cross entropy of each class apart, yes or no, in nats.

    weights: (C,), how often a yes of each class counts, as positive_weights gives them. smoothing: targets are drawn so far (0 to 1) to a
    half, as Keras does. gamma: of the focal loss, (1 - p)^gamma times each decision's (Lin et al. 2017); 0 = all decisions count alike.
    """

    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, smoothing: float = 0.0, gamma: float = 0.0) -> None:
        super().__init__()
        self.smoothing, self.gamma = smoothing, gamma
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over rows and classes. logits: float (B, C). labels: bool (B, C)."""
        wanted = labels.to(logits.dtype) * (1 - self.smoothing) + self.smoothing / 2
        if not self.gamma:
            return nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=self.weights)
        each = nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=self.weights, reduction="none")
        unsure = torch.sigmoid(torch.where(labels, -logits, logits)).clamp(min=LEAST)  # 1 - p of what is true
        return (unsure**self.gamma * each).mean()

    def weight(self, labels: Tensor) -> float:
        """What rows weigh in a mean: how many there are. labels: (B, C)."""
        return float(len(labels))


def positive_weights(truth: Tensor) -> Tensor:
    """How many no of a class stand against one yes, from 1 to MOST_WEIGHT. truth: bool (N, C). Returns (C,)."""
    yes = truth.float().sum(dim=0)
    return ((len(truth) - yes) / yes.clamp(min=1)).clamp(1.0, MOST_WEIGHT)
