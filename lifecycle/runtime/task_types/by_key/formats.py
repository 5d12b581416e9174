"""File formats by task. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.runtime.task_types.chat import formats as chat
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.generation import formats as generation
from lifecycle.runtime.task_types.multi_label import formats as multi_label
from lifecycle.runtime.task_types.plugins import with_plugins
from lifecycle.runtime.task_types.preference import formats as preference
from lifecycle.runtime.task_types.ranking import formats as ranking
from lifecycle.runtime.task_types.single_label import formats as single_label
from lifecycle.runtime.task_types.spans import formats as spans

FORMATS: Mapping[str, Formats] = with_plugins(
    "formats",
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


def formats_of(task: str) -> Formats:
    """The file formats of this task. Raises KeyError."""
    return FORMATS[task]
