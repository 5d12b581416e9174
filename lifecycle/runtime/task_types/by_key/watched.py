"""What monitoring watches of each task, keyed by the type that its model learns; a task without it has no
drift figures. Needs numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.multi_label import watched as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.preference import watched as preference
from lifecycle.runtime.task_types.ranking import watched as ranking
from lifecycle.runtime.task_types.single_label import watched as single_label
from lifecycle.runtime.task_types.spans import watched as spans
from lifecycle.runtime.task_types.watched import Watched

WATCHED: Mapping[str, Watched[Any]] = with_plugins(
    "watched",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def watched_of(task: str) -> Watched[Any] | None:
    """What is watched of this task's predictions; None where nothing is. Raises KeyError."""
    return WATCHED.get(learned_as(task).key)
