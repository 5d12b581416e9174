"""Find labels that are probably wrong: `python -m datasets_app.scanning.guessing label-errors DIR`. A program
without Django.

It reads rows.jsonl, one {"item", "form", "text", "label"} per line (form: equal for duplicates; label: a
number from 0), spec.json with {"folds", "seed", "width"}, and, unless width is 0, the file vectors: `width`
float16 numbers per row. Each text gets its probabilities from a logistic regression trained on the other
folds, on these vectors or else on TF-IDF of words and word pairs; duplicates are in the same fold.
Temperature and rate of wrong labels are then fitted to all held-out rows, to calibrate the probabilities.
Confident learning (Northcutt, Jiang, and Chuang, 2021; cleanlab) estimates how many labels are wrong and
picks them by the probability of the given label; the score of each is the probability that its label is
wrong, given the text and the label. It writes issues.jsonl, highest scores first, and result.json. Texts,
vectors, and probabilities stay on disk, except the rows that a fold trains on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cleanlab.experimental.label_issues_batched import LabelInspector
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from lifecycle.runtime.engine.events import EventWriter, write_json
from lifecycle.runtime.engine.program import leave_with_parent

BATCH = 1_000
TRAIN_LIMIT = 50_000  # texts that one fold's model is trained on
STRENGTH, ITERATIONS, TOLERANCE, FEATURES = 10.0, 100, 1e-3, 20_000
CELLS_LIMIT = 8_000_000  # probabilities used to fit temperature and rate
TEMPERATURES, RATES = (0.1, 10.0), (0.001, 0.4)
USUAL_RATE = 0.03  # prior of the rate of random labels
LEAST = 1e-12


class Labels(NamedTuple):
    """The rows without their texts. given: (N,) labels from 0; fold: (N,) from 0, -1 if the label is too
    rare.
    """

    given: NDArray[np.int32]
    fold: NDArray[np.int32]
    kept: list[int]  # numbers of the labels with enough texts
    left_out: list[int]


class Issue(NamedTuple):
    """A row whose label is probably wrong. score: the probability of that."""

    row: int
    score: float
    predicted: int


def find(folder: Path) -> dict[str, Any]:
    """Run on a folder; returns the content of result.json."""
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    events = EventWriter(folder / "events.jsonl")
    labels = divide(folder, spec["folds"], spec["seed"])
    if len(labels.kept) < 2:
        return failed(
            f"Fewer than two labels have {spec['folds']} or more different texts, so labels can't be"
            " compared."
        )
    events.write("stage", name="Training on the other folds")
    guesses = np.memmap(
        folder / "guesses", dtype=np.float32, mode="w+", shape=(len(labels.given), len(labels.kept))
    )
    for fold in range(spec["folds"]):
        events.write("metric", step=fold, total_steps=spec["folds"])
        guess(folder, labels, fold, spec, guesses)
    events.write("metric", step=spec["folds"], total_steps=spec["folds"])
    events.write("stage", name="Scoring labels")
    rows = np.flatnonzero(labels.fold >= 0)
    given = numbered(labels)[rows]
    # on words the fit ends at its bounds
    noise = fit_noise(given, Rows(guesses, rows), spec["seed"]) if spec.get("width") else None
    if noise:
        for part in parts(rows):
            guesses[part] = tempered(guesses[part], noise.temperature)
    issues = judge(given, Rows(guesses, rows), noise.rate if noise else None)
    write_issues(
        folder, labels, [Issue(int(rows[at]), score, labels.kept[best]) for at, score, best in issues]
    )
    agree = sum(int(np.sum(guesses[part].argmax(1) == numbered(labels)[part])) for part in parts(rows))
    return {
        "status": "succeeded",
        "rows": len(rows),
        "issues": len(issues),
        "left_out": labels.left_out,
        "left_out_rows": len(labels.given) - len(rows),
        "agreement": agree / len(rows),
        "folds": spec["folds"],
        **({"noise": round(noise.wrong, 4), "temperature": round(noise.temperature, 4)} if noise else {}),
    }


def failed(message: str) -> dict[str, Any]:
    """The result of a failed run."""
    return {
        "status": "failed",
        "error": {"code": "refused", "message": message, "next_step": "Label more texts, then scan again."},
    }


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows in order."""
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def divide(folder: Path, folds: int, seed: int) -> Labels:
    """The fold of every row: stratified by label over distinct texts; duplicates are in the fold of the
    first.
    """
    found = [(row["form"], row["label"]) for row in read(folder)]
    given = np.array([label for _, label in found], dtype=np.int32)
    _, first, inverse = np.unique(
        np.array([form for form, _ in found]), return_index=True, return_inverse=True
    )
    counts = np.bincount(given[first])
    kept = np.flatnonzero(counts >= folds)
    usable = np.isin(given[first], kept)
    fold_of = np.full(len(first), -1, dtype=np.int32)
    if len(kept) >= 2:
        texts = np.flatnonzero(usable)
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        for fold, (_, held) in enumerate(splitter.split(texts, given[first][texts])):
            fold_of[texts[held]] = fold
    fold_of = np.where(np.isin(given, kept), fold_of[inverse], -1)
    return Labels(
        given, fold_of.astype(np.int32), kept.tolist(), sorted(set(given.tolist()) - set(kept.tolist()))
    )


def numbered(labels: Labels) -> NDArray[np.int32]:
    """The labels of all rows as indexes into `labels.kept`."""
    return np.searchsorted(labels.kept, labels.given).astype(np.int32)


def guess(
    folder: Path, labels: Labels, fold: int, spec: dict[str, Any], guesses: NDArray[np.float32]
) -> None:
    """Fill in the probabilities of one fold, from a model trained on the others."""
    chosen = sample(np.flatnonzero((labels.fold >= 0) & (labels.fold != fold)), labels.given, spec["seed"])
    model = LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, tol=TOLERANCE, random_state=spec["seed"])
    reader = Vectors(folder, len(labels.given), spec["width"]) if spec.get("width") else Words(folder)
    model.fit(reader.fit(chosen), numbered(labels)[chosen])
    for rows, features in reader.batches(labels.fold == fold):
        part = np.zeros((len(rows), len(labels.kept)), dtype=np.float32)
        part[:, model.classes_] = model.predict_proba(features)
        guesses[rows] = part


class Words:
    """Texts as TF-IDF of their words and pairs of words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vectorizer = TfidfVectorizer(
            ngram_range=(1, 2),
            sublinear_tf=True,
            max_features=FEATURES,
            token_pattern=r"(?u)\S+",  # noqa: S106
        )

    def fit(self, chosen: NDArray[np.int64]) -> csr_matrix:
        """The features of these rows; their words become the vocabulary."""
        wanted = set(chosen.tolist())
        return self.vectorizer.fit_transform(
            [row["text"] for at, row in enumerate(read(self.folder)) if at in wanted]
        )

    def batches(self, held: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], csr_matrix]]:
        """Held-out rows with their features, in batches."""
        found = ((at, row["text"]) for at, row in enumerate(read(self.folder)) if held[at])
        while batch := list(islice(found, BATCH)):
            yield np.array([at for at, _ in batch]), self.vectorizer.transform([text for _, text in batch])


class Vectors:
    """Texts as embeddings of an encoder."""

    def __init__(self, folder: Path, rows: int, width: int) -> None:
        self.matrix = np.memmap(folder / "vectors", dtype=np.float16, mode="r", shape=(rows, width))

    def fit(self, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of these rows."""
        return self.matrix[chosen].astype(np.float32)

    def batches(self, held: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Held-out rows with their vectors, in batches."""
        for rows in parts(np.flatnonzero(held)):
            yield rows, self.matrix[rows].astype(np.float32)


class Rows(NamedTuple):
    """Some rows of a matrix on disk."""

    matrix: NDArray[np.float32]
    rows: NDArray[np.int64]


class Noise(NamedTuple):
    """Parameters fitted to held-out rows. temperature: divisor of logits. rate: the share of labels that are
    uniformly random among the `classes`, including the right one.
    """

    temperature: float
    rate: float
    classes: int

    @property
    def wrong(self) -> float:
        """The share of wrong labels."""
        return self.rate * (1 - 1 / self.classes)


def fit_noise(given: NDArray[np.int32], guesses: Rows, seed: int) -> Noise:
    """The maximum a posteriori temperature and rate of the given labels, with priors around 1 and USUAL_RATE.

    A given label g has the probability (1 - rate) p(g) + rate / K, with p of K classes by the model at this
    temperature.
    """
    classes = guesses.matrix.shape[1]
    chosen = np.arange(len(given))
    if len(chosen) * classes > CELLS_LIMIT:
        chosen = np.sort(
            np.random.default_rng(seed).choice(len(given), max(1, CELLS_LIMIT // classes), replace=False)
        )
    logits = np.log(np.maximum(guesses.matrix[guesses.rows[chosen]], LEAST))
    mine = np.arange(len(chosen)), given[chosen]

    def loss(point: NDArray[np.float64]) -> float:
        temperature, rate = np.exp(point)
        probability = softmax(logits / np.float32(temperature))[mine]
        likelihood = np.log((1 - rate) * probability + rate / classes).sum()
        return float(-likelihood + (point[0] ** 2 + (point[1] - np.log(USUAL_RATE)) ** 2) / 2)

    bounds = [tuple(np.log(TEMPERATURES)), tuple(np.log(RATES))]
    found = minimize(
        loss,
        np.array([0.0, np.log(USUAL_RATE)]),
        method="Nelder-Mead",
        bounds=bounds,
        options={"xatol": 1e-2, "fatol": 1e-2},
    )
    temperature, rate = np.exp(found.x).tolist()
    return Noise(temperature, rate, classes)


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Probabilities over the last axis."""
    found = np.exp(logits - logits.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N, K) with their logits divided by the temperature."""
    return softmax(np.log(np.maximum(probabilities, LEAST)) / np.float32(temperature)).astype(np.float32)


def doubt(probability: float, rate: float, classes: int) -> float:
    """The probability that a label is wrong, given its probability by the model and the rate of random
    labels.
    """
    wrong = rate / classes * (1 - probability)
    return wrong / ((1 - rate) * probability + rate / classes)


def sample(rows: NDArray[np.int64], given: NDArray[np.int32], seed: int) -> NDArray[np.int64]:
    """At most 50,000 of the rows, in order, sampled by share of each label, with at least one row per
    label.
    """
    if len(rows) <= TRAIN_LIMIT:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    first = np.unique(given[shuffled], return_index=True)[1]
    return np.sort(
        np.unique(np.concatenate([shuffled[first], shuffled[:TRAIN_LIMIT]]))[: TRAIN_LIMIT + len(first)]
    )


def judge(
    given: NDArray[np.int32], guesses: Rows, rate: float | None = USUAL_RATE
) -> list[tuple[int, float, int]]:
    """(position, score, likeliest label) of the labels that are probably wrong, highest scores first.

    given: (N,) labels from 0, each with at least one row; guesses: (N, K) out-of-sample probabilities; rate:
    as in Noise; None if unknown: the score is then one minus the probability of the given label.
    """
    inspector = LabelInspector(num_class=guesses.matrix.shape[1], verbose=False, n_jobs=1)
    whole = range(0, len(given), BATCH)
    for at in whole:
        inspector.update_confident_thresholds(
            given[at : at + BATCH], guesses.matrix[guesses.rows[at : at + BATCH]]
        )
    for at in whole:
        inspector.score_label_quality(given[at : at + BATCH], guesses.matrix[guesses.rows[at : at + BATCH]])
    found = []
    for at in inspector.get_label_issues().tolist():
        probabilities = guesses.matrix[guesses.rows[at]]
        mine = float(probabilities[given[at]])
        score = 1 - mine if rate is None else doubt(mine, rate, len(probabilities))
        found.append((at, round(min(score, 0.999999), 6), int(probabilities.argmax())))
    return [each for each in found if each[2] != given[each[0]]]


def write_issues(folder: Path, labels: Labels, issues: Sequence[Issue]) -> None:
    """Write one {"item", "score", "given", "predicted"} per line."""
    items = {issue.row: 0 for issue in issues}
    items |= {at: row["item"] for at, row in enumerate(read(folder)) if at in items}
    with (folder / "issues.jsonl").open("w", encoding="utf-8") as file:
        for row, score, predicted in issues:
            line = {
                "item": items[row],
                "score": score,
                "given": int(labels.given[row]),
                "predicted": predicted,
            }
            file.write(json.dumps(line) + "\n")


def parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows in batches."""
    for at in range(0, len(rows), BATCH):
        yield rows[at : at + BATCH]


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if the run succeeded, 1 if it failed, 2 for wrong arguments."""
    if len(arguments) != 2 or arguments[0] != "label-errors":
        print("Usage: python -m datasets_app.scanning.guessing label-errors DIR", file=sys.stderr)
        return 2
    leave_with_parent()
    folder = Path(arguments[1])
    result = find(folder)
    write_json(folder / "result.json", result)
    return 0 if result["status"] == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
