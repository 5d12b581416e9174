"""Annotation forms by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from datasets_app.queues.task_types.chat import widget as chat
from datasets_app.queues.task_types.generation import widget as generation
from datasets_app.queues.task_types.multi_label import widget as multi_label
from datasets_app.queues.task_types.preference import widget as preference
from datasets_app.queues.task_types.ranking import widget as ranking
from datasets_app.queues.task_types.single_label import widget as single_label
from datasets_app.queues.task_types.spans import widget as spans
from datasets_app.queues.task_types.widget import Widget
from lifecycle.runtime.task_types.plugins import with_plugins

WIDGETS: Mapping[str, Widget] = with_plugins(
    "widget",
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


def widget_of(task: str) -> Widget:
    """The form for annotations of this task. Raises KeyError."""
    return WIDGETS[task]


def posted(data: QueryDict) -> Any | None:
    """The value in a submitted plain form; each task has its own fields."""
    return next((raw for widget in WIDGETS.values() if (raw := widget.posted(data)) is not None), None)


def typed(data: QueryDict) -> Any | None:
    """The value a reviewer entered in the same kind of form."""
    return next((raw for widget in WIDGETS.values() if (raw := widget.typed(data)) is not None), None)
