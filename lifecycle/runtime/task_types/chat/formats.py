"""File formats of chats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.contents import dialogue
from lifecycle.runtime.task_types.contents.dialogue import ASSISTANT, as_read, is_quiet
from lifecycle.runtime.task_types.contents.text import BELOW
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Object, Tally, json_lines
from lifecycle.runtime.task_types.formats import Formats, Remark, Unlearnable
from lifecycle.runtime.task_types.hub import HubColumns
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.layouts import (
    ALPACA,
    INSTRUCTIONS,
    MESSAGES,
    PROMPTS,
    SHARE_GPT,
    SPOKEN_PROMPTS,
)
from lifecycle.runtime.task_types.tools import STUDIO, Outgoing, Tool

SPEAKERS = {"user": "human", ASSISTANT: "gpt"}  # ShareGPT's names of roles
# roles in prompts by role in the file
ROLES = {"system": "system", "developer": "system", "user": "user", ASSISTANT: ASSISTANT}
# the chat template is rendered for every prefix, so its cost grows with the cube of the turns
MOST_TURNS = 200
TOOLS = ("tool_calls", "function_call", "tool_call_id")


def decided(entry: Entry, tally: Tally) -> list[dict[str, Any]]:
    """The messages of a row, without the draft that annotators edited."""
    tally.losses["drafts"] += entry.content.get("messages") != entry.label
    messages: list[dict[str, Any]] = entry.label
    return messages


@json_lines
def chat(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"messages": [{"role", "content", …}, …]}, as OpenAI and TRL expect."""
    yield {"messages": decided(entry, tally)}


@json_lines
def share_gpt(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"conversations": [{"from", "value", …}, …]}."""
    yield {"conversations": [turn(each) for each in decided(entry, tally)]}


def turn(message: dict[str, Any]) -> dict[str, Any]:
    """One message with ShareGPT's key names; other keys are kept."""
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    return {"from": SPEAKERS.get(message["role"], message["role"]), "value": message.get("content"), **rest}


@json_lines
def prompts(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "completion"} as messages; the completion is the last turn."""
    messages = decided(entry, tally)
    yield {"prompt": messages[:-1], "completion": messages[-1:]}


def regions(given: Outgoing) -> list[tuple[str, Any]]:
    """One Label Studio region per turn."""
    return [("chatmessage", {"chatmessage": each}) for each in given.value["messages"]]


class ChatFormats(Formats):
    """Chats as messages."""

    cells = (CellKind.MESSAGES,)
    ways = ((Role.MESSAGES,), (Role.PROMPT, Role.COMPLETION), (Role.CONTENT,))
    optional = (Role.CONTEXT,)
    columns = {Role.LABEL: (), Role.PROMPT: ()}
    layouts = {
        MESSAGES: (Role.MESSAGES,),
        SHARE_GPT: (Role.MESSAGES,),
        ALPACA: (Role.PROMPT, Role.CONTEXT, Role.COMPLETION),
        **dict.fromkeys((SPOKEN_PROMPTS, INSTRUCTIONS, PROMPTS), (Role.PROMPT, Role.COMPLETION)),
    }
    tools = {STUDIO: Tool(regions, fields=lambda item: {"messages": item.content["messages"]})}
    tags = ("Chat",)
    rows_in_words = "each with a response"
    exports = {"chat": Export(chat), "sharegpt": Export(share_gpt), "prompts": Export(prompts)}

    def content(self, cells: Mapping[Role, str]) -> dict[str, Any] | None:
        """Messages, or a prompt with an optional context and a completion."""
        if Role.MESSAGES in cells:
            return {"messages": dialogue.read(cells[Role.MESSAGES])}
        prompt, context = cells.get(Role.PROMPT, ""), cells.get(Role.CONTEXT, "").strip()
        return {
            "messages": dialogue.conversation(
                prompt + (BELOW + context if context else ""), cells.get(Role.COMPLETION, "")
            )
        }

    def content_in(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """Messages."""
        return {"messages": dialogue.messages(raw["messages"])} if "messages" in raw else None

    def asked(self, text: str, beside: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The messages, or the text as the only one."""
        return self.content_in(beside or {"messages": [{"role": "user", "content": text}]})

    def readable(self, content: Mapping[str, Any]) -> str:
        """One line per turn."""
        return as_read(content["messages"])

    def remarks(self, content: Mapping[str, Any]) -> Sequence[Remark]:
        """Problems with the order of turns."""
        return [Remark("turns", words) for words in dialogue.remarks(content)]

    def implied(self, item: ItemContent, columns: Mapping[Role, str]) -> Any:
        """The chat itself, if it ends with a response and no column has another one."""
        messages = item.content.get("messages")
        is_answered = messages and not columns.get(Role.LABEL) and messages[-1]["role"] == ASSISTANT
        return {"messages": messages} if is_answered else None

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio's Chat control."""
        return ('<Chat name="label" value="$messages"/>',)

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Features of messages, which may have any keys."""
        return chat

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any]:
        """{"text": everything before the last response, as readable text; "answer": that response;
        "messages": every turn with role, content, and weight 0 if it is excluded from the loss}. Other keys
        are dropped.

        Chats with tool calls, non-text content, or too many turns are excluded from training.
        """
        messages = value["messages"]
        if any(each.get("role") not in ROLES or any(each.get(name) for name in TOOLS) for each in messages):
            raise Unlearnable("with tool calls")
        if not all(isinstance(each.get("content"), str) for each in messages):
            raise Unlearnable("with non-text content")
        if len(messages) < 2 or messages[-1]["role"] != ASSISTANT:
            raise Unlearnable("without a prompt and a final response")
        if len(messages) > MOST_TURNS:
            raise Unlearnable(f"with more than {MOST_TURNS} turns")
        if all(is_quiet(each) for each in messages if each["role"] == ASSISTANT):
            raise Unlearnable("with weight 0 for every response")
        turns = [
            {"role": ROLES[each["role"]], "content": each["content"]}
            | ({"weight": 0} if is_quiet(each) else {})
            for each in messages
        ]
        return {"text": as_read(turns[:-1]), "answer": turns[-1]["content"], "messages": turns}


ENTRY = ChatFormats()
