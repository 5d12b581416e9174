"""Code samples for loading a model, keyed by the type that it learns. Needs numpy."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.generation import loading as generation
from lifecycle.runtime.task_types.loading import Loading
from lifecycle.runtime.task_types.multi_label import loading as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.preference import loading as preference
from lifecycle.runtime.task_types.ranking import loading as ranking
from lifecycle.runtime.task_types.single_label import loading as single_label
from lifecycle.runtime.task_types.spans import loading as spans

LOADING: Mapping[str, Loading] = with_plugins(
    "loading",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def loading_of(task: str) -> Loading:
    """The code samples for models of this task. Raises KeyError."""
    return LOADING[learned_as(task).key]
