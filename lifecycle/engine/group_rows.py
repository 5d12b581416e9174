"""What groups of rows are made and measured by, read from a task's predictions.parquet. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.statistics.groups import MacroF1, Measure, Quotient, added
from lifecycle.task_types.ranking import predictions as ranked_predictions
from lifecycle.task_types.single_label import predictions
from lifecycle.task_types.spans import predictions as span_predictions

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
WRITTEN = {"rouge_l": "rouge_l", "token_f1": "f1", "exact_match": "exact", "groundedness": "grounded"}  # score → its column


@dataclass(frozen=True)
class Classes:
    """The classes of each row. truth, given: their numbers (N,), or of sets whether a row has each (N, C)."""

    labels: tuple[str, ...]
    truth: NDArray[np.generic]
    given: NDArray[np.generic]

    def of(self, label: str) -> tuple[Bools, Bools]:
        """Whether each row has this class, and whether it was answered with it (N,)."""
        number = self.labels.index(label)
        held, said = ((each == number) if each.ndim == 1 else each[:, number].astype(np.bool_) for each in (self.truth, self.given))
        return held, said


@dataclass(frozen=True)
class Rows:
    """Rows in file order. measures: quotients, by the first of which groups are compared unless another is asked for, and others. wrong:
    which rows have a mistake (N,), None where a row is not right or wrong. weight: how bad it is, the worst the highest (N,). classes: None
    where the task has none that fairness could be told of. clusters: number of each row's cluster, such as near duplicates (N,); None where
    each is one of its own."""

    ids: tuple[str, ...]
    measures: tuple[Measure, ...]
    wrong: Bools | None
    weight: Floats
    classes: Classes | None = None
    clusters: Ints | None = None

    @property
    def counted(self) -> int:
        """How many clusters the rows come in."""
        return len(self.ids) if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def quotients(self) -> dict[str, Quotient]:
        """The measures by which groups can be compared, by name."""
        return {each.name: each for each in self.measures if isinstance(each, Quotient)}

    def worst_first(self, by: str) -> list[int]:
        """All rows: those with a mistake first, then by weight; where none is right or wrong by the quotient `by`, the lowest first, and
        those last of which it says nothing; by id where they are equal."""
        if self.wrong is not None:
            return [int(row) for row in np.lexsort((np.array(self.ids), -self.weight, ~self.wrong))]
        chosen = self.quotients[by]
        told = chosen.below > 0
        value = np.divide(chosen.above, chosen.below, out=np.zeros(len(told)), where=told)
        return [int(row) for row in np.lexsort((np.array(self.ids), value, ~told))]


def share(name: str, right: NDArray[np.bool_]) -> Quotient:
    """Of rows that are right (N,)."""
    return Quotient(name, right.astype(np.float64), np.ones(len(right)), is_share=True)


def mean(name: str, values: Floats) -> Quotient:
    """Over the rows whose value (N,) is known; NaN says nothing."""
    known = ~np.isnan(values)
    return Quotient(name, np.where(known, values, 0.0), known.astype(np.float64))


def of_one(path: Path) -> Rows:
    """Of one class a text: accuracy and macro-F1; the surest mistakes weigh most."""
    found = predictions.read_answers(path)
    right = found.truth == found.predicted
    measures = share("accuracy", right), MacroF1(found.truth, found.predicted, len(found.labels))
    return Rows(found.ids, measures, ~right, found.confidence, Classes(found.labels, found.truth, found.predicted))


def of_sets(path: Path) -> Rows:
    """Of several classes a text: rows with all of them right, and micro-F1; a large loss weighs most."""
    found = predictions.read_sets(path)
    hits, held, given = (each.sum(axis=1).astype(np.float64) for each in (found.truth & found.decided, found.truth, found.decided))
    right = (found.truth == found.decided).all(axis=1)
    measures = share("subset_accuracy", right), Quotient("micro_f1", 2 * hits, held + given)
    return Rows(found.ids, measures, ~right, found.loss, Classes(found.labels, found.truth, found.decided))


def of_spans(path: Path) -> Rows:
    """Of marked parts: micro-F1 over spans, and texts with every span right; the surest mistakes weigh most."""
    table = pq.read_table(path, columns=["id", "matches", "surest", "wrong"])
    matches, rows = table["matches"].combine_chunks(), table.num_rows
    flat, parents = matches.flatten(), pc.list_parent_indices(matches).to_numpy()
    sides = pc.equal(flat.field("kind"), span_predictions.EXACT), pc.is_valid(flat.field("true")), pc.is_valid(flat.field("found"))
    hits, held, called = (added(each.to_numpy(zero_copy_only=False), parents, rows) for each in sides)
    wrong = table["wrong"].to_numpy() > 0
    measures = Quotient("micro_f1", 2 * hits, held + called), share("exact_texts", ~wrong)
    return Rows(tuple(table["id"].to_pylist()), measures, wrong, table["surest"].to_numpy())


def of_orders(path: Path) -> Rows:
    """Of responses in order: pairs the right way round, and rows whose best response is that of people; the surest mistakes weigh most."""
    found = ranked_predictions.read(path)
    scored = found.scored
    measures = Quotient("pair_accuracy", scored.right, scored.decided), mean("best_first", scored.best)
    return Rows(found.ids, measures, scored.right < scored.decided, found.surest_error)


def of_texts(path: Path) -> Rows:
    """Of written texts: means of what is known of some row."""
    table = pq.read_table(path, columns=["id", *WRITTEN.values()])
    values = {name: table[column].to_numpy().astype(np.float64) for name, column in WRITTEN.items()}
    known = {name: each for name, each in values.items() if not np.isnan(each).all()}
    measures = tuple(share(name, each > 0) if name == "exact_match" else mean(name, each) for name, each in known.items())
    return Rows(tuple(table["id"].to_pylist()), measures, None, np.zeros(table.num_rows))


def read(path: Path, task: str) -> Rows:
    """The rows of a file of this task."""
    found = READERS[task](path)
    clusters = predictions.read_clusters(path)
    if clusters is None or int(clusters.max()) + 1 == len(clusters):
        return found
    measures: Any = found.measures
    return replace(found, measures=tuple(replace(each, clusters=clusters) for each in measures), clusters=clusters)


READERS: Mapping[str, Callable[[Path], Rows]] = {
    "single_label": of_one, "multi_label": of_sets, "spans": of_spans, "preference": of_orders, "ranking": of_orders, "free_text": of_texts,
}  # fmt: skip
