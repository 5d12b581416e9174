"""Pre-labels by task, for tasks whose models pre-label. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.multi_label import suggestions as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.single_label import suggestions as single_label
from lifecycle.runtime.task_types.spans import suggestions as spans
from lifecycle.runtime.task_types.suggestions import Suggestions

SUGGESTIONS: Mapping[str, Suggestions] = with_plugins(
    "suggestions",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
    },
)
WHOLE = Suggestions()  # for every other task: pre-labels only from files and the API


def suggestions_of(task: str) -> Suggestions:
    """How pre-labels of this task are handled. Raises KeyError."""
    return SUGGESTIONS.get(learned_as(task).key, WHOLE)
