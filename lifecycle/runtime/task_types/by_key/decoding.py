"""Decoding of logits by task, keyed by the type that its model learns; generation has none. Needs numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.task_types.by_key.types import learned_as
from lifecycle.runtime.task_types.decoding import Decoding
from lifecycle.runtime.task_types.multi_label import decoding as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.ranking import decoding as ranking
from lifecycle.runtime.task_types.single_label import decoding as single_label
from lifecycle.runtime.task_types.spans import decoding as spans

DECODING: Mapping[str, Decoding[Any]] = with_plugins(
    "decoding",
    {
        "single_label": single_label.ENTRY,
        "multi_label": multi_label.ENTRY,
        "spans": spans.ENTRY,
        "preference": ranking.ENTRY,
        "ranking": ranking.ENTRY,
    },
)


def decoding_of(task: str) -> Decoding[Any]:
    """How this task's logits are decoded. Raises KeyError."""
    return DECODING[learned_as(task).key]
