"""Dialogues for supervised fine-tuning. Pure."""

from __future__ import annotations

from typing import Any

from datasets_app.snapshots.formats.entries import Entry, Tally
from datasets_app.snapshots.formats.packing import Object

SHARE_GPT = {"user": "human", "assistant": "gpt"}
Messages = list[dict[str, Any]]


def told(entry: Entry, tally: Tally) -> Messages:
    """The decided dialogue; a draft that people mended is not in it."""
    tally.losses["drafts"] += entry.content.get("messages") != entry.said
    messages: Messages = entry.said
    return messages


def chat(entry: Entry, tally: Tally) -> Object:
    """{"messages": [{"role", "content", …}, …]} as OpenAI and TRL read it."""
    return {"messages": told(entry, tally)}


def share_gpt(entry: Entry, tally: Tally) -> Object:
    """{"conversations": [{"from", "value", …}, …]}."""
    return {"conversations": [turn(each) for each in told(entry, tally)]}


def turn(message: dict[str, Any]) -> dict[str, Any]:
    """One message as ShareGPT calls its parts; what else it carries stays."""
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    return {"from": SHARE_GPT.get(message["role"], message["role"]), "value": message.get("content"), **rest}


def prompt_completion(entry: Entry, tally: Tally) -> Object:
    """{"prompt", "completion"}: messages of a dialogue, the last turn its completion; texts where a text was written."""
    if isinstance(entry.said, str):
        tally.losses["joined"] += bool(entry.content)
        return {"prompt": entry.text, "completion": entry.said}
    messages = told(entry, tally)
    return {"prompt": messages[:-1], "completion": messages[-1:]}


def alpaca(entry: Entry, tally: Tally) -> Object:
    """{"instruction", "input", "output"}; the input is empty where the text has no context."""
    return {
        "instruction": entry.content.get("text", entry.text), "input": entry.content.get("context", ""), "output": entry.said,
    }  # fmt: skip


def summary(entry: Entry, tally: Tally) -> Object:
    """{"document", "summary"}."""
    tally.losses["joined"] += bool(entry.content)
    return {"document": entry.text, "summary": entry.said}
