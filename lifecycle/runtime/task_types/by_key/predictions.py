"""Predictions files by task, keyed by the type that its model learns. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.generation import predictions as generation
from lifecycle.runtime.task_types.multi_label import predictions as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.predictions import PredictionsFile
from lifecycle.runtime.task_types.preference import predictions as preference
from lifecycle.runtime.task_types.ranking import predictions as ranking
from lifecycle.runtime.task_types.single_label import predictions as single_label
from lifecycle.runtime.task_types.spans import predictions as spans

FILES: Mapping[str, PredictionsFile[Any]] = with_plugins(
    "predictions",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": preference.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def file_of(task: str) -> PredictionsFile[Any]:
    """The predictions file of this task's models. Raises KeyError."""
    return FILES[learned_as(task).key]
