"""Learners by task, keyed by the type that its model learns. torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.engine.task_types.generation import learner as generation
from lifecycle.runtime.engine.task_types.learner import Learner
from lifecycle.runtime.engine.task_types.multi_label import learner as multi_label
from lifecycle.runtime.engine.task_types.ranking import learner as ranking
from lifecycle.runtime.engine.task_types.single_label import learner as single_label
from lifecycle.runtime.engine.task_types.spans import learner as spans
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.plugins import with_plugins

LEARNERS: Mapping[str, Learner[Any]] = with_plugins(
    "learner",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": ranking.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def learner_of(task: str) -> Learner[Any]:
    """The learner of this task's models. Raises KeyError."""
    return LEARNERS[learned_as(task).key]
