"""Every type of task, by its key. Standard library only: who asks what a task is loads nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.chat import task_type as chat
from lifecycle.runtime.task_types.generation import task_type as generation
from lifecycle.runtime.task_types.multi_label import task_type as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.preference import task_type as preference
from lifecycle.runtime.task_types.ranking import task_type as ranking
from lifecycle.runtime.task_types.single_label import task_type as single_label
from lifecycle.runtime.task_types.spans import task_type as spans
from lifecycle.runtime.task_types.task_type import TaskType

TYPES: Mapping[str, TaskType] = with_plugins("task_type", {
    "single_label": single_label.ENTRY, "multi_label": multi_label.ENTRY, "spans": spans.ENTRY, "generation": generation.ENTRY,
    "chat": chat.ENTRY, "preference": preference.ENTRY, "ranking": ranking.ENTRY,
})  # fmt: skip
DEFAULT = "single_label"  # of a new dataset, and of runs, reports and files that name no task
LEARNED = tuple(key for key, each in TYPES.items() if not each.learns_as)  # that models are of


def type_of(task: str) -> TaskType:
    """The type with this key. Raises KeyError."""
    return TYPES[task]


def learned_as(task: str) -> TaskType:
    """The type whose model learns this task. Raises KeyError."""
    return TYPES[TYPES[task].learns_as or task]


def keys_with(capability: str) -> list[str]:
    """The keys of the types of which a capability is true, for queries."""
    return [key for key, each in TYPES.items() if getattr(each, capability)]


def choices() -> list[tuple[str, str]]:
    """Keys with their titles, for fields and forms."""
    return [(key, f"{each.title}: {each.asks}") for key, each in TYPES.items()]
