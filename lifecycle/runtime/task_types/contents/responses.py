"""Two to five responses, with the prompt that they answer, however a file lays them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.contents import dialogue
from lifecycle.runtime.task_types.contents.dialogue import Passage, message, passage
from lifecycle.runtime.task_types.inputs import BadContent, loaded

COUNT = range(2, 6)


def pair(prompt: str, first: str, second: str) -> dict[str, Any]:
    """Two responses with their prompt. Raises BadInput.

    Whole dialogues are split where they part: without a prompt, or where the prompt is repeated at their beginning.
    """
    asked, one, other = passage(prompt) if prompt.strip() else "", passage(first), passage(second)
    if isinstance(one, list) and isinstance(other, list):
        shared = common(one, other)
        if shared and (not asked or repeats(asked, shared)):
            asked, one, other = shared, one[len(shared) :], other[len(shared) :]
    if not one or not other:
        raise BadContent("responses", "One of the two dialogues is the beginning of the other.")
    return {**({"prompt": asked} if asked else {}), "responses": [one, other]}


def common(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The messages with which both begin."""
    count = next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))
    return list(one[:count])


def repeats(prompt: Passage, shared: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the messages with which both responses begin are the prompt."""
    if isinstance(prompt, list):
        return shared[: len(prompt)] == prompt
    return bool(shared[-1].get("content") == prompt)


def listed_pair(prompt: str, cell: str) -> dict[str, Any]:
    """Two responses as a JSON list of texts or of messages. Raises BadInput."""
    return {**asked(prompt), "responses": two(loaded(cell, "responses"))}


def listed(prompt: str, cell: str) -> dict[str, Any]:
    """Two to five responses as a JSON list of texts. Raises BadInput."""
    return {**asked(prompt), "responses": several(loaded(cell, "responses"))}


def asked(prompt: str) -> dict[str, Any]:
    """The prompt, where there is one. Raises BadInput."""
    return {"prompt": passage(prompt)} if prompt.strip() else {}


def two(raw: Any) -> list[Passage]:
    """Two responses. Raises BadContent."""
    if not isinstance(raw, list) or len(raw) != 2:
        raise BadContent("responses", "The responses aren't a list of two.")
    return [given(each) for each in raw]


def several(raw: Any) -> list[str]:
    """Two to five texts. Raises BadContent."""
    if not isinstance(raw, list) or len(raw) not in COUNT or not all(isinstance(each, str) and each.strip() for each in raw):
        raise BadContent("responses", "The responses aren't a list of two to five texts.")
    return raw


def given(raw: Any) -> Passage:
    """A text or messages. Raises BadContent."""
    if isinstance(raw, str) and raw.strip():
        return raw
    if isinstance(raw, list) and raw:
        return [message(each) for each in raw]
    raise BadContent("responses", "A prompt or a response is neither a text nor messages.")


def as_read(content: Mapping[str, Any]) -> str:
    """The prompt and the responses, numbered from 1, as one text to be read and searched."""
    parts = [dialogue.as_read(content["prompt"])] if content.get("prompt") else []
    parts += [f"{number}: {dialogue.as_read(each)}" for number, each in enumerate(content["responses"], start=1)]
    return "\n\n".join(parts)


def plain(found: Passage) -> str:
    """A prompt or a response as one text; of a single message its content alone."""
    return str(found[0].get("content") or "") if isinstance(found, list) and len(found) == 1 else dialogue.as_read(found)
