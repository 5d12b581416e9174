"""File formats of texts with one number each."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.exports import Lines
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.hub import HubColumns
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.tools import ARGILLA, STUDIO, TEXT_TAG, Tool
from tests.task_types.regression.answers import HIGH, LOW


class NumberFormats(Formats):
    """A column of numbers."""

    cells = (CellKind.NUMBERS, CellKind.NAMES, CellKind.PLAIN)  # Argilla's ratings are names
    takes_lists = False
    optional = (Role.CONTEXT, Role.CONTENT)
    columns = {Role.LABEL: ("score", "number", "rating", "grade")}
    tools = {
        STUDIO: Tool(lambda given: [("number", {"number": given.value["number"]})]),
        ARGILLA: Tool(lambda given: given.value["number"]),
    }
    tags = ("Number",)
    rows_in_words = "each with a number"

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """One number."""
        return TEXT_TAG, f'<Number name="label" toName="text" min="{LOW:g}" max="{HIGH:g}" step="0.1"/>'

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """The number."""
        return HubColumns(
            {"number": {"dtype": "float64", "_type": "Value"}}, lambda entry, tally: {"number": entry.label}
        )


ENTRY = NumberFormats()
