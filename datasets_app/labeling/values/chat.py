"""A dialogue whose answers are written or mended: {"messages": [{"role", "content"}, …]}, with whatever else its messages carry.

What was asked stays: every turn but the assistant's is as the item has it, in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import Subject, Value, only_list, plain, refuse

NAME = "messages"
ASSISTANT = "assistant"
ROLES = ("system", "developer", "user", ASSISTANT, "tool")


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """The whole dialogue; it ends with the assistant. Raises Refused."""
    there = subject.content.get(NAME, [])
    found = [message(each, number, there) for number, each in enumerate(only_list(raw, NAME), start=1)]
    asked = [each for each in there if each.get("role") != ASSISTANT]
    if [each for each in found if each["role"] != ASSISTANT] != asked:
        raise refuse("A turn that is not the assistant's was changed.", "Reload the page, and write the assistant's turns alone.")
    if not found or found[-1]["role"] != ASSISTANT:
        raise refuse("The dialogue does not end with an answer of the assistant.", "Write the last answer.")
    return {NAME: found}


def message(raw: Any, number: int, there: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One turn. there: the item's own turns: whatever a turn has beside its content comes from one of them. Raises Refused."""
    if not isinstance(raw, Mapping) or raw.get("role") not in ROLES:
        raise refuse(f"Turn {number} is no message with a role and a content.", "Reload the page.")
    if raw in there:
        return dict(raw)
    beside = {name: value for name, value in raw.items() if name != "content"}
    if beside != {"role": ASSISTANT} and beside not in [{name: each[name] for name in each if name != "content"} for each in there]:
        raise refuse(f"Turn {number} holds more than the dialogue has.", "Write contents alone.")
    return {**beside, "content": plain(raw.get("content"), f"Turn {number}")}


def parts(value: Value) -> list[str]:
    """The dialogue, whole, as text that can be counted."""
    return [json.dumps(value[NAME], sort_keys=True, ensure_ascii=False)]


def class_of(part: str) -> str:
    """There are no classes."""
    return ""


def joined(found: Sequence[str]) -> Value | None:
    """The dialogue, where one is left."""
    return {NAME: json.loads(found[0])} if len(found) == 1 else None


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """As it is."""
    return value


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """What the assistant says."""
    return " … ".join(str(each.get("content") or "a tool call") for each in value[NAME] if each["role"] == ASSISTANT)
