"""The tasks whose models can be served. Standard library only."""

from __future__ import annotations

from lifecycle.runtime.task_types.by_key.types import learned_as

SERVED = ("single_label",)  # keys of the types that models learn


def is_servable(task: str) -> bool:
    """Whether models of this task can be served. Raises KeyError."""
    return learned_as(task).key in SERVED
