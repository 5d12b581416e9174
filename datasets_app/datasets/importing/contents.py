"""The parts of an item that is more than a text: dialogues, pairs and texts with a context, however a file lays them out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.datasets.importing.answers import BELOW, Unreadable, canonical, loaded, message, response, responses, turns

Content = dict[str, Any]
Said = str | list[dict[str, Any]]


def conversation(prompt: str, completion: str) -> list[dict[str, Any]]:
    """A dialogue of a prompt and its completion, each a text or messages; without a completion it waits for one. Raises Unreadable."""
    found = spoken_by(response(prompt), "user")
    return turns(found + (spoken_by(response(completion), "assistant") if completion.strip() else []))


def spoken_by(said: Said, role: str) -> list[dict[str, Any]]:
    """Messages as they are; a text as one message of this role."""
    return [{"role": role, "content": said}] if isinstance(said, str) else said


def pair(prompt: str, first: str, second: str) -> Content:
    """Two responses with their prompt. Raises Unreadable.

    Whole dialogues are split where they part: without a prompt, or where the prompt is told again at their beginning.
    """
    asked, one, other = response(prompt) if prompt.strip() else "", response(first), response(second)
    if isinstance(one, list) and isinstance(other, list):
        shared = common(one, other)
        if shared and (not asked or told_again(asked, shared)):
            asked, one, other = shared, one[len(shared) :], other[len(shared) :]
    if not one or not other:
        raise Unreadable("has two dialogues of which one is the beginning of the other.")
    return {**({"prompt": asked} if asked else {}), "responses": [one, other]}


def common(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The messages with which both begin."""
    count = next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))
    return list(one[:count])


def told_again(prompt: Said, shared: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the messages with which both responses begin are the prompt."""
    if isinstance(prompt, list):
        return shared[: len(prompt)] == prompt
    return bool(shared[-1].get("content") == prompt)


def listed_pair(prompt: str, cell: str) -> Content:
    """Two responses as a JSON list of texts or of messages. Raises Unreadable."""
    return {**asked(prompt), "responses": two(loaded(cell, "responses"))}


def listed(prompt: str, cell: str) -> Content:
    """Two to five responses as a JSON list of texts. Raises Unreadable."""
    return {**asked(prompt), "responses": responses(cell)}


def asked(prompt: str) -> Content:
    """The prompt, where there is one. Raises Unreadable."""
    return {"prompt": response(prompt)} if prompt.strip() else {}


def two(raw: Any) -> list[Said]:
    """Two responses. Raises Unreadable."""
    if not isinstance(raw, list) or len(raw) != 2:
        raise Unreadable("has responses that are not a list of two.")
    return [said(each) for each in raw]


def said(raw: Any) -> Said:
    """A text or messages. Raises Unreadable."""
    if isinstance(raw, str) and raw.strip():
        return raw
    if isinstance(raw, list) and raw:
        return [message(each) for each in raw]
    raise Unreadable("has a prompt or a response that is neither a text nor messages.")


def whole(cell: str, task: str) -> Content:
    """The content of an item as one JSON object, as exports write it. Raises Unreadable."""
    raw = loaded(cell, "contents")
    if isinstance(raw, dict):
        prompt = {"prompt": said(raw["prompt"])} if raw.get("prompt") else {}
        if task == "chat" and "messages" in raw:
            return {"messages": turns(raw["messages"])}
        if task == "preference" and "responses" in raw:
            return {**prompt, "responses": two(raw["responses"])}
        if task == "ranking" and "responses" in raw:
            return {**prompt, "responses": responses(canonical(raw["responses"]))}
        if task not in ("chat", "preference", "ranking") and isinstance(raw.get("text"), str) and isinstance(raw.get("context"), str):
            return {"text": raw["text"], "context": raw["context"]}
    raise Unreadable("has a content that is no object of what the task compares or says.")


def with_context(text: str, context: str) -> Content | None:
    """A text and what stands below it; None where nothing does. A text that already holds its context is told apart from it."""
    if not context.strip():
        return None
    return {"text": text.removesuffix(BELOW + context), "context": context}


def remarks(content: Mapping[str, Any]) -> list[str]:
    """What is odd about a dialogue and yet can be kept, as the ends of sentences."""
    roles = [each["role"] for each in content["messages"]]
    found = []
    if ("user", "user") in zip(roles, roles[1:], strict=False):
        found.append("has two turns of the user in a row.")
    if roles[-1] != "assistant":
        found.append(f"ends with {roles[-1]}, so that people write the answer.")
    return found
