"""Answerers by task, keyed by the type that its model learns. torch, onnxruntime, scikit-learn, pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.engine.task_types.answerer import Answerer
from lifecycle.runtime.engine.task_types.generation import answerer as generation
from lifecycle.runtime.engine.task_types.multi_label import answerer as multi_label
from lifecycle.runtime.engine.task_types.ranking import answerer as ranking
from lifecycle.runtime.engine.task_types.single_label import answerer as single_label
from lifecycle.runtime.engine.task_types.spans import answerer as spans
from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.plugins import with_plugins

ANSWERERS: Mapping[str, Answerer[Any, Any, Any]] = with_plugins(
    "answerer",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "generation": generation.ENTRY,
        "preference": ranking.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def answerer_of(task: str) -> Answerer[Any, Any, Any]:
    """The answerer of this task's models. Raises KeyError."""
    return ANSWERERS[learned_as(task).key]
