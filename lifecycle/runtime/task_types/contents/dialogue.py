"""Dialogues: as items have them, and as labeling tools keep them, who speaks and what is said under many names."""

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
    **dict.fromkeys(("assistant", "ai", "bot", "chatbot", "model", "gpt", "agent", "operator", "support", "advisor"), "assistant"),
    "system": "system",
}  # fmt: skip
Turn = tuple[str, str]
Passage = str | list[dict[str, Any]]  # a text, or messages


def key_of(message: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these names that the message has a text under; empty for none."""
    return next((name for name in names if isinstance(message.get(name), str)), "")


def turn(message: Any) -> Turn | None:
    """Who speaks and what is said; None for anything else."""
    if not isinstance(message, Mapping) or not (words := key_of(message, WORDS)):
        return None
    speaker = key_of(message, SPEAKERS)
    return (str(message[speaker]), str(message[words])) if speaker else None


def turns(raw: Any) -> list[Turn]:
    """All turns of a dialogue; none where it is no dialogue."""
    found = [turn(each) for each in raw] if isinstance(raw, list) else []
    return [each for each in found if each] if all(found) else []


def with_roles(raw: Any) -> Any:
    """A dialogue as messages with role and content; what is written so already, or is no dialogue of one or two speakers, as it is.

    A speaker whose name is no role gets the role that the other one leaves: of two names, whoever speaks first is the user.
    """
    if not isinstance(raw, list) or all(isinstance(each, Mapping) and (each.keys() >= {"from", "value"} or "role" in each) for each in raw):
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
        {"role": roles[speaker], "content": words, **({"name": speaker} if speaker in unknown and speaker.strip() else {})}
        for speaker, words in found
    ]


def lines(raw: Any) -> Iterator[tuple[str, int]]:
    """Each turn as a line of text, with the place in it where what is said begins."""
    for speaker, words in turns(raw):
        yield f"{speaker}: {words}", len(speaker) + 2


def as_text(cell: str) -> str:
    """A dialogue in a cell as a text to be labeled, a line a turn; empty where it is none."""
    if not cell.startswith("[{"):
        return ""
    try:
        raw = json.loads(cell)
    except (ValueError, RecursionError):
        return ""
    return "\n".join(line for line, _ in lines(raw))


def place(raw: Any, paragraph: int, offset: int) -> int | None:
    """The place in the text of a dialogue of an offset into what is said in one turn, from 0; None outside of it."""
    start = 0
    for at, (line, words) in enumerate(lines(raw)):
        if at == paragraph:
            return start + words + offset if 0 <= offset <= len(line) - words else None
        start += len(line) + 1
    return None


# ── As items have them ──────────────────────────────────────────────────────
def read(cell: str) -> list[dict[str, Any]]:
    """Messages with role and content (OpenAI, TRL) or from and value (ShareGPT), everything else of them kept; or author and text.

    Raises BadInput.
    """
    return messages(loaded(cell.strip(), "messages"))


def messages(raw: Any) -> list[dict[str, Any]]:
    """The messages of a dialogue, whatever was found in their place. Raises BadContent."""
    if not isinstance(raw, list) or not raw:
        raise BadContent("messages", "The dialogue has no messages.")
    found = [message(each) for each in with_roles(raw)]
    if found[0]["role"] not in ("system", "developer", "user"):
        raise BadContent("first_turn", f"The dialogue begins with {found[0]['role']}, not with system or user.")
    return found


def message(raw: Any) -> dict[str, Any]:
    """One message. Raises BadContent."""
    if isinstance(raw, dict) and "from" in raw and "value" in raw:
        rest = {name: value for name, value in raw.items() if name not in ("from", "value")}
        raw = {"role": SHARE_GPT.get(str(raw["from"]), raw["from"]), "content": raw["value"], **rest}
    if not isinstance(raw, dict) or raw.get("role") not in ROLES:
        raise BadContent("turn", "A message has no role of system, user, assistant, or tool.")
    content = raw.get("content")
    if not (isinstance(content, str) and content.strip()) and not raw.get("tool_calls"):
        raise BadContent("turn", f"A message of the {raw['role']} has no content.")
    return {name: value for name, value in raw.items() if value is not None or name == "content"}


def conversation(prompt: str, completion: str) -> list[dict[str, Any]]:
    """A dialogue of a prompt and its completion, each a text or messages; without a completion it waits for one. Raises BadInput."""
    found = turns_by(passage(prompt), "user")
    return messages(found + (turns_by(passage(completion), ASSISTANT) if completion.strip() else []))


def passage(cell: str) -> Passage:
    """A prompt or a response: a text, or messages as a JSON list. Raises BadInput."""
    if not cell.strip():
        raise BadContent("responses", "A response is empty.")
    if cell.lstrip().startswith('[{"'):
        return [message(each) for each in loaded(cell, "messages")]
    return cell


def turns_by(found: Passage, role: str) -> list[dict[str, Any]]:
    """Messages as they are; a text as one message of this role."""
    return [{"role": role, "content": found}] if isinstance(found, str) else found


def as_read(found: Passage) -> str:
    """A text, or messages with a line a turn, as one text to be read and searched."""
    return found if isinstance(found, str) else "\n".join(f"{each['role']}: {each.get('content') or 'a tool call'}" for each in found)


def remarks(content: Mapping[str, Any]) -> list[str]:
    """What is odd about a dialogue and yet can be kept, as the ends of sentences."""
    roles = [each["role"] for each in content["messages"]]
    found = []
    if ("user", "user") in zip(roles, roles[1:], strict=False):
        found.append("has two turns of the user in a row.")
    if roles[-1] != ASSISTANT:
        found.append(f"ends with {roles[-1]}, so that people write the answer.")
    return found


def is_quiet(message: Mapping[str, Any]) -> bool:
    """Whether a turn is read and not learnt, as OpenAI's files mark it."""
    return bool(message.get("weight", 1) == 0)


def turns_before(row: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """The turns before the last answer of a row as the engine reads it, each with its role and content; none where its prompt is a text."""
    return tuple({name: turn[name] for name in ("role", "content")} for turn in row.get("messages", [])[:-1])
