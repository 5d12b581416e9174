"""Two to five responses with their prompt, from any file layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.contents import dialogue
from lifecycle.runtime.task_types.contents.dialogue import Passage, message, passage
from lifecycle.runtime.task_types.inputs import BadContent, loaded

COUNT = range(2, 6)


def pair(prompt: str, first: str, second: str) -> dict[str, Any]:
    """Two responses with their prompt. Raises BadInput.

    Full chats without a prompt, or with the prompt repeated in both, are split where they diverge.
    """
    asked, one, other = passage(prompt) if prompt.strip() else "", passage(first), passage(second)
    if isinstance(one, list) and isinstance(other, list):
        shared = common(one, other)
        if shared and (not asked or repeats(asked, shared)):
            asked, one, other = shared, one[len(shared) :], other[len(shared) :]
    if not one or not other:
        raise BadContent("responses", "One of the two dialogues is a prefix of the other.")
    return {**({"prompt": asked} if asked else {}), "responses": [one, other]}


def common(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The messages that both start with."""
    count = next(
        (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right),
        min(len(one), len(other)),
    )
    return list(one[:count])


def repeats(prompt: Passage, shared: Sequence[Mapping[str, Any]]) -> bool:
    """Whether both responses start with the messages of the prompt."""
    if isinstance(prompt, list):
        return shared[: len(prompt)] == prompt
    return bool(shared[-1].get("content") == prompt)


def listed_pair(prompt: str, cell: str) -> dict[str, Any]:
    """Two responses from a JSON list of texts or messages. Raises BadInput."""
    return {**asked(prompt), "responses": two(loaded(cell, "responses"))}


def listed(prompt: str, cell: str) -> dict[str, Any]:
    """Two to five responses from a JSON list of texts. Raises BadInput."""
    return {**asked(prompt), "responses": several(loaded(cell, "responses"))}


def asked(prompt: str) -> dict[str, Any]:
    """The prompt, if there is one. Raises BadInput."""
    return {"prompt": passage(prompt)} if prompt.strip() else {}


def two(raw: Any) -> list[Passage]:
    """Two responses. Raises BadContent."""
    if not isinstance(raw, list) or len(raw) != 2:
        raise BadContent("responses", "The responses must be a list of two.")
    return [given(each) for each in raw]


def several(raw: Any) -> list[str]:
    """Two to five texts. Raises BadContent."""
    if (
        not isinstance(raw, list)
        or len(raw) not in COUNT
        or not all(isinstance(each, str) and each.strip() for each in raw)
    ):
        raise BadContent("responses", "The responses must be a list of two to five texts.")
    return raw


def given(raw: Any) -> Passage:
    """Text or messages. Raises BadContent."""
    if isinstance(raw, str) and raw.strip():
        return raw
    if isinstance(raw, list) and raw:
        return [message(each) for each in raw]
    raise BadContent("responses", "A prompt or response must be text or messages.")


def as_read(content: Mapping[str, Any]) -> str:
    """The prompt and the responses, numbered from 1, as one text for display and search."""
    parts = [dialogue.as_read(content["prompt"])] if content.get("prompt") else []
    parts += [
        f"{number}: {dialogue.as_read(each)}" for number, each in enumerate(content["responses"], start=1)
    ]
    return "\n\n".join(parts)


def plain(found: Passage) -> str:
    """A prompt or response as text; for a single message, only its content."""
    return (
        str(found[0].get("content") or "")
        if isinstance(found, list) and len(found) == 1
        else dialogue.as_read(found)
    )
