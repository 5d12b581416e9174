"""File formats of multi-label texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lifecycle.runtime.task_types import fasttext
from lifecycle.runtime.task_types.columns import NAMES, Role
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Tally
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.hub import HubColumns, class_label, numbered, sequence
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.tools import choices, of_labels


def fasttext_lines(entry: Entry, tally: Tally) -> Iterator[str]:
    """fastText with all labels."""
    return fasttext.lines(entry, entry.label, tally)


class MultiLabelFormats(Formats):
    """Label names."""

    cells = (CellKind.NAMES, CellKind.PLAIN)
    columns = {Role.LABEL: ("labels", "accept", "cats", *NAMES[Role.LABEL])}
    tools = of_labels("labels", lambda value: value["labels"])
    tags = ("Choices multiple",)
    exports = {"fasttext": Export(fasttext_lines)}

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio's Choices control with multiple selection."""
        return choices("multiple", labels)

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Label numbers."""
        numbers = numbered(labels)
        return HubColumns(
            {"labels": sequence(class_label(labels))},
            lambda entry, tally: {"labels": [numbers[name] for name in entry.label]},
        )


ENTRY = MultiLabelFormats()
