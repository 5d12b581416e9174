"""What is minimised where there are labels, or responses in order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lifecycle.runtime.engine.data import NOT_COUNTED

LEAST = 1e-6
MOST_WEIGHT = 100.0  # a class of a few rows must not throw the weights off


class Loss(nn.Module):
    """Of logits and the labels of a batch's rows, a mean over what they weigh."""

    def weight(self, labels: Tensor) -> float:
        """What these rows weigh in a mean."""
        raise NotImplementedError

    def usual(self, labels: Tensor) -> float:
        """What as many rows usually weigh, by which a step is divided."""
        return self.weight(labels)


class CrossEntropy(Loss):
    """Cross entropy in nats, with classes weighted, targets smoothed, or easy rows counted less.

    weights: (C,), as balanced_weights gives them. smoothing: the share of a target that all classes divide
    evenly (0 to 1). gamma: of the focal loss, (1 - p)^gamma times each row's (Lin et al. 2017,
    arXiv:1708.02002); 0 = all rows count alike.
    """

    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, smoothing: float = 0.0, gamma: float = 0.0) -> None:
        super().__init__()
        self.smoothing, self.gamma = smoothing, gamma
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over rows, or their weighted mean. logits: float (B, C). labels: int64 (B,)."""
        if not self.gamma:
            return nn.functional.cross_entropy(
                logits, labels, weight=self.weights, label_smoothing=self.smoothing
            )
        # log p of each row's own class
        own = nn.functional.log_softmax(logits, dim=-1).gather(1, labels.unsqueeze(1)).squeeze(1)
        unsure = (-torch.expm1(own)).clamp(min=LEAST)  # at zero, roots have no slope
        rows = -(unsure**self.gamma) * own
        if self.weights is None:
            return rows.mean()
        weights = self.weights[labels]
        return (rows * weights).sum() / weights.sum()

    def weight(self, labels: Tensor) -> float:
        """What rows weigh in a mean: how many there are, or their classes' weights together. labels: int64
        (B,).
        """
        return (
            float(len(labels))
            if self.weights is None
            else float(self.weights[labels.to(self.weights.device)].sum())
        )


def balanced_weights(targets: Sequence[int], classes: int) -> Tensor:
    """Weight of each class inversely to its count, mean 1 over rows; 1 for classes without rows."""
    counts = torch.bincount(torch.tensor(targets), minlength=classes).float()
    return torch.where(
        counts > 0, counts.sum() / ((counts > 0).sum() * counts.clamp(min=1)), torch.ones_like(counts)
    )


class BinaryCrossEntropy(Loss):
    """Cross entropy of each class apart, yes or no, in nats.

    weights: (C,), how often a yes of each class counts, as positive_weights gives them. smoothing: targets
    are drawn so far (0 to 1) to a half, as Keras does. gamma: of the focal loss, (1 - p)^gamma times each
    decision's (Lin et al. 2017); 0 = all decisions count alike.
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
        each = nn.functional.binary_cross_entropy_with_logits(
            logits, wanted, pos_weight=self.weights, reduction="none"
        )
        unsure = torch.sigmoid(torch.where(labels, -logits, logits)).clamp(min=LEAST)  # 1 - p of what is true
        return (unsure**self.gamma * each).mean()

    def weight(self, labels: Tensor) -> float:
        """What rows weigh in a mean: how many there are. labels: (B, C)."""
        return float(len(labels))


def positive_weights(truth: Tensor) -> Tensor:
    """How many no of a class stand against one yes, from 1 to MOST_WEIGHT. truth: bool (N, C). Returns
    (C,).
    """
    yes = truth.float().sum(dim=0)
    return ((len(truth) - yes) / yes.clamp(min=1)).clamp(1.0, MOST_WEIGHT)


class TokenCrossEntropy(Loss):
    """Cross entropy of each token's tag in nats, over the tokens that count. inner: of tokens as rows.
    of_row: what a row's tokens weigh together, in the mean over all training rows.
    """

    def __init__(self, inner: CrossEntropy, of_row: float | None = None) -> None:
        super().__init__()
        self.inner, self.of_row = inner, of_row

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the tokens, or their weighted mean; 0 where none counts. logits: float (B, T, K).
        labels: int64 (B, T), -100 where a token does not count.
        """
        counted = labels != NOT_COUNTED
        if not counted.any():
            return logits.sum() * 0.0
        mean: Tensor = self.inner(logits[counted], labels[counted])
        return mean

    def weight(self, labels: Tensor) -> float:
        """What the tokens weigh in a mean. labels: (B, T)."""
        return self.inner.weight(labels[labels != NOT_COUNTED])

    def usual(self, labels: Tensor) -> float:
        """As the tokens of so many training rows weigh on average, so that a token counts as much in a batch
        of long texts as in one of short ones. labels: (B, T).
        """
        return self.weight(labels) if self.of_row is None else len(labels) * self.of_row


def tag_weights(tags: Tensor, classes: int) -> Tensor:
    """Weight of each tag (1 + 2 classes,): a class's inversely to its tokens, mean 1 over all tokens in
    spans, up to MOST_WEIGHT; 1 of the tag of no span, since as rare as spans are, what evens it out would
    find them everywhere. tags: int64 (M,), of the tokens that count.
    """
    inside = tags[tags > 0]
    weights = (
        balanced_weights(((inside - 1) // 2).tolist(), classes).clamp(max=MOST_WEIGHT)
        if len(inside)
        else torch.ones(classes)
    )
    return torch.cat([torch.ones(1), weights.repeat_interleave(2)])


class RankLoss(Loss):
    """Cross entropy in nats of which of two responses is better, by the difference of their scores (Bradley
    and Terry 1952), over all pairs of a row, as Burges et al. 2005 (RankNet) and Ouyang et al. 2022
    (arXiv:2203.02155, §3.4). Equal ones want a half.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over rows of the mean over their pairs. logits: float (B, M), a score of each response.
        labels: int64 (B, M), its rank, 0 the best; -100 where a row has no such response.
        """
        there = labels != NOT_COUNTED
        pairs = (there.unsqueeze(2) & there.unsqueeze(1)).triu(1)  # (B, M, M)
        difference = logits.unsqueeze(2) - logits.unsqueeze(1)
        wanted = (1 + torch.sign(labels.unsqueeze(1) - labels.unsqueeze(2)).to(logits.dtype)) / 2
        each = nn.functional.binary_cross_entropy_with_logits(difference, wanted, reduction="none") * pairs
        return (each.sum((1, 2)) / pairs.sum((1, 2))).mean()

    def weight(self, labels: Tensor) -> float:
        """What rows weigh in a mean: how many there are. labels: (B, M)."""
        return float(len(labels))
