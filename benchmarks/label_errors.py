"""Planted label errors in banking77: what the product's scan finds of them, against cleanlab used directly on the same probabilities.

`python -m benchmarks.label_errors`. The data (train.csv with the columns text and category) lies in $SHARED_DATA/banking77 or in
../shared/data/banking77. One label in twenty is replaced by another at random. The product's own program trains its small model in five
folds and judges; cleanlab gets the probabilities that it made, once with its settings as they come and once as its authors suggest for
ranking (low_self_confidence). At k, the number of planted errors, precision and recall are the same number: it must be no lower than
the better of the two. Some labels of banking77 are wrong on their own: no ranking reaches 1.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from datasets_app.datasets.rules import normal_digest
from datasets_app.scanning import guessing
from datasets_app.scanning.rules import FOLDS, SEED, TEXT_LIMIT

NOISE = 20  # one label in so many
ROOT = Path(__file__).parents[1]
DIRECT = {
    "cleanlab, as it comes": {"return_indices_ranked_by": "self_confidence"},
    "cleanlab, low_self_confidence": {"filter_by": "low_self_confidence", "return_indices_ranked_by": "self_confidence"},
}


def main() -> int:
    """Run it; 0 when the bar is met."""
    source = Path(os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data") / "banking77" / "train.csv"
    if not source.exists():
        print(f"There is no {source}. Put banking77 there, or set SHARED_DATA.", file=sys.stderr)
        return 2
    texts, given, planted = planted_errors(source)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = scanned(folder, texts, given)
        lines = (folder / "issues.jsonl").read_text(encoding="utf-8").splitlines()
        issues = [json.loads(line)["item"] for line in lines]
        kept, matrix = probabilities(folder)
    found = {"product": scores(issues, planted)}
    numbers = np.searchsorted(kept, given)
    for label, options in DIRECT.items():
        found[label] = scores(find_label_issues(numbers, matrix, n_jobs=1, **options).tolist(), planted)
    table(found, seconds, int(planted.sum()))
    bar = max(found[label]["at_k"] for label in DIRECT)
    met = found["product"]["at_k"] >= bar
    figures = {"rows": len(texts), "planted": int(planted.sum()), "seconds": round(seconds, 1), **found}
    ratio = round(found["product"]["at_k"] / bar, 4)
    print(json.dumps({"benchmark": "label_errors", "figures": figures, "ratio": ratio, "bar": bar, "met": met}))
    return 0 if met else 1


def planted_errors(source: Path) -> tuple[list[str], NDArray[np.int32], NDArray[np.bool_]]:
    """The texts, their labels as numbers of which one in twenty is another, and which."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["category"] for row in rows})
    true = np.array([names.index(row["category"]) for row in rows], dtype=np.int32)
    random = np.random.default_rng(7)
    changed = random.choice(len(true), len(true) // NOISE, replace=False)
    given = true.copy()
    given[changed] = (true[changed] + random.integers(1, len(names), len(changed))) % len(names)
    return [row["text"] for row in rows], given, given != true


def scanned(folder: Path, texts: list[str], given: NDArray[np.int32]) -> float:
    """Run the product's program as its job does. Returns the seconds that it took."""
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for at, (text, label) in enumerate(zip(texts, given.tolist(), strict=True)):
            file.write(json.dumps({"item": at, "form": normal_digest(text), "text": text[:TEXT_LIMIT], "label": label}) + "\n")
    (folder / "spec.json").write_text(json.dumps({"folds": FOLDS, "seed": SEED}), encoding="utf-8")
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", guessing.__name__, "label-errors", str(folder)], check=True, cwd=ROOT)
    return time.perf_counter() - began


def probabilities(folder: Path) -> tuple[list[int], NDArray[np.float32]]:
    """The classes and the probabilities (N, K) that the program wrote."""
    labels = guessing.divide(folder, FOLDS, SEED)
    return labels.kept, np.fromfile(folder / "guesses", dtype=np.float32).reshape(len(labels.given), len(labels.kept))


def scores(ranked: list[int], planted: NDArray[np.bool_]) -> dict[str, Any]:
    """How many of the rows that are named were planted, of all and of the first k."""
    hits = int(planted[ranked].sum())
    k = int(planted.sum())
    return {
        "named": len(ranked), "precision": round(hits / max(1, len(ranked)), 4), "recall": round(hits / k, 4),
        "at_k": round(int(planted[ranked[:k]].sum()) / k, 4),
    }  # fmt: skip


def table(found: dict[str, dict[str, Any]], seconds: float, k: int) -> None:
    """For people."""
    print(f"{'':32} {'named':>7} {'precision':>10} {'recall':>8} {f'at k={k}':>10}")
    for name, each in found.items():
        print(f"{name:32} {each['named']:>7,} {each['precision']:>10.3f} {each['recall']:>8.3f} {each['at_k']:>10.3f}")
    print(f"The product's program took {seconds:.1f} s.")


if __name__ == "__main__":
    sys.exit(main())
