"""File formats of texts with spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from lifecycle.runtime.task_types.columns import NAMES, Role
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Tally
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.hub import PLACE, TEXT, HubColumns, class_label, numbered, sequence
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.spans import conll
from lifecycle.runtime.task_types.spans.answers import tokens_text
from lifecycle.runtime.task_types.tools import ARGILLA, DOCCANO, PRODIGY, STUDIO, TEXT_TAG, Outgoing, Tool

NOTE = (
    "In `spans`: the final annotations, as code points. `tokens` and `ner_tags` omit spans that overlap a"
    " longer one."
)

COLOURS = (
    "#4c72b0",
    "#dd8452",
    "#55a868",
    "#c44e52",
    "#8172b3",
    "#937860",
    "#da8bc3",
    "#8c8c8c",
    "#ccb974",
    "#64b5cd",
)


def regions(given: Outgoing) -> list[tuple[str, Any]]:
    """One Label Studio region per span."""
    return [
        ("labels", region(each["start"], each["end"], each["label"], given.text))
        for each in given.value["spans"]
    ]


def region(start: int, end: int, label: str, text: str) -> dict[str, Any]:
    """The value of a region."""
    return {"start": start, "end": end, "text": text[start:end], "labels": [label]}


class SpanFormats(Formats):
    """Spans in code points, or as token tags."""

    cells = (CellKind.SPANS,)
    columns = {
        Role.LABEL: ("spans", "entities", "ents", "annotations", "nertags", "tags", *NAMES[Role.LABEL]),
        Role.TEXT: ("text", "tokens", *NAMES[Role.TEXT]),
    }
    tools = {
        STUDIO: Tool(regions),
        DOCCANO: Tool(
            lambda given: [[each["start"], each["end"], each["label"]] for each in given.value["spans"]]
        ),
        PRODIGY: Tool(lambda given: {"spans": given.value["spans"]}),
        ARGILLA: Tool(lambda given: given.value["spans"]),
    }
    tags = ("Labels", "HyperTextLabels")
    exports = {"conll": Export(conll.lines)}

    def text(self, cell: str) -> str:
        """A list of tokens, separated by spaces."""
        return tokens_text(cell)

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio's Labels control, with a colour per label."""
        lines = "\n".join(
            f'  <Label value={quoteattr(name)} background="{COLOURS[at % len(COLOURS)]}"/>'
            for at, name in enumerate(labels)
        )
        return TEXT_TAG, f'<Labels name="label" toName="text">\n{lines}\n</Labels>'

    def beside_kept(self, label: Any, text: str, kept: Callable[[str], str]) -> Any:
        """The spans at their places in the changed text, with their texts."""
        return [
            {
                "start": len(kept(text[: each["start"]])),
                "end": len(kept(text[: each["end"]])),
                "label": each["label"],
                "text": kept(text[each["start"] : each["end"]]),
            }
            for each in label
        ]

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Spans, and tokens with tag numbers."""
        tags = conll.tags_of(labels)
        numbers = numbered(tags)
        features = {
            "tokens": sequence(TEXT),
            "ner_tags": sequence(class_label(tags)),
            "spans": [{"start": PLACE, "end": PLACE, "label": TEXT}],
        }

        def row(entry: Entry, tally: Tally) -> Mapping[str, Any]:
            spans = conll.spans_of(entry)
            kept = conll.without_overlap(spans)
            tally.losses["tags"] += len(spans) - len(kept)
            tagged = list(conll.tagged(entry.text, kept))
            return {
                "tokens": [word for word, _ in tagged],
                "ner_tags": [numbers[tag] for _, tag in tagged],
                "spans": entry.label,
            }

        return HubColumns(features, row, note=NOTE)


ENTRY = SpanFormats()
