"""Which decided dialogues a model can learn from here, and as what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.task_types.contents.dialogue import as_read

ASSISTANT = "assistant"
ROLES = {"system": "system", "developer": "system", "user": "user", ASSISTANT: ASSISTANT}  # as models are asked, by what the file says
MOST_TURNS = 200  # a template is asked about every beginning of a dialogue, which grows with the cube of its turns
TOOLS = ("tool_calls", "function_call", "tool_call_id")


class Unlearnable(Exception):
    """A dialogue cannot be learnt from. Its text says what is the matter with it, such as "with calls of tools"."""


def learnt_from(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a model reads and learns of a dialogue: "text", all before its last answer, as people read it; "answer", that; "messages", every
    turn with its role, its content, and a weight of 0 where it is not to be learnt. Whatever else its turns carry is not read.

    Raises Unlearnable: calls and answers of tools, contents that are no text, and very long dialogues are not learnt.
    """
    if any(each.get("role") not in ROLES or any(each.get(name) for name in TOOLS) for each in messages):
        raise Unlearnable("with calls of tools")
    if not all(isinstance(each.get("content"), str) for each in messages):
        raise Unlearnable("with a content that is no text")
    if len(messages) < 2 or messages[-1]["role"] != ASSISTANT:
        raise Unlearnable("without a question and an answer at the end")
    if len(messages) > MOST_TURNS:
        raise Unlearnable(f"with more than {MOST_TURNS} turns")
    if all(is_quiet(each) for each in messages if each["role"] == ASSISTANT):
        raise Unlearnable("whose answers all have the weight 0")
    turns = [{"role": ROLES[each["role"]], "content": each["content"]} | ({"weight": 0} if is_quiet(each) else {}) for each in messages]
    return {"text": as_read(turns[:-1]), "answer": turns[-1]["content"], "messages": turns}


def is_quiet(message: Mapping[str, Any]) -> bool:
    """Whether a turn is read and not learnt, as OpenAI's files say it."""
    return bool(message.get("weight", 1) == 0)


def turns_before(row: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """The turns before the last answer of what `learnt_from` gives, each with its role and content; none of a row whose prompt is one
    text."""
    return tuple({name: turn[name] for name in ("role", "content")} for turn in row.get("messages", [])[:-1])
