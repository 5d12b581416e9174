"""Files of texts with spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.task_types.columns import NAMES, Role
from lifecycle.task_types.exports import Entry, Export, Lines, Tally
from lifecycle.task_types.formats import Formats
from lifecycle.task_types.hub import PLACE, TEXT, HubColumns, class_label, numbered, sequence
from lifecycle.task_types.inputs import CellKind
from lifecycle.task_types.spans import conll
from lifecycle.task_types.spans.answers import tokens_text

NOTE = "In `spans`: what was decided, as code points. `tokens` and `ner_tags` are made of it, without spans that overlap a longer one."


class SpanFormats(Formats):
    """Spans by code points, or as tags of tokens."""

    dataset_of = "marked parts"
    cells = (CellKind.SPANS,)
    columns = {
        Role.LABEL: ("spans", "entities", "ents", "annotations", "nertags", "tags", *NAMES[Role.LABEL]),
        Role.TEXT: ("text", "tokens", *NAMES[Role.TEXT]),
    }
    exports = {"conll": Export(conll.lines)}

    def text(self, cell: str) -> str:
        """A list of tokens with one blank between."""
        return tokens_text(cell)

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Spans as they are, and as tokens with tags by their numbers."""
        tags = conll.tags_of(labels)
        numbers = numbered(tags)
        features = {
            "tokens": sequence(TEXT), "ner_tags": sequence(class_label(tags)), "spans": [{"start": PLACE, "end": PLACE, "label": TEXT}],
        }  # fmt: skip

        def row(entry: Entry, tally: Tally) -> Mapping[str, Any]:
            spans = conll.spans_of(entry)
            kept = conll.without_overlap(spans)
            tally.losses["tags"] += len(spans) - len(kept)
            tagged = list(conll.tagged(entry.text, kept))
            return {"tokens": [word for word, _ in tagged], "ner_tags": [numbers[tag] for _, tag in tagged], "spans": entry.label}

        return HubColumns(features, row, note=NOTE)


ENTRY = SpanFormats()
