"""Every task type by key. Standard library only, so that looking one up loads nothing else."""

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

TYPES: Mapping[str, TaskType] = with_plugins(
    "task_type",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "chat": chat.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)
DEFAULT = "single_label"  # for new datasets, and for runs, reports, and files that name no task
LEARNED = tuple(key for key, each in TYPES.items() if not each.learns_as)  # types that models are trained for


def type_of(task: str) -> TaskType:
    """The type with this key. Raises KeyError."""
    return TYPES[task]


def learned_as(task: str) -> TaskType:
    """The type that this task's model learns. Raises KeyError."""
    return TYPES[TYPES[task].learns_as or task]


def keys_with(capability: str) -> list[str]:
    """Keys of the types with a capability, for queries."""
    return [key for key, each in TYPES.items() if getattr(each, capability)]


def choices() -> list[tuple[str, str]]:
    """(key, title with description) of each type, for fields and forms."""
    return [(key, f"{each.title}: {each.asks}") for key, each in TYPES.items()]
