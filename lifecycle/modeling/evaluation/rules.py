"""Findings about predictions. Pure: arrays and reports in, lists for pages out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.measures import Metric, Metrics
from lifecycle.runtime.task_types.task_type import TaskType
from lifecycle.ui.numbers import GAP, decimals, percent

# no rival: a model never sees the position of a response, and in some files the preferred one is always first
PLACE = "first"
LEAST_ERRORS = 20  # minimum for clustering errors
LEAST_ROWS = 50  # of each side, needed for membership inference
LEAK = 0.55  # AUC: a lower end above this is a leak; between 0.5 and this, a warning
NOT_REPORTED = frozenset({"format", "status", "error", "seconds", "peak_memory_mb"})


@dataclass(frozen=True, slots=True)
class Pair:
    """How often one class was predicted as another; in multi-label, missed with the other predicted. support:
    rows of the true class.
    """

    true: str
    predicted: str
    count: int
    support: int

    @property
    def share(self) -> float:
        """The share of the rows of the true class."""
        return self.count / self.support


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction for one item, by the item's digest. true, predicted: class names.

    confidence: its probability; in multi-label, that of the most confident wrong label decision, or if all
    are correct, of the least confident one.
    """

    item: str
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    confidence: float
    loss: float


SIDES = {"fixed": 1, "better": 1, "broken": -1, "worse": -1}
Turned = dict[str, int]  # item → 1 if fixed, −1 if broken


@dataclass(frozen=True, slots=True)
class Change:
    """An item with different predictions from two models. kind: fixed (only the second is correct), broken
    (only the first), other; for generated text better, worse, or same, without the texts.
    """

    item: str
    true: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    kind: str

    @classmethod
    def of(
        cls, item: str, true: Sequence[str], first: Sequence[str], second: Sequence[str], kind: str
    ) -> Change:
        """From JSON, in the order of the fields."""
        return cls(item, tuple(true), tuple(first), tuple(second), kind)


def report_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's result without values that vary between executions."""
    return {name: value for name, value in result.items() if name not in NOT_REPORTED}


def interval(report: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    """The 95 % interval of a metric; (None, None) if it wasn't computed."""
    found = report.get("intervals", {}).get(name) or {}
    return found.get("low"), found.get("high")


@dataclass(frozen=True, slots=True)
class Rival:
    """A baseline that a run doesn't significantly beat by its task's main score.

    metric: that score's name; one: with its article, within a sentence. value: the baseline's; own: the
    run's. is_ahead: it is significantly better than the run; else neither is. by_intervals: whether there is
    a 95 % interval; else only the scores were compared. low, high: of the difference on the same rows, run
    minus baseline; None if it was not measured, and the intervals of both are compared.
    """

    name: str
    metric: str
    one: str
    value: float
    own: float
    is_ahead: bool
    by_intervals: bool = True
    low: float | None = None
    high: float | None = None


def rival(report: Mapping[str, Any]) -> Rival | None:
    """The baseline that challenges a fine-tuned model: the best of those significantly better, else of those
    it doesn't significantly beat; None if it beats all, or there are none.

    Significance is that of the paired difference; if it was not measured, of separate 95 % intervals;
    without intervals, the scores decide.
    """
    metric = leading_of(report)
    found = {
        name: each
        for name, each in (report.get("baselines") or {}).items()
        if each.get(metric.name) is not None and name != PLACE
    }
    if not found or report.get(metric.name) is None:
        return None
    unbeaten = filter(None, (against(report, metric, name, each) for name, each in found.items()))
    return max(unbeaten, key=lambda each: (each.is_ahead, metric.gain(each.value)), default=None)


def against(
    report: Mapping[str, Any], metric: Metric, name: str, baseline: Mapping[str, Any]
) -> Rival | None:
    """A baseline compared with a run; None if the run is significantly better. name: as in the report."""
    own, theirs, apart = report[metric.name], baseline[metric.name], paired(report, name)
    facts = (baselines_of(report).get(name, name), metric.name, metric.one, theirs, own)
    if apart:
        ahead, ends = apart["verdict"] == "worse", (apart["low"], apart["high"])
        return None if apart["verdict"] == "better" else Rival(*facts, ahead, True, *ends)
    (low, high), (their_low, their_high) = interval(report, metric.name), interval(baseline, metric.name)
    if low is None or high is None or their_low is None or their_high is None:
        ahead = metric.gain(own - theirs)
        return None if ahead > 0 else Rival(*facts, ahead < 0, by_intervals=False)
    if metric.lower_is_better:
        low, high, their_low, their_high = -high, -low, -their_high, -their_low
    return None if low > their_high else Rival(*facts, their_low > high)


def paired(report: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The difference of the main score from a baseline on the same rows, as in `paired_rows`; None if it
    wasn't measured.
    """
    found: Mapping[str, Any] | None = (report.get("against") or {}).get(name, {}).get(leading_of(report).name)
    return found if found and found["low"] is not None else None


def leading_of(report: Mapping[str, Any]) -> Metric:
    """The main score for comparing evaluations."""
    return metrics_of(report).leading


def metrics_of(report: Mapping[str, Any]) -> Metrics:
    """The metrics of its task."""
    return measures_of(task_type(report).key).metrics


def task_type(report: Mapping[str, Any]) -> TaskType:
    """The task of an evaluation."""
    return type_of(report["task"])


def errors(report: Mapping[str, Any]) -> int:
    """Rows with wrong predictions."""
    return int(report["wrong_rows"]) if "wrong_rows" in report else int(mistaken(report).sum())


def baselines_of(report: Mapping[str, Any]) -> Mapping[str, str]:
    """The baselines of its task with their titles, in page order."""
    return measures_of(task_type(report).key).baselines


def mistaken(report: Mapping[str, Any]) -> NDArray[np.int64]:
    """The confusion matrix (C, C) without its diagonal."""
    counts = np.array(report["confusion"]["counts"], dtype=np.int64)
    np.fill_diagonal(counts, 0)
    return counts


def count_confused(report: Mapping[str, Any]) -> int:
    """The number of confused pairs of classes."""
    return int(np.count_nonzero(mistaken(report)))


def confused(report: Mapping[str, Any], limit: int | None = None) -> list[Pair]:
    """Confused pairs of classes, most rows first, then by name; the first `limit`. 200 classes have 40,000
    pairs.
    """
    labels = report["confusion"]["labels"]
    supports = {each["label"]: each["support"] for each in report["per_class"]}
    support = np.array([supports[label] for label in labels])
    off = mistaken(report)
    rows, columns = np.nonzero(off)
    values = off[rows, columns]
    by_name = np.argsort(np.argsort(np.array(labels)))
    order = np.lexsort((by_name[columns], by_name[rows], -values / support[rows], -values))[:limit]
    return [
        Pair(labels[rows[at]], labels[columns[at]], int(values[at]), int(support[rows[at]])) for at in order
    ]


def worst(report: Mapping[str, Any], limit: int) -> list[int]:
    """Positions of the classes with most errors, ordered so that confused classes are adjacent."""
    position = {label: at for at, label in enumerate(report["confusion"]["labels"])}
    order: list[int] = []
    # this many pairs name at least `limit` classes, if there are as many
    for pair in confused(report, limit * limit):
        for label in (pair.true, pair.predicted):
            if position[label] not in order:
                order.append(position[label])
            if len(order) >= limit:
                return order
    return order


def matrix(report: Mapping[str, Any], positions: Sequence[int]) -> tuple[list[str], list[list[int]]]:
    """Labels and counts of the confusion matrix at these positions."""
    labels, counts = report["confusion"]["labels"], report["confusion"]["counts"]
    return [labels[at] for at in positions], [
        [counts[row][column] for column in positions] for row in positions
    ]


EXACT = 1e16  # from here on, PostgreSQL returns a float as an integer


def finite(value: Any) -> Any:
    """The value with NaN as None, recursively, for JSON; with numbers as every database returns them, so that
    its digest is stable.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if abs(value) >= EXACT else value + 0.0  # no negative zero
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value


# ── Membership inference ────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Leak:
    """The result of membership inference. kind: ok, warn or bad. fact, text: in words."""

    kind: str
    fact: str
    text: str


def leak(report: Mapping[str, Any]) -> Leak:
    """The result of an attack by its AUC and both ends of its interval: a leak is ruled out only if the whole
    interval is small.
    """
    low, high = report["low"], report["high"]
    kind, fact = (
        ("bad", "Training rows can be identified by their loss.")
        if low > LEAK
        else (
            ("warn", "Not enough data: leakage is neither shown nor ruled out.")
            if high > LEAK
            else (
                ("warn", "Training rows can be identified slightly better than by guessing.")
                if low > 0.5
                else ("ok", "This attack finds no leakage.")
            )
        )
    )
    measured = f"AUC {decimals(report['auc'], 2)} (95{GAP}% {decimals(low, 2)} to {decimals(high, 2)})"
    meaning = f"a training row has a lower loss than another row in {percent(report['auc'])} of pairs"
    return Leak(
        kind,
        fact,
        f"{measured}: {meaning}. 0.50 is guessing. This is a lower bound: a stronger attack may find more.",
    )
