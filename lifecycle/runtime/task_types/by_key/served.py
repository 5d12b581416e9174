"""Served forms by task, keyed by the type that its model learns; a task without one can't be served. Needs
numpy.
"""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.served import Served
from lifecycle.runtime.task_types.single_label import served as single_label

SERVED: Mapping[str, Served] = with_plugins("served", {"single_label": single_label.ENTRY})


def is_servable(task: str) -> bool:
    """Whether models of this task can be served. Raises KeyError."""
    return learned_as(task).key in SERVED


def served_of(task: str) -> Served:
    """How this task's predictions are served. Raises KeyError."""
    return SERVED[learned_as(task).key]
