"""Scores of predicted spans; a span is correct if its place and label match. Only numpy; the counterpart of
`metrics`.

Precision, recall, and F1 follow seqeval's strict IOB2. Macro averages cover the labels in truth or
predictions. Intervals resample texts. Confidence is that of predicted spans, which are right or wrong; log
loss is that of every token's tag.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import calibration, metrics
from lifecycle.runtime.statistics.calibration import Binned
from lifecycle.runtime.statistics.metrics import ByClass, Floats, Ints
from lifecycle.runtime.task_types.measures import CALIBRATION, LOG_LOSS, OF_LABELS, Measures, Metric, Metrics
from lifecycle.runtime.task_types.spans.tagging import Found, Marked, Span, Tokens, find, tag, unreachable

MICRO_F1 = Metric("micro_f1", "Micro-F1", words="micro-F1 of spans", is_share=True)
METRICS = Metrics(
    known=(
        Metric("macro_f1", "Macro-F1", words="macro-F1 of spans", hub="f1", is_share=True),
        MICRO_F1,
        Metric("micro_precision", "Micro precision", is_share=True),
        Metric("micro_recall", "Micro recall", is_share=True),
        Metric("exact_texts", "Texts with every span correct", is_share=True),
        *(*OF_LABELS, LOG_LOSS, *CALIBRATION),
    ),
    leading=MICRO_F1,
    trained=MICRO_F1,
    listed=MICRO_F1,
    strip=("micro_f1", "macro_f1", "micro_precision", "micro_recall"),
    beside=("micro_f1", "macro_f1"),
    compared=("micro_f1", "micro_precision", "micro_recall", "macro_f1", "exact_texts", "log_loss"),
    watched=("micro_f1", "micro_precision", "micro_recall", "macro_f1", "exact_texts", "ece"),
    drawn=("micro_f1", "macro_f1", "ece"),
    registered=(
        *(
            "macro_f1",
            "micro_f1",
            "micro_precision",
            "micro_recall",
            "exact_texts",
            "weighted_f1",
            "log_loss",
            "ece",
            "ece_debiased",
        ),
    ),
)
BASELINES = {
    "majority": "Predicting no spans",
    "dictionary": "Dictionary of the training spans",
    "frozen_base_logreg": "Frozen pretrained base + logistic regression of each token",
}
KINDS = ("exact", "boundary", "class", "both", "missed", "invented")


@dataclass(frozen=True)
class Match:
    """A true span with the one predicted for it. kind: exact; boundary (right label, overlapping place);
    class (right place, wrong label); both (overlapping, wrong label); missed (found is None); invented (true
    is None).
    """

    kind: str
    true: Span | None
    found: Found | None


def matches(true: Sequence[Span], found: Sequence[Found]) -> list[Match]:
    """Match every true and predicted span once: exact matches first, then same place, then largest overlap
    with the same label, then largest overlap with another; ties go to the first.
    """
    open_true, open_found, done = list(true), list(found), []
    for kind, fits in (
        ("exact", _same),
        ("class", _same_place),
        ("boundary", _overlap_of_one_class),
        ("both", _overlap),
    ):
        pairs = [
            (-size, one, at)
            for one in open_true
            for at, other in enumerate(open_found)
            if (size := fits(one, other.span))
        ]
        taken: set[int] = set()
        for _, one, at in sorted(pairs):
            if one in open_true and at not in taken:
                open_true.remove(one)
                taken.add(at)
                done.append(Match(kind, one, open_found[at]))
        open_found = [each for at, each in enumerate(open_found) if at not in taken]
    done += [Match("missed", each, None) for each in open_true] + [
        Match("invented", None, each) for each in open_found
    ]
    return sorted(done, key=_place)


def _place(match: Match) -> Span:
    return match.true or (match.found.span if match.found else (0, 0, 0))


def _same(one: Span, other: Span) -> int:
    return int(one == other)


def _same_place(one: Span, other: Span) -> int:
    return int(one[:2] == other[:2])


def _overlap(one: Span, other: Span) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _overlap_of_one_class(one: Span, other: Span) -> int:
    return _overlap(one, other) if one[2] == other[2] else 0


@dataclass(frozen=True)
class ScoredSpans:
    """Texts ready for scoring. hits, held, called: (N, C), spans of each label that are correct, true, and
    predicted; loss, tokens: (N,), summed token losses in nats, and token counts; counts, right, sums: (N,
    bins), predicted spans per bin of confidence, how many are correct, and the sum of their confidences.
    """

    hits: Floats
    held: Floats
    called: Floats
    loss: Floats
    tokens: Floats
    counts: Floats
    right: Floats
    sums: Floats

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Texts with exactly the right spans (N,)."""
        same: NDArray[np.bool_] = (self.hits == self.held).all(axis=1) & (self.hits == self.called).all(
            axis=1
        )
        return same

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting of the texts. weights: (B, N), how often each text counts. Returns
        (B,) arrays.
        """
        found = self.by_class(weights)
        shown = found.occurs.sum(axis=1).astype(np.float64)
        every, all_held, all_called = (each.sum(axis=1) for each in found)
        gap = np.abs(weights @ (self.right - self.sums)).sum(axis=1)
        return {
            "micro_f1": metrics.ratio(2 * every, all_held + all_called),
            "micro_precision": metrics.ratio(every, all_called),
            "micro_recall": metrics.ratio(every, all_held),
            "macro_f1": metrics.ratio(found.f1.sum(axis=1), shown),
            "macro_precision": metrics.ratio(found.precision.sum(axis=1), shown),
            "macro_recall": metrics.ratio(found.recall.sum(axis=1), shown),
            "weighted_f1": metrics.ratio((found.f1 * found.true).sum(axis=1), all_held),
            "exact_texts": weights @ self.exact / weights.sum(axis=1),
            "log_loss": metrics.ratio(weights @ self.loss, weights @ self.tokens),
            "ece": metrics.ratio(gap, (weights @ self.counts).sum(axis=1)),
        }

    def binned(self) -> Binned:
        """Predicted spans by confidence."""
        return Binned(self.counts.sum(axis=0), self.right.sum(axis=0), self.sums.sum(axis=0))

    def by_class(self, weights: Floats) -> ByClass:
        """Spans of each label under each weighting."""
        return ByClass(*(weights @ each for each in (self.hits, self.held, self.called)))


def token_losses(probabilities: Tokens, truth: Sequence[Marked]) -> tuple[Floats, Floats]:
    """Negative log-probability of each token's true tag, summed over a text, in nats, and its number of
    tokens: (N,) each.
    """
    losses, counts = np.zeros(len(truth)), np.zeros(len(truth))
    for row, (values, offsets, marked) in enumerate(
        zip(probabilities.values, probabilities.offsets, truth, strict=True)
    ):
        if len(values):
            losses[row] = calibration.log_loss_rows(values, tag(marked.spans, offsets)).sum()
            counts[row] = len(values)
    return losses, counts


def score_spans(
    found: Sequence[Sequence[Found]],
    truth: Sequence[Sequence[Span]],
    loss: Floats,
    tokens: Floats,
    classes: int,
    bins: int = 15,
) -> ScoredSpans:
    """Texts with predicted and true spans, and the losses of their tokens. Raises ValueError without
    texts.
    """
    rows = len(truth)
    if not rows or len(found) != rows:
        raise ValueError(
            f"Scores need predicted and true spans of the same N texts, N > 0; got {len(found)} and {rows}."
        )
    hits, held, called = (np.zeros((rows, classes)) for _ in range(3))
    counts, right, sums = (np.zeros((rows, bins)) for _ in range(3))
    for row, (some, true) in enumerate(zip(found, truth, strict=True)):
        known = set(true)
        for _, _, label in true:
            held[row, label] += 1
        for each in some:
            is_right = each.span in known
            called[row, each.label] += 1
            hits[row, each.label] += is_right
            at = calibration.bin_of(np.array([each.confidence]), bins)[0]
            counts[row, at] += 1
            right[row, at] += is_right
            sums[row, at] += each.confidence
    return ScoredSpans(hits, held, called, loss, tokens, counts, right, sums)


def score(probabilities: Tokens, truth: Sequence[Marked], classes: int, bins: int = 15) -> ScoredSpans:
    """As in `score_spans`, from a model's token outputs."""
    return score_spans(
        find(probabilities),
        [each.spans for each in truth],
        *token_losses(probabilities, truth),
        classes,
        bins,
    )


def confusion(every: Sequence[Match], classes: int) -> Ints:
    """Counts (C + 1, C + 1): a row is a true label, a column the predicted one; the last row counts spurious
    spans, the last column missed ones. Spans with the right label and wrong boundaries are on the diagonal.
    """
    counts = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for each in every:
        counts[each.true[2] if each.true else classes, each.found.label if each.found else classes] += 1
    return counts


def per_class(rows: ScoredSpans, every: Sequence[Match], labels: Sequence[str]) -> list[dict[str, Any]]:
    """One entry per label: support, predicted, precision, recall, f1, and its spans by kind of match;
    spurious spans count for the predicted label, all others for the true one. Ratios with a zero denominator
    are 0.
    """
    kinds = [dict.fromkeys(KINDS, 0) for _ in labels]
    for each in every:
        kinds[each.true[2] if each.true else each.found.label if each.found else 0][each.kind] += 1
    hits, held, called = (each.sum(axis=0) for each in (rows.hits, rows.held, rows.called))
    return [
        {
            "label": label,
            "support": int(held[at]),
            "predicted": int(called[at]),
            "precision": float(hits[at] / called[at]) if called[at] else 0.0,
            "recall": float(hits[at] / held[at]) if held[at] else 0.0,
            "f1": float(2 * hits[at] / (held[at] + called[at])) if held[at] + called[at] else 0.0,
            **kinds[at],
        }
        for at, label in enumerate(labels)
    ]


@dataclass(frozen=True)
class Lost:
    """True spans that can't be found: beyond the maximum length (and in how many texts), or not aligned with
    tokens; and those excluded because they overlap a longer one.
    """

    beyond: int = 0
    texts_beyond: int = 0
    inexact: int = 0
    overlapping: int = 0


def lost(probabilities: Tokens, truth: Sequence[Marked]) -> Lost:
    """Over all texts."""
    cut = probabilities.cut or (False,) * len(truth)
    some = [
        unreachable(each.spans, at, cut=is_cut)
        for each, at, is_cut in zip(truth, probabilities.offsets, cut, strict=True)
    ]
    beyond, inexact = [each[0] for each in some], [each[1] for each in some]
    return Lost(
        sum(beyond), sum(each > 0 for each in beyond), sum(inexact), sum(each.overlapping for each in truth)
    )


@dataclass(frozen=True)
class SpanPredictions:
    """A model's spans in N texts. truth, found: of each text. loss, tokens: (N,), summed token losses in
    nats, and token counts. clusters: as in `Predicted`. lost: spans that can't be found, which files don't
    store.
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: tuple[tuple[Span, ...], ...]
    found: tuple[tuple[Found, ...], ...]
    loss: Floats
    tokens: Floats
    clusters: Ints | None = None
    lost: Lost = Lost()

    @classmethod
    def of(
        cls,
        labels: tuple[str, ...],
        ids: Sequence[str],
        probabilities: Tokens,
        truth: Sequence[Marked],
        clusters: Ints | None = None,
    ) -> SpanPredictions:
        """From a model's token outputs."""
        found, true = tuple(map(tuple, find(probabilities))), tuple(each.spans for each in truth)
        return cls(
            labels,
            tuple(ids),
            true,
            found,
            *token_losses(probabilities, truth),
            clusters,
            lost(probabilities, truth),
        )


class Spans(Measures[SpanPredictions]):
    """Scored by place and label."""

    metrics, baselines, reference = METRICS, BASELINES, ("dictionary", "a dictionary")
    stated = "labeled spans; a span is correct if its position and label match"
    per_row = ("ids", "truth", "found", "loss", "tokens", "clusters")

    def score(self, rows: SpanPredictions, bins: int = 15) -> ScoredSpans:
        """As `score_spans`."""
        return score_spans(rows.found, rows.truth, rows.loss, rows.tokens, len(rows.labels), bins)

    def losses(self, rows: SpanPredictions) -> Floats:
        """Mean over the tokens' tags."""
        return metrics.mean_loss(rows.loss, rows.tokens)

    def truths(self, rows: SpanPredictions, labels: tuple[str, ...]) -> list[Hashable]:
        """The spans of a text, in any order."""
        number = [labels.index(label) for label in rows.labels]
        return [frozenset((start, end, number[label]) for start, end, label in some) for some in rows.truth]

    def under(self, rows: SpanPredictions, labels: tuple[str, ...]) -> SpanPredictions:
        """With renumbered labels."""
        number = [labels.index(label) for label in rows.labels]
        truth = tuple(tuple((start, end, number[label]) for start, end, label in some) for some in rows.truth)
        found = tuple(tuple(replace(each, label=number[each.label]) for each in some) for some in rows.found)
        return replace(rows, labels=labels, truth=truth, found=found)

    def compared(self, one: Any, two: Any) -> list[str]:
        """Without log loss if the models read different tokens, as their losses aren't comparable."""
        alike = np.array_equal(one.tokens, two.tokens)
        return [name for name in self.metrics.compared if alike or name != "log_loss"]

    def parts(self, rows: SpanPredictions, scored: ScoredSpans, bins: int) -> dict[str, Any]:
        """The number of spans, per_class, confusion, kinds of matches, reliability of predicted spans, and
        `lost`.
        """
        together = [matches(true, some) for true, some in zip(rows.truth, rows.found, strict=True)]
        every = [match for some in together for match in some]
        sure, right = _certainty(every)
        clusters = np.arange(len(scored)) if rows.clusters is None else rows.clusters
        texts = np.repeat(clusters, [sum(each.found is not None for each in some) for some in together])
        return {
            "spans": {"true": int(scored.held.sum()), "found": int(scored.called.sum())},
            "wrong_rows": int((~scored.exact).sum()),
            "lost": asdict(rows.lost),
            "kinds": {kind: sum(each.kind == kind for each in every) for kind in KINDS},
            "per_class": per_class(scored, every, rows.labels),
            "confusion": {"labels": list(rows.labels), "counts": confusion(every, len(rows.labels)).tolist()},
            "reliability": calibration.reliability(sure, right, bins, texts),
        }


def _certainty(every: Sequence[Match]) -> tuple[Floats, Floats]:
    """Confidence of each predicted span, and 1.0 if it is correct."""
    some = [(each.found.confidence, each.kind == "exact") for each in every if each.found]
    return np.array([sure for sure, _ in some], dtype=np.float64), np.array(
        [right for _, right in some], dtype=np.float64
    )


ENTRY = Spans("spans")
