"""Annotations in labeling tools' formats, and Label Studio's labeling configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from lifecycle.runtime.task_types.answers import ItemContent, Value

STUDIO, DOCCANO, PRODIGY, ARGILLA = "labelstudio", "doccano", "prodigy", "argilla"
TEXT_TAG = '<Text name="text" value="$text"/>'


class Outgoing(NamedTuple):
    """An annotation to export. value: with label names. text: of the item. options: ids of the ranked
    responses in a Label Studio task.
    """

    value: Value
    text: str = ""
    options: Sequence[str] = ()


def own_text(item: ItemContent) -> dict[str, Any]:
    """The text as a field."""
    return {"text": item.text}


def prompt_of(item: ItemContent) -> dict[str, Any]:
    """The prompt as a field, if there is one."""
    return {"prompt": item.content["prompt"]} if item.content.get("prompt") else {}


@dataclass(frozen=True, slots=True)
class Tool:
    """How a labeling tool stores a task. write: converts an annotation; None if the tool can't store it, as
    `omits` explains. fields: of an item from elsewhere. to: target of the annotation in Label Studio's
    regions.

    Label Studio's is a list of regions (type, value); doccano's a list of labels; Prodigy's the keys of an
    example; Argilla's a value.
    """

    write: Callable[[Outgoing], Any]
    fields: Callable[[ItemContent], Mapping[str, Any]] = own_text
    to: str = "text"
    omits: str = ""


def of_labels(name: str, names: Callable[[Value], list[str]]) -> dict[str, Tool]:
    """The tools of tasks with labels of whole texts. name: of the value; names: of its labels."""
    return {
        STUDIO: Tool(lambda given: [("choices", {"choices": names(given.value)})]),
        DOCCANO: Tool(lambda given: names(given.value)),
        PRODIGY: Tool(lambda given: {"accept": names(given.value)}),
        ARGILLA: Tool(lambda given: given.value[name]),
    }


def choices(how: str, labels: Iterable[str]) -> tuple[str, ...]:
    """A configuration for labels of whole texts. how: single or multiple."""
    lines = "\n".join(f"  <Choice value={quoteattr(name)}/>" for name in labels)
    return TEXT_TAG, f'<Choices name="label" toName="text" choice="{how}">\n{lines}\n</Choices>'
