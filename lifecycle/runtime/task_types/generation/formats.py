"""File formats of text generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.columns import NAMES, Role
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Object, Tally, json_lines
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.hub import TEXT, HubColumns
from lifecycle.runtime.task_types.inputs import BadContent, CellKind
from lifecycle.runtime.task_types.layouts import ALPACA, INSTRUCTIONS, PROMPTS, SUMMARIES
from lifecycle.runtime.task_types.tools import ARGILLA, DOCCANO, STUDIO, TEXT_TAG, Tool


@json_lines
def prompts(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "completion"}."""
    tally.losses["joined"] += bool(entry.content)
    yield {"prompt": entry.text, "completion": entry.label}


@json_lines
def alpaca(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"instruction", "input", "output"}; input is empty without a context."""
    instruction, context = entry.content.get("text", entry.text), entry.content.get("context", "")
    yield {"instruction": instruction, "input": context, "output": entry.label}


@json_lines
def summaries(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"document", "summary"}."""
    tally.losses["joined"] += bool(entry.content)
    yield {"document": entry.text, "summary": entry.label}


class TextFormats(Formats):
    """Texts as written."""

    cells = (CellKind.TEXTS, CellKind.NAMES, CellKind.PLAIN)
    takes_lists = False
    optional = (Role.CONTEXT, Role.CONTENT)
    columns = {
        Role.TEXT: ("prompt", "instruction", "article", "document", "dialogue", *NAMES[Role.TEXT]),
        Role.LABEL: (
            "completion",
            "output",
            "summary",
            "highlights",
            "response",
            "answer",
            *NAMES[Role.LABEL],
        ),
    }
    layouts = {
        ALPACA: (Role.TEXT, Role.CONTEXT, Role.LABEL),
        **dict.fromkeys((INSTRUCTIONS, *SUMMARIES, PROMPTS), (Role.TEXT, Role.LABEL)),
    }
    tools = {
        STUDIO: Tool(lambda given: [("textarea", {"text": [given.value["text"]]})]),
        DOCCANO: Tool(lambda given: [given.value["text"]]),
        ARGILLA: Tool(lambda given: given.value["text"]),
    }
    tags = ("TextArea",)
    rows_in_words = "each with a response"
    exports = {"prompts": Export(prompts), "alpaca": Export(alpaca), "summaries": Export(summaries)}

    def asked(self, text: str, beside: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The text. Raises BadContent for several messages."""
        if beside:
            raise BadContent("messages", "A prompt has one text, but the request had several messages.")
        return None

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """A single text."""
        return TEXT_TAG, '<TextArea name="label" toName="text" maxSubmissions="1"/>'

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Prompt and completion."""
        return HubColumns(
            {"completion": TEXT}, lambda entry, tally: {"completion": entry.label}, text="prompt"
        )

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any]:
        """{"text", "answer"}, and "context" if the item has one."""
        context = item.content.get("context")
        return {"text": item.text, "answer": value["text"], **({"context": context} if context else {})}


ENTRY = TextFormats()
