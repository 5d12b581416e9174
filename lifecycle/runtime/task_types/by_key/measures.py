"""What each task is measured by, by the key of what it is learned as. numpy."""

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

MEASURES: Mapping[str, Measures[Any]] = with_plugins("measures", {
    "single_label": single_label.ENTRY, "multi_label": multi_label.ENTRY, "spans": spans.ENTRY, "generation": generation.ENTRY,
    "preference": preference.ENTRY, "ranking": ranking.ENTRY,
})  # fmt: skip
# Every metric by its name, as the first task has it: for what is read without its task.
NAMED: Mapping[str, Metric] = {name: each for found in [*MEASURES.values()][::-1] for name, each in found.metrics.by_name.items()}


def measures_of(task: str) -> Measures[Any]:
    """What the models that learn this task are measured by. Raises KeyError."""
    return MEASURES[learned_as(task).key]


def metrics_of(task: str) -> Metrics:
    """Their metrics. Raises KeyError."""
    return measures_of(task).metrics
