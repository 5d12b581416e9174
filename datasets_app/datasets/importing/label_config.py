"""Label Studio's labeling configuration: an XML text with the task and its labels. Pure.

A text that declares a document type is refused, so that there are no entities.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle.runtime.task_types.by_key.formats import FORMATS, formats_of

LIMIT = 1_000_000  # characters
DECLARES = re.compile(r"<!\s*(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)
CLASSES = ("Label", "Choice")


class Unreadable(ValueError):
    """A configuration that can't be read. Its text is the error message."""


@dataclass(frozen=True, slots=True)
class Control:
    """One question. name: as in the from_name of regions. task: its key. classes: labels in their order;
    empty if it has none.
    """

    name: str
    task: str
    classes: tuple[str, ...] = ()


def looks_like(text: str) -> bool:
    """Whether a text is such a configuration rather than other pasted text."""
    return bool(re.match(r"\s*<(\?xml|!|View\b)", text))


def controls(text: str) -> list[Control]:
    """The questions of a configuration, in their order. Raises Unreadable."""
    if len(text) > LIMIT:
        raise Unreadable(f"The configuration has {len(text):,} characters; the limit is {LIMIT:,}.")
    if DECLARES.search(text):
        raise Unreadable("The configuration declares a document type or entities, which aren't supported.")
    try:
        root = ET.fromstring(text.strip())  # noqa: S314 — no declarations, so no entity attacks
    except (ET.ParseError, ValueError) as error:
        raise Unreadable(f"The configuration isn't valid XML: {error}.") from error
    found = [control for element in root.iter() if (control := control_of(element)) is not None]
    if not found:
        raise Unreadable("The configuration has no labels, choices, texts, pairs, or ranks.")
    return found


def control_of(element: ET.Element) -> Control | None:
    """The question of an element, or None if this product doesn't support it."""
    if element.get("perRegion", "").lower() == "true":
        return None
    tag = (
        "Choices multiple"
        if element.tag == "Choices" and element.get("choice") == "multiple"
        else element.tag
    )
    task = next((key for key, each in FORMATS.items() if tag in each.tags), None)
    if task is None:
        return None
    names = [each.get("alias") or each.get("value") or "" for each in element.iter() if each.tag in CLASSES]
    classes = tuple(dict.fromkeys(" ".join(name.split()) for name in names if name.strip()))
    return Control(element.get("name") or "label", task, classes)


def compose(task: str, classes: Sequence[str]) -> str:
    """The equivalent labeling configuration for Label Studio."""
    body = formats_of(task).label_config(classes)
    return "\n".join(["<View>", *(f"  {line}" for part in body for line in part.split("\n")), "</View>", ""])
