"""Annotations of chats: {"messages": [{"role", "content"}, …]} with written or corrected assistant turns.
Other keys of messages are kept.

Only assistant turns may change; all others must match the item's, in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import (
    Answers,
    BadAnswer,
    ItemContent,
    Labels,
    Read,
    Value,
    listed,
    written,
)
from lifecycle.runtime.task_types.contents import dialogue
from lifecycle.runtime.task_types.contents.dialogue import ASSISTANT, ROLES
from lifecycle.runtime.task_types.inputs import Cell, clean


class ChatAnswers(Answers):
    """A complete chat."""

    name = "messages"

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The chat, which must end with the assistant."""
        there = item.content.get(self.name, [])
        found = [message(each, number, there) for number, each in enumerate(listed(raw, self.name), start=1)]
        asked = [each for each in there if each.get("role") != ASSISTANT]
        if [each for each in found if each["role"] != ASSISTANT] != asked:
            raise BadAnswer(
                "turn_changed",
                "A turn that isn't the assistant's was changed.",
                "Change only the assistant's turns.",
            )
        if not found or found[-1]["role"] != ASSISTANT:
            raise BadAnswer(
                "no_answer", "The chat doesn't end with an assistant turn.", "Write the last response."
            )
        return {self.name: found}

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """Messages in any format that items accept."""
        return None if cell.is_empty else {self.name: dialogue.read(cell.text)}

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The assistant's turns."""
        return " … ".join(
            str(each.get("content") or "a tool call")
            for each in value[self.name]
            if each["role"] == ASSISTANT
        )

    def frozen(self, value: Value) -> str:
        """Empty, as the text can be erased."""
        return ""


def message(raw: Any, number: int, there: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One turn. there: the item's turns; keys other than content must come from one of them. Raises
    BadAnswer.
    """
    if not isinstance(raw, Mapping) or raw.get("role") not in ROLES:
        raise BadAnswer(
            "turn", f"Turn {number} isn't a message with a role and a content.", "Reload the page."
        )
    if raw in there:
        return dict(raw)
    beside = {name: value for name, value in raw.items() if name != "content"}
    if beside != {"role": ASSISTANT} and beside not in [
        {name: each[name] for name in each if name != "content"} for each in there
    ]:
        raise BadAnswer(
            "turn_keys",
            f"Turn {number} has keys that aren't in the original chat.",
            "Change only the content.",
        )
    return {**beside, "content": written(raw.get("content"), f"Turn {number}")}
