"""Dialogues as labeling tools keep them: who speaks and what is said under many names. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SPEAKERS = ("role", "author", "speaker", "from", "sender", "name", "user")
WORDS = ("content", "text", "utterance", "message", "value", "body")
ROLE_OF = {
    **dict.fromkeys(("user", "human", "customer", "client", "visitor", "caller", "guest", "patient"), "user"),
    **dict.fromkeys(("assistant", "ai", "bot", "chatbot", "model", "gpt", "agent", "operator", "support", "advisor"), "assistant"),
    "system": "system",
}  # fmt: skip
Turn = tuple[str, str]


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
