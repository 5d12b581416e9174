"""Metrics by task, keyed by the type that its model learns. Needs numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.generation import measures as generation
from lifecycle.runtime.task_types.measures import Measures, Metric, Metrics
from lifecycle.runtime.task_types.multi_label import measures as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.preference import measures as preference
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.spans import measures as spans

MEASURES: Mapping[str, Measures[Any]] = with_plugins(
    "measures",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)
# Every metric by name, as defined by the first task that has it, for lookups without a task.
NAMED: Mapping[str, Metric] = {
    name: each for found in [*MEASURES.values()][::-1] for name, each in found.metrics.by_name.items()
}


def measures_of(task: str) -> Measures[Any]:
    """How models of this task are scored. Raises KeyError."""
    return MEASURES[learned_as(task).key]


def metrics_of(task: str) -> Metrics:
    """The metrics of this task. Raises KeyError."""
    return measures_of(task).metrics
