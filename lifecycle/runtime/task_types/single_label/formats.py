"""File formats of single-label texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lifecycle.runtime.task_types import fasttext
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Object, Tally, json_lines
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.hub import HubColumns, class_label, numbered
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.layouts import UNPAIRED
from lifecycle.runtime.task_types.tools import choices, of_labels

YES, NO = "true", "false"


def fasttext_lines(entry: Entry, tally: Tally) -> Iterator[str]:
    """fastText with one label."""
    return fasttext.lines(entry, [entry.label], tally)


@json_lines
def unpaired(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "completion", "label": true | false}, TRL's format of unpaired preferences."""
    prompt, completion = entry.content.get("text", entry.text), entry.content.get("context", "")
    yield {"prompt": prompt, "completion": completion, "label": entry.label == YES}


class SingleLabelFormats(Formats):
    """A label name."""

    cells = (CellKind.NAMES, CellKind.PLAIN)
    takes_lists = False
    optional = (Role.CONTEXT, Role.CONTENT)
    layouts = {UNPAIRED: (Role.TEXT, Role.CONTEXT, Role.LABEL)}
    tools = of_labels("label", lambda value: [value["label"]])
    tags = ("Choices",)
    exports = {"fasttext": Export(fasttext_lines), "unpaired": Export(unpaired, labels=(NO, YES))}

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio's Choices control with a single selection."""
        return choices("single", labels)

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """A label number."""
        numbers = numbered(labels)
        return HubColumns(
            {"label": class_label(labels)}, lambda entry, tally: {"label": numbers[entry.label]}
        )


ENTRY = SingleLabelFormats()
