"""What a report says of a baseline, and how a run stands to it on the same rows.

A baseline's leading score on each resample is kept with its scores: a later run on these rows draws the same resamples, so the two are
paired though the baseline isn't fitted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lifecycle.statistics import metrics
from lifecycle.statistics.metrics import Countable, Floats
from lifecycle.task_types.by_key.measures import metrics_of
from lifecycle.task_types.rows import Rows

DIGITS = 7  # that are kept of a score of a resample


class Measured(NamedTuple):
    """scores: `beside` of the task's metrics, on some rows, with intervals {name: {low, high}}. drawn: the leading one on each resample;
    None where a resample has none."""

    scores: dict[str, Any]
    drawn: list[float | None]


def measure(scored: Countable, rows: Rows, *, task: str, count: int, seed: int) -> Measured:
    """A baseline's answers to these rows, ready to be counted."""
    every = metrics.summary(scored, count=count, seed=seed, clusters=rows.codes)
    known = [name for name in metrics_of(task).beside if name in every]
    intervals = {name: every["intervals"][name] for name in known if name in every["intervals"]}
    return Measured({name: every[name] for name in known} | {"intervals": intervals}, drawn(scored, rows, task, count, seed).tolist())


def drawn(scored: Countable, rows: Rows, task: str, count: int, seed: int) -> Floats:
    """The task's leading score of each resample (count,)."""
    return metrics.drawn(scored, metrics_of(task).leading.name, count=count, seed=seed, clusters=rows.codes).round(DIGITS)


def told(own: Countable, rows: Rows, found: Mapping[str, Measured], *, task: str, count: int, seed: int) -> dict[str, Any]:
    """The parts of a report that tell of baselines. own: the run's answers to the same rows. {"baselines": their scores, "baselines_drawn",
    "against": of each baseline the leading score as of `metrics.paired`, the run as the candidate}."""
    name = metrics_of(task).leading.name
    value, ours = metrics.point_estimates(own)[name], drawn(own, rows, task, count, seed)
    against = {
        baseline: {name: metrics.apart(name, (each.scores[name], np.array(each.drawn, dtype=np.float64)), (value, ours), rows.codes)}
        for baseline, each in found.items()
        if each.scores.get(name) is not None
    }
    return {
        "baselines": {baseline: each.scores for baseline, each in found.items()},
        "baselines_drawn": {baseline: each.drawn for baseline, each in found.items()},
        "against": against,
    }
