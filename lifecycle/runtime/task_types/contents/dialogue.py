"""Chats in items and in the formats of labeling tools, which use various names for speaker and text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.inputs import BadContent, loaded

ASSISTANT = "assistant"
ROLES = ("system", "developer", "user", ASSISTANT, "tool")
SHARE_GPT = {"human": "user", "gpt": ASSISTANT, "bing": ASSISTANT, "bard": ASSISTANT, "chatgpt": ASSISTANT}
SPEAKERS = ("role", "author", "speaker", "from", "sender", "name", "user")
WORDS = ("content", "text", "utterance", "message", "value", "body")
ROLE_OF = {
    **dict.fromkeys(("user", "human", "customer", "client", "visitor", "caller", "guest", "patient"), "user"),
    **dict.fromkeys(
        ("assistant", "ai", "bot", "chatbot", "model", "gpt", "agent", "operator", "support", "advisor"),
        "assistant",
    ),
    "system": "system",
}
Turn = tuple[str, str]
Passage = str | list[dict[str, Any]]  # a text, or messages


def key_of(message: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these keys with a text value; empty if none."""
    return next((name for name in names if isinstance(message.get(name), str)), "")


def turn(message: Any) -> Turn | None:
    """Speaker and text of a turn; None for anything else."""
    if not isinstance(message, Mapping) or not (words := key_of(message, WORDS)):
        return None
    speaker = key_of(message, SPEAKERS)
    return (str(message[speaker]), str(message[words])) if speaker else None


def turns(raw: Any) -> list[Turn]:
    """All turns of a chat; empty if it isn't one."""
    found = [turn(each) for each in raw] if isinstance(raw, list) else []
    return [each for each in found if each] if all(found) else []


def with_roles(raw: Any) -> Any:
    """A chat as messages with role and content; returned unchanged if it already is one, or isn't a chat of
    one or two speakers.

    A speaker whose name isn't a role gets the role the other one leaves; of two such speakers, the first is
    the user.
    """
    if not isinstance(raw, list) or all(
        isinstance(each, Mapping) and (each.keys() >= {"from", "value"} or "role" in each) for each in raw
    ):
        return raw
    found = turns(raw)
    speakers = list(dict.fromkeys(speaker for speaker, _ in found))
    roles = {speaker: role for speaker in speakers if (role := ROLE_OF.get(speaker.strip().casefold()))}
    left = [role for role in ("user", "assistant") if role not in roles.values()]
    unknown = [speaker for speaker in speakers if speaker not in roles]
    if not found or len(unknown) > len(left):
        return raw
    roles |= dict(zip(unknown, left, strict=False))
    return [
        {
            "role": roles[speaker],
            "content": words,
            **({"name": speaker} if speaker in unknown and speaker.strip() else {}),
        }
        for speaker, words in found
    ]


def lines(raw: Any) -> Iterator[tuple[str, int]]:
    """Each turn as a line of text, with the offset at which its content starts."""
    for speaker, words in turns(raw):
        yield f"{speaker}: {words}", len(speaker) + 2


def as_text(cell: str) -> str:
    """A chat in a cell as text for labeling, one turn per line; empty if it isn't one."""
    if not cell.startswith("[{"):
        return ""
    try:
        raw = json.loads(cell)
    except (ValueError, RecursionError):
        return ""
    return "\n".join(line for line, _ in lines(raw))


def place(raw: Any, paragraph: int, offset: int) -> int | None:
    """The offset in the chat's text for an offset in the content of one turn, from 0; None if outside."""
    start = 0
    for at, (line, words) in enumerate(lines(raw)):
        if at == paragraph:
            return start + words + offset if 0 <= offset <= len(line) - words else None
        start += len(line) + 1
    return None


# ── Chats in items ──────────────────────────────────────────────────────────
def read(cell: str) -> list[dict[str, Any]]:
    """Messages with role and content (OpenAI, TRL) or from and value (ShareGPT), other keys kept; or author
    and text.

    Raises BadInput.
    """
    return messages(loaded(cell.strip(), "messages"))


def messages(raw: Any) -> list[dict[str, Any]]:
    """Validate the messages of a chat. Raises BadContent."""
    if not isinstance(raw, list) or not raw:
        raise BadContent("messages", "The dialogue has no messages.")
    found = [message(each) for each in with_roles(raw)]
    if found[0]["role"] not in ("system", "developer", "user"):
        raise BadContent(
            "first_turn", f"The dialogue starts with {found[0]['role']}. Start it with system or user."
        )
    return found


def message(raw: Any) -> dict[str, Any]:
    """One message. Raises BadContent."""
    if isinstance(raw, dict) and "from" in raw and "value" in raw:
        rest = {name: value for name, value in raw.items() if name not in ("from", "value")}
        raw = {"role": SHARE_GPT.get(str(raw["from"]), raw["from"]), "content": raw["value"], **rest}
    if not isinstance(raw, dict) or raw.get("role") not in ROLES:
        raise BadContent("turn", "A message needs a role: system, user, assistant, or tool.")
    content = raw.get("content")
    if not (isinstance(content, str) and content.strip()) and not raw.get("tool_calls"):
        raise BadContent("turn", f"A message with the role {raw['role']} has no content.")
    return {name: value for name, value in raw.items() if value is not None or name == "content"}


def conversation(prompt: str, completion: str) -> list[dict[str, Any]]:
    """A chat from a prompt and a completion, each text or messages; without a completion, a response is still
    to be written. Raises BadInput.
    """
    found = turns_by(passage(prompt), "user")
    return messages(found + (turns_by(passage(completion), ASSISTANT) if completion.strip() else []))


def passage(cell: str) -> Passage:
    """A prompt or response: text, or messages as a JSON list. Raises BadInput."""
    if not cell.strip():
        raise BadContent("responses", "A response is empty.")
    if cell.lstrip().startswith('[{"'):
        return [message(each) for each in loaded(cell, "messages")]
    return cell


def turns_by(found: Passage, role: str) -> list[dict[str, Any]]:
    """Messages unchanged; text as one message with this role."""
    return [{"role": role, "content": found}] if isinstance(found, str) else found


def as_read(found: Passage) -> str:
    """Text, or messages with one turn per line, as one text for display and search."""
    return (
        found
        if isinstance(found, str)
        else "\n".join(f"{each['role']}: {each.get('content') or 'a tool call'}" for each in found)
    )


def remarks(content: Mapping[str, Any]) -> list[str]:
    """Problems of a chat that don't prevent its import, as ends of sentences."""
    roles = [each["role"] for each in content["messages"]]
    found = []
    if ("user", "user") in zip(roles, roles[1:], strict=False):
        found.append("has two consecutive user turns.")
    if roles[-1] != ASSISTANT:
        found.append(f"ends with {roles[-1]}, so annotators write the response.")
    return found


def is_quiet(message: Mapping[str, Any]) -> bool:
    """Whether a turn is excluded from the loss, as marked in OpenAI's files."""
    return bool(message.get("weight", 1) == 0)


def turns_before(row: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """The turns before the last response of a training row, with role and content; empty for a single
    prompt.
    """
    return tuple({name: turn[name] for name in ("role", "content")} for turn in row.get("messages", [])[:-1])
