"""Annotations as labeling tools write them, and the labeling configuration of Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from lifecycle.runtime.task_types.answers import ItemContent, Value

STUDIO, DOCCANO, PRODIGY, ARGILLA = "labelstudio", "doccano", "prodigy", "argilla"
TEXT_TAG = '<Text name="text" value="$text"/>'


class Outgoing(NamedTuple):
    """An annotation that goes out. value: its labels by name. text: of the item. options: ids of the responses to be ranked, as a task of
    Label Studio names them."""

    value: Value
    text: str = ""
    options: Sequence[str] = ()


def own_text(item: ItemContent) -> dict[str, Any]:
    """The text as a field."""
    return {"text": item.text}


def prompt_of(item: ItemContent) -> dict[str, Any]:
    """The prompt as a field, where there is one."""
    return {"prompt": item.content["prompt"]} if item.content.get("prompt") else {}


@dataclass(frozen=True, slots=True)
class Tool:
    """How a labeling tool keeps a task. write: an annotation; None where the tool can't, and omits says what that is. fields: of an item
    that came from elsewhere. to: what an annotation is about, as regions of Label Studio name it.

    Label Studio's is a list of regions, (type, value); doccano's a list of labels; Prodigy's the keys of an example; Argilla's a value.
    """

    write: Callable[[Outgoing], Any]
    fields: Callable[[ItemContent], Mapping[str, Any]] = own_text
    to: str = "text"
    omits: str = ""


def of_labels(name: str, names: Callable[[Value], list[str]]) -> dict[str, Tool]:
    """The tools of a task whose annotations are labels of the whole text. name: of the value; names: of its labels."""
    return {
        STUDIO: Tool(lambda given: [("choices", {"choices": names(given.value)})]),
        DOCCANO: Tool(lambda given: names(given.value)),
        PRODIGY: Tool(lambda given: {"accept": names(given.value)}),
        ARGILLA: Tool(lambda given: given.value[name]),
    }


def choices(how: str, labels: Iterable[str]) -> tuple[str, ...]:
    """A configuration that asks for labels of the whole text. how: single or multiple."""
    lines = "\n".join(f"  <Choice value={quoteattr(name)}/>" for name in labels)
    return TEXT_TAG, f'<Choices name="label" toName="text" choice="{how}">\n{lines}\n</Choices>'
