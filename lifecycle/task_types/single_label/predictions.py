"""predictions.parquet: one row an item, in file order, with its probabilities in label order. The truth behind every later question."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.statistics import clustered, deciding, metrics
from lifecycle.statistics.clustered import Ints
from lifecycle.statistics.deciding import Cut
from lifecycle.statistics.operating import Scores
from lifecycle.task_types.multi_label import measures as label_sets

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("confidence", pa.float64()),
        ("probabilities", pa.list_(pa.float64())),
        ("loss", pa.float64()),
        ("split", pa.string()),
        ("cluster", pa.int32()),
    ]
)
SETS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("predicted", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float64())),
        ("loss", pa.float64()),
        ("split", pa.string()),
        ("cluster", pa.int32()),
    ]
)
CLUSTER = "cluster"
ROWS_AT_ONCE = 8_192  # whose probabilities are held at a time, where few of them are kept


@dataclass(frozen=True)
class Predictions:
    """A model's answers on labelled rows. truth: label numbers (N,); probabilities: (N, C) in order of labels.

    Of answers that are sets of labels, truth is bool (N, C), and thresholds are those from which on each label is given; else None.
    cut: of one label a text, the one that has a threshold; None where the likeliest is the answer. clusters: number of each row's cluster
    (N,), such as near duplicates that were split together; None where a file was written before that was kept.
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: NDArray[Any]
    probabilities: NDArray[np.float64]
    thresholds: tuple[float, ...] | None = None
    cut: Cut | None = None
    clusters: Ints | None = None

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The number of the label that is answered (N,), of one label a text."""
        return deciding.decide(self.probabilities, self.cut)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the label that is answered (N,), of one label a text."""
        return deciding.confidence(self.probabilities, self.predicted)

    @property
    def decided(self) -> NDArray[np.bool_]:
        """The labels that are given (N, C), of sets."""
        return label_sets.decide(self.probabilities, self.thresholds or ())


def write(path: Path, predictions: Predictions, split: str) -> None:
    """Write the rows; the labels' order, and thresholds, are kept in the file's metadata."""
    kept = {"labels": json.dumps(predictions.labels, ensure_ascii=False)}
    if predictions.thresholds is None:
        columns, schema = _of_one(predictions), SCHEMA
        kept |= {"cut": json.dumps(asdict(predictions.cut))} if predictions.cut else {}
    else:
        columns, schema = _of_sets(predictions, predictions.thresholds), SETS_SCHEMA
        kept["thresholds"] = json.dumps(predictions.thresholds)
    rows: dict[str, Any] = {
        "id": list(predictions.ids),
        "probabilities": list(predictions.probabilities),
        "split": [split] * len(predictions.ids),
    }
    rows[CLUSTER] = kept_clusters(predictions.clusters, len(predictions.ids))
    table = pa.table({name: (columns | rows)[name] for name in schema.names}, schema=schema.with_metadata(kept))
    temporary = path.with_name(f".{path.name}")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def kept_clusters(clusters: Ints | None, rows: int) -> Ints:
    """The column of a file's clusters: each row one of its own where none are known."""
    return np.arange(rows) if clusters is None else clusters


def clusters_in(table: pa.Table) -> Ints | None:
    """Number of each row's cluster (N,); None where the file has no such column."""
    return table[CLUSTER].to_numpy().astype(np.int64) if CLUSTER in table.column_names else None


def read_clusters(path: Path) -> Ints | None:
    """The same of a file of any task."""
    return clusters_in(pq.read_table(path, columns=[CLUSTER])) if CLUSTER in pq.read_schema(path).names else None


def _of_one(predictions: Predictions) -> dict[str, Any]:
    scored = metrics.score_rows(predictions.probabilities, predictions.truth, cut=predictions.cut)
    return {
        "label": [predictions.labels[each] for each in predictions.truth],
        "predicted": [predictions.labels[each] for each in scored.predicted],
        "confidence": scored.confidence,
        "loss": scored.loss,
    }


def _of_sets(predictions: Predictions, thresholds: Sequence[float]) -> dict[str, Any]:
    scored = label_sets.score_sets(predictions.probabilities, predictions.truth, thresholds)
    return {"labels": _named(scored.truth, predictions), "predicted": _named(scored.decided, predictions), "loss": scored.loss}


def _named(sets: NDArray[np.bool_], predictions: Predictions) -> list[list[str]]:
    return [[predictions.labels[at] for at in np.flatnonzero(row)] for row in sets]


def read(path: Path) -> Predictions:
    """Read the rows back."""
    table = pq.read_table(path)
    labels = tuple(json.loads(table.schema.metadata[b"labels"]))
    index = {label: number for number, label in enumerate(labels)}
    thresholds, cut = table.schema.metadata.get(b"thresholds"), table.schema.metadata.get(b"cut")
    if thresholds is None:
        truth = np.array([index[label] for label in table["label"].to_pylist()], dtype=np.int64)
    else:
        truth = np.zeros((table.num_rows, len(labels)), dtype=np.bool_)
        for row, some in enumerate(table["labels"].to_pylist()):
            truth[row, [index[label] for label in some]] = True
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    return Predictions(
        labels=labels,
        ids=tuple(table["id"].to_pylist()),
        truth=truth,
        probabilities=flat.reshape(table.num_rows, len(labels)),
        thresholds=tuple(json.loads(thresholds)) if thresholds is not None else None,
        cut=Cut(**json.loads(cut)) if cut is not None else None,
        clusters=clusters_in(table),
    )


@dataclass(frozen=True)
class Answers:
    """The file of one label a row without its probabilities, in file order. truth, predicted: label numbers; all arrays (N,)."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    loss: NDArray[np.float64]


def read_answers(path: Path) -> Answers:
    """Read what was answered. The probabilities stay in the file: with many labels they are most of it."""
    table = pq.read_table(path, columns=["id", "label", "predicted", "confidence", "loss"])
    labels = tuple(json.loads(table.schema.metadata[b"labels"]))
    known = pa.array(labels, pa.string())
    truth, predicted = (pc.index_in(table[name], value_set=known).to_numpy().astype(np.int64) for name in ("label", "predicted"))
    return Answers(labels, tuple(table["id"].to_pylist()), truth, predicted, table["confidence"].to_numpy(), table["loss"].to_numpy())


@dataclass(frozen=True)
class Sets:
    """The file of sets of labels without its probabilities, in file order. truth, decided: (N, C); loss: (N,)."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: NDArray[np.bool_]
    decided: NDArray[np.bool_]
    loss: NDArray[np.float64]


def read_sets(path: Path) -> Sets:
    """As `read_answers`, of sets."""
    table = pq.read_table(path, columns=["id", "labels", "predicted", "loss"])
    labels = tuple(json.loads(table.schema.metadata[b"labels"]))
    known = pa.array(labels, pa.string())
    truth, decided = (np.zeros((table.num_rows, len(labels)), dtype=np.bool_) for _ in range(2))
    for name, filled in (("labels", truth), ("predicted", decided)):
        column = table[name].combine_chunks()
        filled[pc.list_parent_indices(column).to_numpy(), pc.index_in(column.flatten(), value_set=known).to_numpy()] = True
    return Sets(labels, tuple(table["id"].to_pylist()), truth, decided, table["loss"].to_numpy())


def read_sureness(path: Path, sets: Sets) -> NDArray[np.float64]:
    """Of each row of sets the probability of its surest wrong decision about a label, or where all are right of its least sure one (N,).
    sets: of the same file."""
    parts, start = [], 0
    for probabilities in _probabilities(path):
        rows = slice(start, start := start + len(probabilities))
        parts.append(sureness(probabilities, sets.truth[rows], sets.decided[rows]))
    return np.concatenate(parts) if parts else np.empty(0)


def sureness(probabilities: NDArray[np.float64], truth: NDArray[np.bool_], decided: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The same of arrays (N, C)."""
    wrong, sure = truth != decided, np.where(decided, probabilities, 1 - probabilities)
    found: NDArray[np.float64] = np.where(wrong.any(axis=1), np.where(wrong, sure, 0.0).max(axis=1), sure.min(axis=1))
    return found


def read_scores(path: Path, label: str = "") -> Scores:
    """The rows for one label; where it is empty, of one label a row, by confidence: whether the answer is right. The probabilities of other
    labels pass by and are not kept."""
    if not label:
        found = read_answers(path)
        right = found.truth == found.predicted
        return Scores(found.confidence, right, np.ones(len(right), dtype=np.bool_), read_clusters(path))
    schema = pq.read_schema(path)
    number = json.loads(schema.metadata[b"labels"]).index(label)
    table = pq.read_table(path, columns=["labels" if "labels" in schema.names else "label", "predicted"])
    positive, called = (_holds(column.combine_chunks(), label) for column in table.columns)
    scores = [probabilities[:, number].copy() for probabilities in _probabilities(path)]
    return Scores(np.concatenate(scores) if scores else np.empty(0), positive, called, read_clusters(path))


def _holds(column: pa.Array, label: str) -> NDArray[np.bool_]:
    if not pa.types.is_list(column.type):
        return np.asarray(pc.equal(column, label), dtype=np.bool_)
    found = np.zeros(len(column), dtype=np.bool_)
    found[pc.list_parent_indices(column).filter(pc.equal(column.flatten(), label)).to_numpy()] = True
    return found


def _probabilities(path: Path) -> Iterator[NDArray[np.float64]]:
    """Those of some rows after others (n, C)."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["probabilities"]):
            yield batch.column(0).flatten().to_numpy().reshape(batch.num_rows, -1)


def compare(
    baseline: Predictions, candidate: Predictions, *, count: int = metrics.RESAMPLES, seed: int = 1, bins: int = 15,
    tell: metrics.Tell = metrics.quietly,
) -> dict[str, Any]:  # fmt: skip
    """metrics.paired over the items that both answered with the same truth, and how many those are. tell: as in metrics.paired_rows.

    Returns rows (compared), clusters (of these), left_out (items of only one side, or whose truth differs), and `metrics`. The labels must
    be the same set; their order may differ. Raises ValueError when they differ, when one gives one label and the other sets, or no item is
    shared.
    """
    if set(baseline.labels) != set(candidate.labels):
        differing = sorted(set(baseline.labels) ^ set(candidate.labels))
        raise ValueError(f"The two models know different labels, so they cannot be compared: {', '.join(differing[:5])}.")
    if (baseline.thresholds is None) != (candidate.thresholds is None):
        raise ValueError("One model gives one label a text and the other any number, so they cannot be compared.")
    reorder = [candidate.labels.index(label) for label in baseline.labels]
    theirs = {identity: row for row, identity in enumerate(candidate.ids)}
    same = candidate.truth[:, reorder] if candidate.thresholds else np.argsort(reorder)[candidate.truth]  # in the baseline's order
    pairs = [
        (row, theirs[identity])
        for row, identity in enumerate(baseline.ids)
        if identity in theirs and np.array_equal(same[theirs[identity]], baseline.truth[row])
    ]
    if not pairs:
        raise ValueError("The two evaluations share no item, so they cannot be compared. Evaluate both on the same snapshot and split.")
    one, two = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    answers = baseline.probabilities[one], candidate.probabilities[two][:, reorder]
    clusters = shared_clusters(baseline.clusters, candidate.clusters, one, two)
    options: dict[str, Any] = {"count": count, "seed": seed, "clusters": clusters, "tell": tell, "swaps": metrics.SWAPS}
    if not baseline.thresholds or not candidate.thresholds:
        moved = candidate.cut and Cut(reorder.index(candidate.cut.index), candidate.cut.threshold)
        first, second = (metrics.score_rows(answers[at], baseline.truth[one], bins, (baseline.cut, moved)[at]) for at in (0, 1))
        found = metrics.paired_rows(first, second, metrics.COMPARED, labels=baseline.labels, **options)
    else:
        thresholds = baseline.thresholds, [candidate.thresholds[at] for at in reorder]
        before, after = (label_sets.score_sets(answers[at], baseline.truth[one], thresholds[at], bins) for at in (0, 1))
        found = metrics.paired_rows(before, after, label_sets.METRICS.compared, labels=baseline.labels, **options)
    left_out = len(set(baseline.ids) | set(candidate.ids)) - len(pairs)
    return {"rows": len(pairs), **counted_clusters(clusters), "left_out": left_out, "metrics": found}


def shared_clusters(one: Ints | None, two: Ints | None, first: Sequence[int] | Ints, second: Sequence[int] | Ints) -> Ints:
    """Numbers of the clusters of rows that two files share (n,): those of the first file that knows them; each row one of its own where
    neither does. one, two: of all rows of each file; first, second: numbers of the shared rows in each, side by side."""
    known = one[list(first)] if one is not None else two[list(second)] if two is not None else range(len(first))
    return clustered.numbered(known)


def counted_clusters(clusters: Ints) -> dict[str, float]:
    """How many clusters rows come in (N,), and as how many of one size they count, as `metrics.Together`."""
    together = metrics.Together.of(len(clusters), clusters)
    return {"clusters": together.clusters, "effective_clusters": round(together.least, 2)}


def nearest(embeddings: NDArray[Any], query: Sequence[float], count: int = 10) -> list[tuple[int, float]]:
    """The rows of embeddings (N, H) nearest to the query by cosine: (row, similarity), best first."""
    vectors = np.asarray(embeddings, dtype=np.float64)
    wanted = np.asarray(query, dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(wanted)
    similarity = vectors @ wanted / np.maximum(norms, 1e-12)
    order = np.argsort(-similarity, kind="stable")[:count]
    return [(int(row), float(similarity[row])) for row in order]
