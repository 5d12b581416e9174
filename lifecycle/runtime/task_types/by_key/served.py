"""Served forms by task, keyed by the type that its model learns. Needs numpy."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.generation import served as generation
from lifecycle.runtime.task_types.multi_label import served as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.preference import served as preference
from lifecycle.runtime.task_types.ranking import served as ranking
from lifecycle.runtime.task_types.served import Served
from lifecycle.runtime.task_types.single_label import served as single_label
from lifecycle.runtime.task_types.spans import served as spans

SERVED: Mapping[str, Served] = with_plugins(
    "served",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
        "generation": generation.ENTRY,
    },
)


def served_of(task: str) -> Served:
    """How this task's predictions are served. Raises KeyError."""
    return SERVED[learned_as(task).key]
