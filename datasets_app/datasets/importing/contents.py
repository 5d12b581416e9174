"""Contents of items that are more than a text: one for each kind of task, as one text to be read, and as exports write them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.task_types.by_key.types import type_of
from lifecycle.task_types.contents import dialogue, responses, text
from lifecycle.task_types.inputs import BadContent, loaded
from lifecycle.task_types.task_type import Content


def readable(content: Mapping[str, Any]) -> str:
    """A dialogue, a prompt with its responses, or a text with its context, as one text to be read and searched."""
    if "messages" in content:
        return dialogue.as_read(content["messages"])
    return text.as_read(content) if "context" in content else responses.as_read(content)


def whole(cell: str, task: str) -> dict[str, Any]:
    """The content of an item as one JSON object, as exports write it. Raises BadInput."""
    raw, kind = loaded(cell, "contents"), type_of(task).content
    if isinstance(raw, dict):
        if kind is Content.DIALOGUE and "messages" in raw:
            return {"messages": dialogue.messages(raw["messages"])}
        if kind is Content.RESPONSES and "responses" in raw:
            prompt = {"prompt": responses.given(raw["prompt"])} if raw.get("prompt") else {}
            read = responses.two if type_of(task).answers.choices else responses.several
            return {**prompt, "responses": read(raw["responses"])}
        if kind is Content.TEXT and isinstance(raw.get("text"), str) and isinstance(raw.get("context"), str):
            return {"text": raw["text"], "context": raw["context"]}
    raise BadContent("content", "The content isn't an object of what this dataset's items are.")
