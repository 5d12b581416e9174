"""The tasks whose models answer clients. Standard library only."""

from __future__ import annotations

from lifecycle.runtime.task_types.by_key.types import learned_as

SERVED = ("single_label",)  # keys of what is learned


def is_servable(task: str) -> bool:
    """Whether a server gives the answers of the models that learn this task. Raises KeyError."""
    return learned_as(task).key in SERVED
