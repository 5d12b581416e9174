"""Which decided labels are probably wrong: `python -m datasets_app.scanning.guessing label-errors DIR`. A program without Django.

It reads rows.jsonl, one {"item", "form", "text", "label"} a line (form: equal for duplicates; label: a number from 0), and spec.json
with {"folds", "seed"}. Every text gets its probabilities from a small model (TF-IDF of words and word pairs, logistic regression) that
was trained on the other folds; duplicates stand in one fold. Confident learning (Northcutt, Jiang and Chuang, 2021; cleanlab) then
estimates how many labels are wrong and ranks them by the probability of the given label. It writes issues.jsonl, the most doubtful
first, and result.json. Texts and probabilities stay on disk but for the rows that a fold trains on.
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
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from lifecycle.engine.events import EventWriter, write_json
from lifecycle.engine.program import leave_with_parent

BATCH = 1_000
TRAIN_LIMIT = 50_000  # texts that one fold's model is trained on
STRENGTH, ITERATIONS, TOLERANCE, FEATURES = 10.0, 100, 1e-3, 20_000


class Labels(NamedTuple):
    """The rows without their texts. given: (N,) from 0, -1 where the class is too small; fold: (N,) from 0, -1 likewise."""

    given: NDArray[np.int32]
    fold: NDArray[np.int32]
    kept: list[int]  # the classes that are large enough, by their numbers
    left_out: list[int]


class Issue(NamedTuple):
    """A row whose label is probably wrong. score: 1 less the probability of its label."""

    row: int
    score: float
    suggested: int


def find(folder: Path) -> dict[str, Any]:
    """Carry it out on a folder; returns what result.json says."""
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    events = EventWriter(folder / "events.jsonl")
    labels = divide(folder, spec["folds"], spec["seed"])
    if len(labels.kept) < 2:
        return failed(f"Fewer than two labels have {spec['folds']} different texts or more, so there is nothing to compare.")
    events.write("stage", name="Training on the other folds")
    guesses = np.memmap(folder / "guesses", dtype=np.float32, mode="w+", shape=(len(labels.given), len(labels.kept)))
    for fold in range(spec["folds"]):
        events.write("metric", step=fold, total_steps=spec["folds"])
        guess(folder, labels, fold, spec["seed"], guesses)
    events.write("metric", step=spec["folds"], total_steps=spec["folds"])
    events.write("stage", name="Judging labels")
    rows = np.flatnonzero(labels.fold >= 0)
    given = numbered(labels)[rows]
    issues = judge(given, Rows(guesses, rows))
    write_issues(folder, labels, [Issue(int(rows[at]), score, labels.kept[best]) for at, score, best in issues])
    agree = sum(int(np.sum(guesses[part].argmax(1) == numbered(labels)[part])) for part in parts(rows))
    return {
        "status": "succeeded", "rows": len(rows), "issues": len(issues), "left_out": labels.left_out,
        "left_out_rows": len(labels.given) - len(rows), "agreement": agree / len(rows), "folds": spec["folds"],
    }  # fmt: skip


def failed(message: str) -> dict[str, Any]:
    """The result when it cannot be done."""
    return {"status": "failed", "error": {"code": "refused", "message": message, "next_step": "Label more texts, then scan again."}}


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows in order."""
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def divide(folder: Path, folds: int, seed: int) -> Labels:
    """The fold of every row: stratified by label over different texts, duplicates in the fold of their first."""
    found = [(row["form"], row["label"]) for row in read(folder)]
    given = np.array([label for _, label in found], dtype=np.int32)
    _, first, inverse = np.unique(np.array([form for form, _ in found]), return_index=True, return_inverse=True)
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
    return Labels(given, fold_of.astype(np.int32), kept.tolist(), sorted(set(given.tolist()) - set(kept.tolist())))


def numbered(labels: Labels) -> NDArray[np.int32]:
    """The labels of all rows as numbers among the classes that are kept."""
    return np.searchsorted(labels.kept, labels.given).astype(np.int32)


def guess(folder: Path, labels: Labels, fold: int, seed: int, guesses: NDArray[np.float32]) -> None:
    """Fill in the probabilities of one fold from a model of the others."""
    chosen = sample(np.flatnonzero((labels.fold >= 0) & (labels.fold != fold)), labels.given, seed)
    wanted = np.zeros(len(labels.given), dtype=bool)
    wanted[chosen] = True
    texts = [row["text"] for at, row in enumerate(read(folder)) if wanted[at]]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=FEATURES, token_pattern=r"(?u)\S+")  # noqa: S106
    model = LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed)
    model.fit(vectorizer.fit_transform(texts), numbered(labels)[chosen])
    held = ((at, row["text"]) for at, row in enumerate(read(folder)) if labels.fold[at] == fold)
    while batch := list(islice(held, BATCH)):
        rows = np.array([at for at, _ in batch])
        part = np.zeros((len(rows), len(labels.kept)), dtype=np.float32)
        part[:, model.classes_] = model.predict_proba(vectorizer.transform([text for _, text in batch]))
        guesses[rows] = part


def sample(rows: NDArray[np.int64], given: NDArray[np.int32], seed: int) -> NDArray[np.int64]:
    """At most 50,000 of the rows, in order, each class by its share and with one row at least."""
    if len(rows) <= TRAIN_LIMIT:
        return rows
    shuffled = np.random.default_rng(seed).permutation(rows)
    first = np.unique(given[shuffled], return_index=True)[1]
    return np.sort(np.unique(np.concatenate([shuffled[first], shuffled[:TRAIN_LIMIT]]))[: TRAIN_LIMIT + len(first)])


class Rows(NamedTuple):
    """Some rows of a matrix on disk."""

    matrix: NDArray[np.float32]
    rows: NDArray[np.int64]


def judge(given: NDArray[np.int32], guesses: Rows) -> list[tuple[int, float, int]]:
    """(position, score, likeliest class) of the labels that are probably wrong, the most doubtful first.

    given: (N,) classes from 0, each with a row at least; guesses: (N, K) out-of-sample probabilities.
    """
    inspector = LabelInspector(num_class=guesses.matrix.shape[1], verbose=False, n_jobs=1)
    whole = range(0, len(given), BATCH)
    for at in whole:
        inspector.update_confident_thresholds(given[at : at + BATCH], guesses.matrix[guesses.rows[at : at + BATCH]])
    for at in whole:
        inspector.score_label_quality(given[at : at + BATCH], guesses.matrix[guesses.rows[at : at + BATCH]])
    found = []
    for at in inspector.get_label_issues().tolist():
        probabilities = guesses.matrix[guesses.rows[at]]
        found.append((at, round(1 - float(probabilities[given[at]]), 6), int(probabilities.argmax())))
    return [each for each in found if each[2] != given[each[0]]]


def write_issues(folder: Path, labels: Labels, issues: Sequence[Issue]) -> None:
    """One {"item", "score", "given", "suggested"} a line."""
    items = {issue.row: 0 for issue in issues}
    items |= {at: row["item"] for at, row in enumerate(read(folder)) if at in items}
    with (folder / "issues.jsonl").open("w", encoding="utf-8") as file:
        for row, score, suggested in issues:
            line = {"item": items[row], "score": score, "given": int(labels.given[row]), "suggested": suggested}
            file.write(json.dumps(line) + "\n")


def parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows by batches."""
    for at in range(0, len(rows), BATCH):
        yield rows[at : at + BATCH]


def main(arguments: Sequence[str]) -> int:
    """0 when result.json says succeeded, 1 when it says failed."""
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
