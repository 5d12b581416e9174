"""Run settings by task, keyed by the type that its model learns. No torch."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.engine.task_types.generation import settings as generation
from lifecycle.runtime.engine.task_types.multi_label import settings as multi_label
from lifecycle.runtime.engine.task_types.preference import settings as preference
from lifecycle.runtime.engine.task_types.ranking import settings as ranking
from lifecycle.runtime.engine.task_types.settings import Settings
from lifecycle.runtime.engine.task_types.single_label import settings as single_label
from lifecycle.runtime.engine.task_types.spans import settings as spans
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.plugins import with_plugins

SETTINGS: Mapping[str, Settings] = with_plugins(
    "settings",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def settings_of(task: str) -> Settings:
    """The settings of this task's models. Raises KeyError."""
    return SETTINGS[learned_as(task).key]
