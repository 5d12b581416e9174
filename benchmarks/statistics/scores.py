"""Scores of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, covers
from benchmarks.statistics.worlds import UNEVEN, Ints, alike_within, as_its_cluster, codes_of, holds, world_of
from lifecycle.runtime.statistics import bootstrap, comparisons, metrics


def scores(draw: Draw) -> Iterator[Row]:
    """Accuracy and macro-F1 of a model with 99 or 85 % accuracy; 300 resamples instead of the product's
    1,000.
    """
    worlds = (
        ("accuracy", 30, 2, 0.99),
        ("accuracy", 100, 2, 0.99),
        ("accuracy", 1000, 2, 0.85),
        ("macro_f1", 800, 77, 0.85),
    )
    for name, n, classes, right in worlds:
        runs, resampled = draw.runs(400), 300
        ours, peer = [], []
        for run in range(runs):
            truth = draw.random.integers(0, classes, n)
            predicted = (
                truth + (draw.random.random(n) >= right) * draw.random.integers(1, classes, n)
            ) % classes
            rows = metrics.score_rows(np.eye(classes)[predicted], truth)
            ours.append(bootstrap.bootstrap(rows, resampled, run)[name])
            drawn = np.concatenate(
                [metrics.aggregate(rows, weights)[name] for weights in bootstrap.resamples(n, resampled, run)]
            )
            peer.append(tuple(np.percentile(drawn, (2.5, 97.5))))
        named = (
            name.replace("_f1", "-F1"),
            f"independent, right in {100 * right:g} %",
            f"{n:,} rows, {classes} classes",
        )
        yield covers(
            named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "percentile bootstrap"
        )


def scores_of_clusters(draw: Draw) -> Iterator[Row]:
    """Accuracy of near duplicates in clusters of five, and two equally good models on the same rows; 300
    resamples instead of the product's 1,000. A row is like the rest of its cluster, independently for the two
    models.
    """
    size, resampled, right = 5, 300, 0.85
    for clusters in (40, 160):
        for icc in (0.0, 0.8):
            runs, setting = draw.runs(400), f"{clusters} × {size}"
            codes, none = np.repeat(np.arange(clusters), size), np.zeros(clusters * size)
            ours, peer, apart, rows_apart = [], [], [], []
            for run in range(runs):
                own = alike_within(draw, (2, clusters), right, icc)[:, codes]
                predicted = (draw.random.random(own.shape) >= own).astype(np.int64)
                one, two = (
                    metrics.Scored(none.astype(np.int64), each, none, none, none, 2, 15) for each in predicted
                )
                for by, found, pairs in ((codes, ours, apart), (None, peer, rows_apart)):
                    found.append(bootstrap.bootstrap(one, resampled, run, by)["accuracy"])
                    both = comparisons.paired_rows(
                        one, two, ["accuracy"], labels=None, count=resampled, seed=run, clusters=by
                    )["accuracy"]
                    pairs.append((both["low"], both["high"]))
            named = "accuracy, by cluster", world_of(icc), setting
            yield covers(named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "resampled rows")
            named = "paired difference, by cluster", world_of(icc), setting
            yield covers(
                named, runs, holds(apart, 0.0).mean(), holds(rows_apart, 0.0).mean(), "resampled rows"
            )


def scores_of_uneven_clusters(draw: Draw) -> Iterator[Row]:
    """Accuracy and macro-F1 of four labels where groups of near duplicates have one label and mostly equal
    predictions; 300 resamples instead of the product's 1,000. A row follows its group with probability √.8,
    for an ICC of .8.
    """
    groups, n, right, icc = 100, 500, 0.85, 0.8
    for shape in ("even", *UNEVEN):
        runs, found = draw.runs(500), {"accuracy": ([], []), "macro_f1": ([], [])}
        for run in range(runs):
            codes = codes_of(draw, shape, groups, n)
            rows = answered(draw, codes, right, icc)
            for rule, by in enumerate((codes, None)):
                ends = bootstrap.bootstrap(rows, 300, run, by)
                for name, kept in found.items():
                    kept[rule].append(ends[name])
        for name, (ours, peer) in found.items():
            named = (
                f"{name.replace('_f1', '-F1')}, by cluster",
                f"{shape}, ICC {icc:g}",
                f"{groups} groups, {n} rows, 4 classes",
            )
            yield covers(named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "resampled rows")


def answered(draw: Draw, codes: Ints, right: float, icc: float, classes: int = 4) -> metrics.Scored:
    """Rows of groups, scored. codes: number of each row's group (N,). A group has one label, all labels are
    equally frequent, and wrong predictions are uniform over the other labels, so that the true accuracy and
    macro-F1 are both `right`.
    """
    groups, luck = int(codes.max()) + 1, as_its_cluster(draw, codes, icc)
    truth, hit, wrong = draw.random.integers(0, classes, groups)[codes], luck() < right, luck()
    predicted = (truth + ~hit * (1 + (wrong * (classes - 1)).astype(np.int64))) % classes
    return metrics.score_rows(np.eye(classes)[predicted], truth)


def macro_f1_of_rare_labels(draw: Draw) -> Iterator[Row]:
    """Macro-F1 of independent rows where the k-th label is 1/k as frequent as the first; 300 resamples
    instead of the product's 1,000.
    """
    right = 0.85
    for n, classes in ((300, 10), (1000, 20)):
        runs, often = draw.runs(500), 1 / np.arange(1, classes + 1)
        often /= often.sum()
        given = often * right + (1 - often) * (1 - right) / (classes - 1)
        true, ours, peer = float((2 * often * right / (often + given)).mean()), [], []
        for run in range(runs):
            truth = draw.random.choice(classes, n, p=often)
            predicted = (
                truth + (draw.random.random(n) >= right) * draw.random.integers(1, classes, n)
            ) % classes
            rows = metrics.score_rows(np.eye(classes)[predicted], truth)
            ours.append(bootstrap.bootstrap(rows, 300, run)["macro_f1"])
            drawn = np.concatenate(
                [metrics.aggregate(rows, weights)["macro_f1"] for weights in bootstrap.resamples(n, 300, run)]
            )
            peer.append(tuple(np.percentile(drawn, (2.5, 97.5))))
        named = ("macro-F1", "independent, labels by Zipf", f"{n:,} rows, {classes} classes")
        yield covers(named, runs, holds(ours, true).mean(), holds(peer, true).mean(), "percentile bootstrap")


CASES: tuple[Case, ...] = (scores, scores_of_clusters, scores_of_uneven_clusters, macro_f1_of_rare_labels)
