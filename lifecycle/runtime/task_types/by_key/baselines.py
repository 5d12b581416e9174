"""Baselines by task, keyed by the type that its model learns. Needs scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.baselines import Learn
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.generation import baselines as generation
from lifecycle.runtime.task_types.multi_label import baselines as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.ranking import baselines as ranking
from lifecycle.runtime.task_types.single_label import baselines as single_label
from lifecycle.runtime.task_types.spans import baselines as spans

BASELINES: Mapping[str, Learn] = with_plugins(
    "baselines",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": ranking.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def baselines_of(task: str) -> Learn:
    """How the baselines of this task are fitted. Raises KeyError."""
    return BASELINES[learned_as(task).key]
