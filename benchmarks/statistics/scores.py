"""Scores of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, covers
from benchmarks.statistics.worlds import alike_within, holds, world_of
from lifecycle.statistics import metrics


def scores(draw: Draw) -> Iterator[Row]:
    """Accuracy and macro-F1 of a model that is right in 99 or 85 %; 300 resamples stand for the product's 1,000."""
    worlds = ("accuracy", 30, 2, 0.99), ("accuracy", 100, 2, 0.99), ("accuracy", 1000, 2, 0.85), ("macro_f1", 800, 77, 0.85)
    for name, n, classes, right in worlds:
        runs, resampled = draw.runs(400), 300
        ours, peer = [], []
        for run in range(runs):
            truth = draw.random.integers(0, classes, n)
            said = (truth + (draw.random.random(n) >= right) * draw.random.integers(1, classes, n)) % classes
            rows = metrics.score_rows(np.eye(classes)[said], truth)
            ours.append(metrics.bootstrap(rows, resampled, run)[name])
            drawn = np.concatenate([metrics.aggregate(rows, weights)[name] for weights in metrics.resamples(n, resampled, run)])
            peer.append(tuple(np.percentile(drawn, (2.5, 97.5))))
        named = (name.replace("_f1", "-F1"), f"independent, right in {100 * right:g} %", f"{n:,} rows, {classes} classes")
        yield covers(named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "percentile bootstrap")


def scores_of_clusters(draw: Draw) -> Iterator[Row]:
    """Accuracy of near duplicates in clusters of five, and two models on the same rows that are equally good; 300 resamples stand for the
    product's 1,000. A row is as the rest of its cluster, which two models answer apart."""
    size, resampled, right = 5, 300, 0.85
    for clusters in (40, 160):
        for icc in (0.0, 0.8):
            runs, told = draw.runs(400), f"{clusters} × {size}"
            codes, none = np.repeat(np.arange(clusters), size), np.zeros(clusters * size)
            ours, peer, apart, rows_apart = [], [], [], []
            for run in range(runs):
                own = alike_within(draw, (2, clusters), right, icc)[:, codes]
                said = (draw.random.random(own.shape) >= own).astype(np.int64)
                one, two = (metrics.Scored(none.astype(np.int64), each, none, none, none, 2, 15) for each in said)
                for by, found, pairs in ((codes, ours, apart), (None, peer, rows_apart)):
                    found.append(metrics.bootstrap(one, resampled, run, by)["accuracy"])
                    both = metrics.paired_rows(one, two, ["accuracy"], labels=None, count=resampled, seed=run, clusters=by)["accuracy"]
                    pairs.append((both["low"], both["high"]))
            named = "accuracy, by cluster", world_of(icc), told
            yield covers(named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "resampled rows")
            named = "paired difference, by cluster", world_of(icc), told
            yield covers(named, runs, holds(apart, 0.0).mean(), holds(rows_apart, 0.0).mean(), "resampled rows")


CASES: tuple[Case, ...] = (scores, scores_of_clusters)
