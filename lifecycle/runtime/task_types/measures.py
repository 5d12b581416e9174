"""What is measured of a task: its metrics and its baselines by name, and what becomes of predictions. numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import numpy as np

from lifecycle.runtime.statistics import calibration, clustered, metrics
from lifecycle.runtime.statistics.clustered import Ints
from lifecycle.runtime.statistics.metrics import RESAMPLES, Countable, Floats, Tell, Together, quietly


@dataclass(frozen=True, slots=True)
class Metric:
    """A score. name: in reports and in the engine's values. title: as tables of the task head it. words: within a sentence, also beside
    other tasks; by default the title. meaning: what it counts, in a few words. digits: behind the point. hub: what the Hugging Face Hub
    calls it; empty where a card does not name it there. is_share: from 0 to 1, so that differences are told in points of a hundred."""

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
            object.__setattr__(self, "words", self.title if is_name else self.title[0].lower() + self.title[1:])

    @property
    def heading(self) -> str:
        """The words where they begin a line."""
        return self.words[0].upper() + self.words[1:]

    def gain(self, difference: float) -> float:
        """A difference of two values with its sign turned so that above 0 is better."""
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
    for name, title in (("weighted_f1", "Weighted F1"), ("macro_precision", "Macro precision"), ("macro_recall", "Macro recall"))
)
LARGEST_GAP = f"Largest gap (bins of {calibration.LEAST_IN_BIN} rows or more)"
CALIBRATION = (
    *(ECE, ECE_DEBIASED),
    *(Metric(name, LARGEST_GAP, lower_is_better=True) for name in ("largest_gap", "mce")),  # the last in reports from before
)


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The metrics of a task, each once. known: in the order of a report.

    leading: by which evaluations, baselines and versions are compared. trained: by which the best step, the best trial, and a trial that is
    given up are decided. listed: by which a run is known beside others. The rest are names, the main one first. strip: at the head of a
    report. beside: of a run and its baselines, side by side. compared: of two models on the same rows. watched: of validation, while a run
    trains. drawn: those of them that pages show. registered: what a registered version keeps. loss: the one that training lowers; lowered:
    what that is, in words.
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

    @cached_property
    def by_name(self) -> Mapping[str, Metric]:
        """Each metric, also that of training."""
        return {each.name: each for each in (self.trained, *self.known)}

    def __getitem__(self, name: str) -> Metric:
        return self.by_name[name]

    @cached_property
    def lower(self) -> frozenset[str]:
        """The names of those of which less is better."""
        return frozenset(each.name for each in self.by_name.values() if each.lower_is_better)


class Predicted(Protocol):
    """A model's predictions of N rows. labels: () where the task has none. clusters: number of each row's cluster (N,), such as near
    duplicates that were split together; None where a file was written before that was kept."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of their numbers."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Of each row."""

    @property
    def clusters(self) -> Ints | None:
        """Of each row."""


P = TypeVar("P", bound=Predicted)


@dataclass(frozen=True)
class Measures(ABC, Generic[P]):
    """What a task is measured by. task: its key. baselines: what a model must beat, with their titles, in the order of pages. reference:
    that of them which a run in training is read beside, and its name in a figure. per_row: the parts of P that are of each row. stated: the
    task in a model card, with when an answer is correct; empty where a label is."""

    task: str
    metrics: ClassVar[Metrics]
    baselines: ClassVar[Mapping[str, str]]
    reference: ClassVar[tuple[str, str]] = ("tfidf_logreg", "TF-IDF")
    per_row: ClassVar[tuple[str, ...]]
    stated: ClassVar[str] = ""

    @abstractmethod
    def score(self, rows: P, bins: int = 15) -> Countable:
        """The rows ready to be counted."""

    @abstractmethod
    def truths(self, rows: P, labels: tuple[str, ...]) -> Sequence[Hashable]:
        """What is true of each row, with the labels in this order: two models are compared on rows where it is the same."""

    @abstractmethod
    def parts(self, rows: P, scored: Any, bins: int) -> dict[str, Any]:
        """What a report has beside its metrics. scored: of `score`."""

    def losses(self, rows: P) -> Floats:
        """The loss of each row (N,), in nats; NaN where it has none."""
        scored: Any = self.score(rows)
        return cast(Floats, scored.loss)

    def some(self, rows: P, order: Sequence[int]) -> P:
        """These rows alone, in this order."""
        found: Any = rows
        return cast(P, replace(found, **{name: chosen(getattr(rows, name), order) for name in self.per_row}))

    def under(self, rows: P, labels: tuple[str, ...]) -> P:
        """The same with the labels, which are equal as a set, in this order."""
        return rows

    def compared(self, one: Countable, two: Countable) -> Sequence[str]:
        """The names of the metrics by which two models can be compared on these rows."""
        return self.metrics.compared

    def report(self, rows: P, *, bins: int = 15, count: int = RESAMPLES, seed: int = 1) -> dict[str, Any]:
        """Everything an evaluation shows of one model: task, rows, clusters, every metric that is known, intervals {name: {low, high}}, and
        the task's own parts. count: resamples; 0: no intervals."""
        scored = self.score(rows, bins=bins)
        return {
            "task": self.task,
            "rows": len(scored),
            "clusters": Together.of(len(scored), rows.clusters).clusters,
            **metrics.summary(scored, count=count, seed=seed, clusters=rows.clusters),
            **self.parts(rows, scored, bins),
        }

    def compare(self, one: P, two: P, *, count: int = RESAMPLES, seed: int = 1, tell: Tell = quietly) -> dict[str, Any]:
        """How much better `two` is on the rows that both have with the same truth: rows, clusters of these, as how many of one size they
        count, left_out (rows of only one side, or whose truth differs), and metrics as of `paired_rows`. tell: as there.

        Raises ValueError where the labels differ, but for their order, or no row is shared.
        """
        if set(one.labels) != set(two.labels):
            differing = sorted(set(one.labels) ^ set(two.labels))
            raise ValueError(f"The two models know different labels, so they cannot be compared: {', '.join(differing[:5])}.")
        first, second = self.shared(one, two)
        if not first:
            raise ValueError("The two evaluations share no item, so they cannot be compared. Evaluate both on the same snapshot and split.")
        before, after = self.score(self.some(one, first)), self.score(self.under(self.some(two, second), one.labels))
        clusters = shared_clusters(one.clusters, two.clusters, first, second)
        found = metrics.paired_rows(
            before, after, self.compared(before, after), labels=one.labels or None, count=count, seed=seed, lower=self.metrics.lower,
            clusters=clusters, tell=tell, swaps=metrics.SWAPS,
        )  # fmt: skip
        together = Together.of(len(first), clusters)
        return {
            "rows": len(first),
            "clusters": together.clusters,
            "effective_clusters": round(together.least, 2),
            "left_out": len(set(one.ids) | set(two.ids)) - len(first),
            "metrics": found,
        }

    def shared(self, one: P, two: P) -> tuple[list[int], list[int]]:
        """Rows of each that are of the same item with the same truth, side by side, in the order of the first."""
        theirs = {item: row for row, item in enumerate(two.ids)}
        mine, other = self.truths(one, one.labels), self.truths(two, one.labels)
        pairs = [(row, theirs[item]) for row, item in enumerate(one.ids) if item in theirs and other[theirs[item]] == mine[row]]
        return [row for row, _ in pairs], [row for _, row in pairs]


def chosen(values: Any, order: Sequence[int]) -> Any:
    """Those at these places of an array or a tuple; None of None."""
    if values is None or isinstance(values, np.ndarray):
        return None if values is None else values[list(order)]
    return tuple(values[row] for row in order)


def shared_clusters(one: Ints | None, two: Ints | None, first: Sequence[int], second: Sequence[int]) -> Ints:
    """Numbers of the clusters of rows that two files share (n,): those of the first file that knows them; each row one of its own where
    neither does. one, two: of all rows of each file; first, second: numbers of the shared rows in each, side by side."""
    known = one[first] if one is not None else two[second] if two is not None else range(len(first))
    return clustered.numbered(known)
