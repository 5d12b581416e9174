"""Scoring of a task: its metrics and baselines by name, and comparisons of predictions. Needs numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import numpy as np

from lifecycle.runtime.statistics import bootstrap, calibration, clustered, comparisons
from lifecycle.runtime.statistics.bootstrap import RESAMPLES, Together
from lifecycle.runtime.statistics.clustered import Ints
from lifecycle.runtime.statistics.comparisons import Done, no_op
from lifecycle.runtime.statistics.metrics import Countable, Floats


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. name: in reports and engine values. title: in tables of the task. words: within a sentence,
    also beside other tasks; by default the title. meaning: a short definition. digits: decimal places. hub:
    its name on the Hugging Face Hub; empty if cards don't export it. is_share: from 0 to 1, so that
    differences are in percentage points.
    """

    name: str
    title: str
    words: str = ""
    meaning: str = ""
    digits: int = 3
    hub: str = ""
    lower_is_better: bool = False
    is_share: bool = False

    def __post_init__(self) -> None:
        if not self.words:
            is_name = self.title[1].isupper()  # ECE, ROUGE-L
            object.__setattr__(
                self, "words", self.title if is_name else self.title[0].lower() + self.title[1:]
            )

    @property
    def heading(self) -> str:
        """The words, capitalised."""
        return self.words[0].upper() + self.words[1:]

    def gain(self, difference: float) -> float:
        """A difference of two values, signed so that positive is better."""
        return -difference if self.lower_is_better else difference

    @property
    def one(self) -> str:
        """The words with their article."""
        return f"{'an' if self.words[0] in 'aeiou' else 'a'} {self.words}"


LOG_LOSS = Metric("log_loss", "Log loss", lower_is_better=True)
BRIER = Metric("brier", "Brier score", words="Brier score", lower_is_better=True)
ECE = Metric("ece", "ECE", lower_is_better=True)
ECE_DEBIASED = Metric("ece_debiased", "ECE, debiased", words="debiased ECE", lower_is_better=True)
OF_LABELS = tuple(
    Metric(name, title, is_share=True)
    for name, title in (
        ("weighted_f1", "Weighted F1"),
        ("macro_precision", "Macro precision"),
        ("macro_recall", "Macro recall"),
    )
)
LARGEST_GAP = f"Largest gap (bins with at least {calibration.LEAST_IN_BIN} rows)"
CALIBRATION = (
    ECE,
    ECE_DEBIASED,
    Metric("largest_gap", LARGEST_GAP, lower_is_better=True),
)


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The metrics of a task, each once. known: in the order of a report.

    leading: the main score that compares evaluations, baselines, and versions. trained: selects the best step
    and trial, and prunes trials. listed: shown in lists of runs. The rest are names, main one first. strip:
    in a report's header. beside: of a run and its baselines. compared: of two models on the same rows.
    watched: on validation during training. drawn: those of them in charts. registered: stored with a
    registered version. loss: minimised by training; lowered: its name in sentences. rounded: of which the
    int8 graph may lose half a point at most; the leading one unless named.
    """

    known: tuple[Metric, ...]
    leading: Metric
    trained: Metric
    listed: Metric
    strip: tuple[str, ...]
    beside: tuple[str, ...]
    compared: tuple[str, ...]
    watched: tuple[str, ...]
    drawn: tuple[str, ...]
    registered: tuple[str, ...]
    loss: str = "log_loss"
    lowered: str = "cross-entropy"
    rounded: str = ""

    @cached_property
    def by_name(self) -> Mapping[str, Metric]:
        """Every metric, including that of training."""
        return {each.name: each for each in (self.trained, *self.known)}

    @property
    def rounding(self) -> Metric:
        """What the int8 gate measures: a share, where more is better."""
        return self[self.rounded] if self.rounded else self.leading

    def __getitem__(self, name: str) -> Metric:
        return self.by_name[name]

    @cached_property
    def lower(self) -> frozenset[str]:
        """The names of metrics where lower is better."""
        return frozenset(each.name for each in self.by_name.values() if each.lower_is_better)


class Predicted(Protocol):
    """A model's predictions for N rows. labels: () for tasks without. clusters: number of each row's cluster
    (N,), such as near-duplicates split together; None if each row is its own.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of their numbers."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One per row."""

    @property
    def clusters(self) -> Ints | None:
        """One per row."""


P = TypeVar("P", bound=Predicted)


@dataclass(frozen=True)
class Measures(ABC, Generic[P]):
    """How a task is scored. task: its key. baselines: titles by name, in display order. reference: the
    baseline shown beside a run during training, and its name in charts. per_row: the attributes of P with one
    value per row. stated: the task in a model card, with when a prediction is correct; empty for single
    labels.
    """

    task: str
    metrics: ClassVar[Metrics]
    baselines: ClassVar[Mapping[str, str]]
    reference: ClassVar[tuple[str, str]] = ("tfidf_logreg", "TF-IDF")
    per_row: ClassVar[tuple[str, ...]]
    stated: ClassVar[str] = ""

    @abstractmethod
    def score(self, rows: P, bins: int = 15) -> Countable:
        """The rows ready for scoring."""

    @abstractmethod
    def truths(self, rows: P, labels: tuple[str, ...]) -> Sequence[Hashable]:
        """The truth of each row, with labels in this order: two models are compared on rows with equal
        truth.
        """

    @abstractmethod
    def parts(self, rows: P, scored: Any, bins: int) -> dict[str, Any]:
        """A report's sections besides metrics. scored: from `score`."""

    def losses(self, rows: P) -> Floats:
        """The loss of each row (N,), in nats; NaN if undefined."""
        scored: Any = self.score(rows)
        return cast(Floats, scored.loss)

    def some(self, rows: P, order: Sequence[int]) -> P:
        """Only these rows, in this order."""
        found: Any = rows
        return cast(P, replace(found, **{name: chosen(getattr(rows, name), order) for name in self.per_row}))

    def under(self, rows: P, labels: tuple[str, ...]) -> P:
        """The same predictions with the same labels in another order."""
        return rows

    def compared(self, one: Countable, two: Countable) -> Sequence[str]:
        """The names of the metrics that can compare two models on these rows."""
        return self.metrics.compared

    def report(self, rows: P, *, bins: int = 15, count: int = RESAMPLES, seed: int = 1) -> dict[str, Any]:
        """The full evaluation of one model: task, rows, clusters, every defined metric, intervals {name:
        {low, high}}, and the task's own sections. count: number of resamples; 0: no intervals.
        """
        scored = self.score(rows, bins=bins)
        return {
            "task": self.task,
            "rows": len(scored),
            "clusters": Together.of(len(scored), rows.clusters).clusters,
            **bootstrap.summary(scored, count=count, seed=seed, clusters=rows.clusters),
            **self.parts(rows, scored, bins),
        }

    def compare(
        self, one: P, two: P, *, count: int = RESAMPLES, seed: int = 1, progress: Done = no_op
    ) -> dict[str, Any]:
        """Improvement of `two` on the rows that both have with the same truth: rows, their clusters and
        effective number, left_out (rows of one side only or with different truth), and metrics as in
        `paired_rows`. progress: as there.

        Raises ValueError if the labels differ other than in order, or no row is shared.
        """
        if set(one.labels) != set(two.labels):
            differing = sorted(set(one.labels) ^ set(two.labels))
            raise ValueError(
                f"The models have different labels, so they can't be compared: {', '.join(differing[:5])}."
            )
        first, second = self.shared(one, two)
        if not first:
            raise ValueError(
                "The two evaluations share no items. Evaluate both on the same dataset version and split."
            )
        before, after = (
            self.score(self.some(one, first)),
            self.score(self.under(self.some(two, second), one.labels)),
        )
        clusters = shared_clusters(one.clusters, two.clusters, first, second)
        found = comparisons.paired_rows(
            before,
            after,
            self.compared(before, after),
            labels=one.labels or None,
            count=count,
            seed=seed,
            lower=self.metrics.lower,
            clusters=clusters,
            progress=progress,
            swaps=comparisons.SWAPS,
        )
        together = Together.of(len(first), clusters)
        return {
            "rows": len(first),
            "clusters": together.clusters,
            "effective_clusters": round(together.least, 2),
            "left_out": len(set(one.ids) | set(two.ids)) - len(first),
            "metrics": found,
        }

    def shared(self, one: P, two: P) -> tuple[list[int], list[int]]:
        """Row numbers of each side for the same item with the same truth, aligned, in the first one's
        order.
        """
        theirs = {item: row for row, item in enumerate(two.ids)}
        mine, other = self.truths(one, one.labels), self.truths(two, one.labels)
        pairs = [
            (row, theirs[item])
            for row, item in enumerate(one.ids)
            if item in theirs and other[theirs[item]] == mine[row]
        ]
        return [row for row, _ in pairs], [row for _, row in pairs]


def chosen(values: Any, order: Sequence[int]) -> Any:
    """The elements at these places of an array or tuple; None for None."""
    if values is None or isinstance(values, np.ndarray):
        return None if values is None else values[list(order)]
    return tuple(values[row] for row in order)


def shared_clusters(one: Ints | None, two: Ints | None, first: Sequence[int], second: Sequence[int]) -> Ints:
    """Cluster numbers of the rows that two files share (n,), from the first file that has them; each row is
    its own cluster if neither does. one, two: of all rows of each file; first, second: row numbers of the
    shared rows, aligned.
    """
    known = one[first] if one is not None else two[second] if two is not None else range(len(first))
    return clustered.numbered(known)
