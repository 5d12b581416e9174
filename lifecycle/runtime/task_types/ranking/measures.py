"""Agreement of a model's ranking of responses with annotators'. Only numpy; N rows, at most M responses each.

A model gives each response a score ("strength"). The difference of two scores gives the probability that the
first is better: 1 / (1 + e^-difference) (Bradley and Terry 1952).

pair_accuracy   share of pairs with a preference in which the preferred response has the higher score; 0.5 for
                equal scores
best_first      share of rows whose highest-scored response is ranked first
kendall_tau     mean over rows of Kendall's tau-b (1945), -1 to 1; 0 if all scores of a row are equal
ndcg            mean over rows, as in `ndcg`
log_loss        nats per pair; the target of a tie is 0.5, so it contributes at least ln 2
ece             over pairs, of the probability that the higher-scored response is better
accuracy_longer, accuracy_shorter    pair_accuracy where the longer or the shorter response (in characters) is
                                     preferred
longer_preferred  share of the pairs of different length in which the model prefers the longer
longer_surplus  longer_preferred minus the same share of annotators, on the same pairs

Pairs have equal weight, so rows with more responses count more. Rows of ties only count in log_loss.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration, metrics
from lifecycle.runtime.statistics.calibration import Binned
from lifecycle.runtime.statistics.metrics import ByClass, Floats, Ints
from lifecycle.runtime.task_types.measures import ECE, ECE_DEBIASED, LOG_LOSS, Measures, Metric, Metrics

PAIR_ACCURACY = Metric(
    "pair_accuracy",
    "Pairwise accuracy",
    meaning="pairs in which the preferred response has the higher score",
    hub="accuracy",
    is_share=True,
)
METRICS = Metrics(
    known=(
        PAIR_ACCURACY,
        Metric(
            "best_first",
            "Best response first",
            meaning="rows whose highest-scored response is ranked first",
            is_share=True,
        ),
        Metric(
            "kendall_tau",
            "Kendall's tau",
            words="Kendall's tau",
            meaning="rank correlation of whole rankings, −1 to 1",
        ),
        Metric(
            "ndcg", "NDCG", meaning="of the annotated order, its first places counting most", is_share=True
        ),
        replace(LOG_LOSS, meaning="nats per pair; ln 2 = 0.693 is chance"),
        replace(ECE, meaning="of the probability that the higher-scored response is preferred"),
        Metric(
            "accuracy_longer",
            "Accuracy, longer preferred",
            meaning="accuracy in pairs whose longer response is preferred",
            is_share=True,
        ),
        Metric(
            "accuracy_shorter",
            "Accuracy, shorter preferred",
            meaning="accuracy in pairs whose shorter response is preferred",
            is_share=True,
        ),
        Metric(
            "longer_preferred",
            "Longer response preferred",
            meaning="pairs in which the model prefers the longer response",
            is_share=True,
        ),
        ECE_DEBIASED,
    ),
    leading=PAIR_ACCURACY,
    trained=PAIR_ACCURACY,
    listed=PAIR_ACCURACY,
    strip=("pair_accuracy", "best_first", "kendall_tau", "ece"),
    beside=("pair_accuracy", "best_first"),
    compared=("pair_accuracy", "best_first", "kendall_tau", "ndcg", "log_loss"),
    watched=("pair_accuracy", "best_first", "ece"),
    drawn=("pair_accuracy", "best_first", "ece"),
    registered=("log_loss", "ece", "ece_debiased", "pair_accuracy", "best_first", "kendall_tau", "ndcg"),
    rounded="ndcg",
)
BASELINES = {
    "tfidf_logreg": "TF-IDF of responses + logistic regression",
    "first": "First response",
    "longer": "Longer response",
    "frozen_base_logreg": "Frozen pretrained base + logistic regression",
}
NONE = -1  # rank of a missing response


@dataclass(frozen=True)
class Ranked:
    """Annotated ranks of a row's responses. ranks: 0 is best; ties equal. lengths: characters of each.
    responses: their texts, if kept.
    """

    ranks: tuple[int, ...]
    lengths: tuple[int, ...]
    responses: tuple[str, ...] = ()

    @classmethod
    def of(cls, responses: Sequence[str], ranks: Sequence[int]) -> Ranked:
        """From texts."""
        return cls(tuple(ranks), tuple(map(len, responses)), tuple(responses))


@dataclass(frozen=True)
class Pairs:
    """All pairs of responses, concatenated over rows, all (P,). rows: row numbers. order: 1 if the first is
    preferred, -1 the second, 0 neither. difference: of scores, first minus second. longer: 1, -1, or 0 if the
    first is longer, shorter, or equal.
    """

    rows: Ints
    order: Ints
    difference: Floats
    longer: Ints

    @property
    def decided(self) -> Any:
        """Pairs with a preference (P,)."""
        return self.order != 0

    @property
    def right(self) -> Floats:
        """1 if the preferred response has the higher score, 0.5 for equal scores, else 0 (P,)."""
        return (np.sign(self.difference) == self.order) + 0.5 * (self.difference == 0)  # type: ignore[no-any-return]

    @property
    def confidence(self) -> Floats:
        """The model's probability that the higher-scored response is preferred, 0.5 to 1 (P,)."""
        return calibration.sigmoid(np.abs(self.difference))

    @property
    def loss(self) -> Floats:
        """Cross entropy in nats (P,)."""
        wanted = (1 + self.order) / 2
        return wanted * np.logaddexp(0, -self.difference) + (1 - wanted) * np.logaddexp(0, self.difference)  # type: ignore[no-any-return]


def padded(values: Sequence[Any], fill: float) -> Floats:
    """(N, M), padded for rows with fewer."""
    found = np.full((len(values), max(map(len, values), default=0)), fill, dtype=np.float64)
    for row, each in enumerate(values):
        found[row, : len(each)] = each
    return found


def of_rows(scores: Any, counts: Sequence[int]) -> Floats:
    """Scores (S,), one behind the other, as (N, M): NaN where a row has fewer."""
    return padded(np.split(np.asarray(scores, dtype=np.float64), np.cumsum(counts)[:-1]), np.nan)


def in_order(ranks: Sequence[int]) -> str:
    """A ranking by response numbers from 1, as "2 > 1 = 3"."""
    order = sorted(range(len(ranks)), key=lambda at: (ranks[at], at))
    text = str(order[0] + 1)
    for before, at in zip(order, order[1:], strict=False):
        text += f" {'=' if ranks[before] == ranks[at] else '>'} {at + 1}"
    return text


def pairs_of(strengths: Floats, truth: Sequence[Ranked]) -> Pairs:
    """All pairs. strengths: (N, M), NaN for missing responses."""
    ranks = padded([each.ranks for each in truth], NONE)
    lengths = padded([each.lengths for each in truth], 0)
    found: list[tuple[Any, ...]] = []
    for one, two in combinations(range(ranks.shape[1]), 2):
        rows = np.flatnonzero((ranks[:, one] != NONE) & (ranks[:, two] != NONE))
        first, second = (rows, one), (rows, two)
        found.append(
            (
                rows,
                np.sign(ranks[second] - ranks[first]),
                strengths[first] - strengths[second],
                np.sign(lengths[first] - lengths[second]),
            )
        )
    rows, order, difference, longer = (np.concatenate(each) for each in zip(*found, strict=True))
    return Pairs(rows.astype(np.int64), order.astype(np.int64), difference, longer.astype(np.int64))


@dataclass(frozen=True)
class ScoredRanks:
    """Rows ready for scoring: sums over each row's pairs (N,), and of calibration (N, bins); bins: over all
    rows.

    best, tau, ndcg: NaN for rows of ties. longer, shorter: (correct, pairs) where the longer or the shorter
    response is preferred.
    """

    right: Floats
    decided: Floats
    loss: Floats
    pairs: Floats
    best: Floats
    tau: Floats
    ndcg: Floats
    gap: Floats
    bins: Binned
    longer: tuple[Floats, Floats]
    shorter: tuple[Floats, Floats]
    chosen_longer: tuple[Floats, Floats]
    people_longer: Floats
    exact = None  # pairs are right or wrong, not rows

    def __len__(self) -> int:
        return len(self.pairs)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting of the rows. weights: (B, N), how often each row counts. Returns
        (B,), NaN if undefined.
        """
        known = ~np.isnan(self.best)

        def share(above: Floats, below: Floats) -> Floats:
            return _quotient(weights @ above, weights @ below)

        return {
            "pair_accuracy": share(self.right, self.decided),
            "best_first": share(np.where(known, self.best, 0.0), known.astype(np.float64)),
            "kendall_tau": share(np.where(known, self.tau, 0.0), known.astype(np.float64)),
            "ndcg": share(np.where(known, self.ndcg, 0.0), known.astype(np.float64)),
            "log_loss": share(self.loss, self.pairs),
            "ece": _quotient(np.abs(weights @ self.gap).sum(axis=1), weights @ self.decided),
            "accuracy_longer": share(*self.longer),
            "accuracy_shorter": share(*self.shorter),
            "longer_preferred": share(*self.chosen_longer),
            "longer_surplus": share(self.chosen_longer[0] - self.people_longer, self.chosen_longer[1]),
        }

    def binned(self) -> Binned:
        """Pairs with a preference, by the model's confidence in its preferred response."""
        return self.bins

    def by_class(self, weights: Floats) -> ByClass:
        """None: there are no labels."""
        return ByClass(*np.zeros((3, len(weights), 0)))


def _quotient(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def score(strengths: Floats, truth: Sequence[Ranked], bins: int = 15) -> ScoredRanks:
    """Statistics of each row. strengths: (N, M), calibrated, NaN for missing responses. Raises ValueError
    without rows.
    """
    if not len(truth) or len(strengths) != len(truth):
        raise ValueError(
            "The number of rows with scores and with truth must be equal and at least 1; got"
            f" {len(strengths)} and {len(truth)}."
        )
    pairs, rows = pairs_of(strengths, truth), len(truth)

    def summed(values: Any, where: Any = None) -> Floats:
        weights = np.asarray(values, dtype=np.float64) * (1.0 if where is None else where)
        return np.bincount(pairs.rows, weights=weights, minlength=rows).astype(np.float64)

    decided, one = pairs.decided, np.ones(len(pairs.rows))
    cell = pairs.rows * bins + calibration.bin_of(pairs.confidence, bins)
    gap = np.bincount(cell, weights=decided * (pairs.right - pairs.confidence), minlength=rows * bins).astype(
        np.float64
    )
    apart = decided & (pairs.longer != 0)
    longer, shorter = apart & (pairs.order == pairs.longer), apart & (pairs.order == -pairs.longer)
    chosen = (np.sign(pairs.difference) == pairs.longer) + 0.5 * (pairs.difference == 0)
    sided = summed(one, decided)
    has_pairs = sided > 0
    ranks = padded([each.ranks for each in truth], np.inf)
    strongest = np.where(np.isnan(strengths), -np.inf, strengths)[:, : ranks.shape[1]]
    top = strongest == strongest.max(axis=1, keepdims=True)
    first = ranks == ranks.min(axis=1, keepdims=True)
    best = (top & first).sum(axis=1) / top.sum(axis=1)  # any of the equally scored ones could be chosen
    tied = summed(one, pairs.difference == 0)
    every = summed(one)
    below = np.sqrt(sided * (every - tied))
    tau = metrics.ratio(summed(np.sign(pairs.difference) * pairs.order), below)
    return ScoredRanks(
        right=summed(pairs.right, decided),
        decided=sided,
        loss=summed(pairs.loss),
        pairs=every,
        best=np.where(has_pairs, best, np.nan),
        tau=np.where(has_pairs, tau, np.nan),
        ndcg=np.array([ndcg(each.ranks, row) for each, row in zip(truth, strengths, strict=True)]),
        gap=gap.reshape(rows, bins),
        bins=calibration.binned(pairs.confidence[decided], pairs.right[decided], bins),
        longer=(summed(pairs.right, longer), summed(one, longer)),
        shorter=(summed(pairs.right, shorter), summed(one, shorter)),
        chosen_longer=(summed(chosen, apart), summed(one, apart)),
        people_longer=summed(one, longer),
    )


def ndcg(ranks: Sequence[int], strengths: Floats) -> float:
    """Normalised discounted cumulative gain of a row (Järvelin and Kekäläinen 2002), 0 to 1; NaN for ties
    alone. A response's gain is the number of ranks below it; equal scores share their places' discounts
    (McSherry and Najork 2008). strengths: (M,), may be padded.
    """
    gains = np.unique(-np.asarray(ranks), return_inverse=True)[1].astype(np.float64)
    discounts = 1 / np.log2(np.arange(len(gains)) + 2)
    best = np.sort(gains)[::-1] @ discounts
    _, level, size = np.unique(-strengths[: len(gains)], return_inverse=True, return_counts=True)
    found = np.repeat(np.bincount(level, gains) / size, size) @ discounts
    return float(found / best) if best else math.nan


@dataclass(frozen=True)
class RankedAnswers:
    """A model's scores for annotated rankings, one per response. lengths: characters of the responses, whose
    texts aren't kept. clusters: as in `Predicted`.
    """

    ids: tuple[str, ...]
    ranks: tuple[tuple[int, ...], ...]
    lengths: tuple[tuple[int, ...], ...]
    strengths: tuple[tuple[float, ...], ...]
    clusters: Ints | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls, ids: Sequence[str], strengths: Floats, truth: Sequence[Ranked], clusters: Ints | None = None
    ) -> RankedAnswers:
        """From a model's scores (N, M)."""
        known = tuple(
            tuple(row[: len(each.ranks)].tolist()) for row, each in zip(strengths, truth, strict=True)
        )
        return cls(
            tuple(ids),
            tuple(each.ranks for each in truth),
            tuple(each.lengths for each in truth),
            known,
            clusters,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def truth(self) -> tuple[Ranked, ...]:
        """The scored rows, without texts."""
        return tuple(map(Ranked, self.ranks, self.lengths))

    @property
    def matrix(self) -> Floats:
        """Scores (N, M), NaN for rows with fewer responses."""
        return padded(self.strengths, np.nan)

    @property
    def scored(self) -> ScoredRanks:
        """Ready for scoring."""
        return score(self.matrix, self.truth)

    @property
    def surest_error(self) -> Floats:
        """The confidence of each row's most confident misranked pair (N,), 0.5 to 1; 0 if there is none."""
        pairs = pairs_of(self.matrix, self.truth)
        wrong = pairs.decided & (pairs.right < 1)
        found = np.zeros(len(self))
        np.maximum.at(found, pairs.rows[wrong], pairs.confidence[wrong])
        return found


class Ranking(Measures[RankedAnswers]):
    """Scored by pairs of responses."""

    metrics, baselines, per_row = METRICS, BASELINES, ("ids", "ranks", "lengths", "strengths", "clusters")
    stated = "response ranking; a pair is correct if the preferred response has the higher score"

    def score(self, rows: RankedAnswers, bins: int = 15) -> ScoredRanks:
        """As in the function of this name."""
        return score(rows.matrix, rows.truth, bins)

    def losses(self, rows: RankedAnswers) -> Floats:
        """Mean over pairs."""
        scored = self.score(rows)
        return metrics.mean_loss(scored.loss, scored.pairs)

    def truths(self, rows: RankedAnswers, labels: tuple[str, ...]) -> tuple[Hashable, ...]:
        """The annotated ranks."""
        return rows.ranks

    def parts(self, rows: RankedAnswers, scored: ScoredRanks, bins: int) -> dict[str, Any]:
        """The number of pairs, wrong_rows, reliability, and length preference.

        longer_preferred_by_people: share of the pairs of different length whose longer response annotators
        prefer; None without such pairs.
        """
        pairs = pairs_of(rows.matrix, rows.truth)
        decided = pairs.decided
        apart = decided & (pairs.longer != 0)
        together = np.arange(len(rows)) if rows.clusters is None else rows.clusters
        return {
            "pairs": int(decided.sum()),
            "ties": int((~decided).sum()),
            "apart": int(apart.sum()),
            "wrong_rows": int((scored.right < scored.decided).sum()),
            "longer_preferred_by_people": (
                float((pairs.order == pairs.longer)[apart].mean()) if apart.any() else None
            ),
            "reliability": calibration.reliability(
                pairs.confidence[decided], pairs.right[decided], bins, together[pairs.rows[decided]]
            ),
        }


ENTRY = Ranking("ranking")
