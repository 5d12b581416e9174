"""Fit the built-in model: `python -m datasets_app.assist.learning fit DIR`. A program without Django.

It reads spec.json {"features": "vectors" | "words", "classes": K, "many": whether a text has any number of
classes, "seed"}; train.jsonl, one {"labels": [number], "text"} a line; pool.jsonl, one {"text"} a line; for
vectors train.npy (N, H) and pool.npy (M, H) instead of the texts. It fits logistic regression, one against
the rest where a text has many classes, and writes scores.jsonl, one {"margin", "best": [[number,
probability], …]} for each row of the pool, and result.json with the accuracy under cross-validation.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from lifecycle.runtime.engine.events import EventWriter, write_json
from lifecycle.runtime.engine.program import leave_with_parent

STRENGTH = {"vectors": 30.0, "words": 10.0}
ITERATIONS, TOLERANCE, FEATURES = 100, 1e-3, 20_000
FOLDS, FOLDS_OF_MANY, MANY_ROWS = 5, 3, 3_000
# suggested classes; from which probability beside the likeliest; and where a text has any number
SHOWN, LEAST, HALF = 3, 0.05, 0.5
PAIRS, UNSURE = 5, 0.2  # pairs of classes that are named, of the least sure fifth of the pool
PART = 2_000


def fit(folder: Path) -> dict[str, Any]:
    """Fit and score in a folder. Returns the content of result.json."""
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    events = EventWriter(folder / "events.jsonl")
    rows = read(folder / "train.jsonl")
    known = inputs(folder, "train", spec, rows)
    truth = targets([row["labels"] for row in rows], spec)
    events.write("stage", name="Cross-validating")
    right, folds = cross_validate(known, truth, spec)
    events.write("stage", name="Training the model")
    model = fitted(known, truth, spec)
    events.write("stage", name="Scoring open items")
    pairs = score(folder, model, inputs(folder, "pool", spec, read(folder / "pool.jsonl")), spec)
    return {"status": "succeeded", "rows": len(rows), "right": right, "folds": folds, "pairs": pairs}


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def inputs(folder: Path, name: str, spec: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Any:
    """The model's input for each row: its vector, or its text."""
    if spec["features"] == "vectors":
        return np.load(folder / f"{name}.npy")
    return np.array([row["text"] for row in rows], dtype=object)


def targets(labels: Sequence[Sequence[int]], spec: dict[str, Any]) -> NDArray[np.int64]:
    """The class of each row (N,), or 0/1 for each class (N, K)."""
    if not spec["many"]:
        return np.array([each[0] for each in labels], dtype=np.int64)
    found = np.zeros((len(labels), spec["classes"]), dtype=np.int64)
    for row, each in enumerate(labels):
        found[row, list(each)] = 1
    return found


def fitted(known: Any, truth: NDArray[np.int64], spec: dict[str, Any]) -> Any:
    """A model fitted to these rows."""
    logistic: Any = LogisticRegression(
        C=STRENGTH[spec["features"]], max_iter=ITERATIONS, tol=TOLERANCE, random_state=spec["seed"]
    )
    if spec["many"]:
        logistic = OneVsRestClassifier(logistic)
    if spec["features"] == "words":
        words = TfidfVectorizer(
            ngram_range=(1, 2),
            sublinear_tf=True,
            max_features=FEATURES,
            token_pattern=r"(?u)\S+",  # noqa: S106
        )
        logistic = make_pipeline(words, logistic)
    return logistic.fit(known, truth)


def probabilities(model: Any, asked: Any, spec: dict[str, Any]) -> NDArray[np.float64]:
    """Class probabilities (M, K), 0 for classes without training rows."""
    found = model.predict_proba(asked)
    if spec["many"]:
        return np.asarray(found)
    whole = np.zeros((len(found), spec["classes"]))
    whole[:, model.classes_] = found
    return whole


def cross_validate(known: Any, truth: NDArray[np.int64], spec: dict[str, Any]) -> tuple[int, int]:
    """(rows predicted correctly by models of the other folds, with all their classes; number of folds)."""
    folds = FOLDS_OF_MANY if len(truth) > MANY_ROWS else FOLDS
    splitter: Any = KFold if spec["many"] else StratifiedKFold
    right = 0
    for others, held in splitter(folds, shuffle=True, random_state=spec["seed"]).split(
        np.zeros(len(truth)), truth
    ):
        if not spec["many"] and len(np.unique(truth[others])) < 2:
            continue  # one class alone: the held rows count as wrong
        found = probabilities(fitted(known[others], truth[others], spec), known[held], spec)
        right += count_right(found, truth[held], spec)
    return right, folds


def count_right(found: NDArray[np.float64], truth: NDArray[np.int64], spec: dict[str, Any]) -> int:
    """The number of rows whose class, or all of whose classes, are predicted correctly."""
    if spec["many"]:
        return int(np.all((found >= HALF) == (truth == 1), axis=1).sum())
    return int(np.sum(found.argmax(axis=1) == truth))


def margins(found: NDArray[np.float64], spec: dict[str, Any]) -> NDArray[np.float64]:
    """Margins from 0 to 1: between the two likeliest classes; for multi-label, between yes and no of the
    least confident class.
    """
    if spec["many"]:
        return np.abs(2 * found - 1).min(axis=1)
    best = np.sort(found, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0]


def score(folder: Path, model: Any, asked: Any, spec: dict[str, Any]) -> list[list[int]]:
    """Write scores.jsonl. Returns the pairs of likeliest classes most frequent among the least confident:
    [one, other, rows].
    """
    unsure: list[tuple[float, int, int]] = []
    with (folder / "scores.jsonl").open("w", encoding="utf-8") as file:
        for at in range(0, len(asked), PART):
            found = probabilities(model, asked[at : at + PART], spec)
            ranked = np.argsort(-found, axis=1, kind="stable")
            for row, margin in enumerate(margins(found, spec)):
                top = [(int(number), round(float(found[row, number]), 6)) for number in ranked[row, :SHOWN]]
                sure = [pair for pair in top if pair[1] >= (HALF if spec["many"] else LEAST)]
                best = sure if sure or spec["many"] else top[:1]
                file.write(json.dumps({"margin": round(float(margin), 6), "best": best}) + "\n")
                one, other = sorted(map(int, ranked[row, :2]))
                unsure.append((float(margin), one, other))
    counts: dict[tuple[int, int], int] = {}
    for _, one, other in sorted(unsure)[: max(1, int(len(unsure) * UNSURE))]:
        counts[one, other] = counts.get((one, other), 0) + 1
    return [
        [*pair, rows] for pair, rows in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:PAIRS]
    ]


def main(arguments: Sequence[str]) -> int:
    """Run the program. Returns 0 on success, 2 for wrong arguments."""
    if len(arguments) != 2 or arguments[0] != "fit":
        print("Usage: python -m datasets_app.assist.learning fit DIR", file=sys.stderr)
        return 2
    # of classes with fewer rows than folds, and of classes that all rows have
    warnings.filterwarnings("ignore", module="sklearn")
    leave_with_parent()
    folder = Path(arguments[1])
    write_json(folder / "result.json", fit(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
