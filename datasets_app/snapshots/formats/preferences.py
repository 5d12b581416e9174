"""Pairs and rankings for preference tuning. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from datasets_app.snapshots.formats.entries import Entry, Tally
from datasets_app.snapshots.formats.packing import Object, structure

Said = str | list[dict[str, Any]]


class Pair(NamedTuple):
    """A better and a worse response. prompt: empty where there is none."""

    prompt: Said
    chosen: Said
    rejected: Said


def pair_of(entry: Entry, tally: Tally) -> Pair | None:
    """The pair of a row; None, and counted, where neither response is better."""
    if entry.said in ("tie", "neither"):
        tally.losses[entry.said] += 1
        return None
    first, second = entry.content["responses"]
    tally.losses["swapped"] += entry.said == "second"
    better, worse = (second, first) if entry.said == "second" else (first, second)
    return Pair(entry.content.get("prompt", ""), better, worse)


def as_messages(pair: Pair, tally: Tally) -> Pair:
    """A pair whose texts are messages, of the user or of the assistant."""
    tally.losses["wrapped"] += any(isinstance(each, str) and each != "" for each in pair)
    roles = ("user", "assistant", "assistant")
    said = [[{"role": role, "content": each}] if isinstance(each, str) and each else each for role, each in zip(roles, pair, strict=True)]
    return Pair(*said)


def trl(entry: Entry, tally: Tally) -> Object | None:
    """{"prompt", "chosen", "rejected"}: all three texts, or all three messages."""
    pair = pair_of(entry, tally)
    if pair is None:
        return None
    if any(isinstance(each, list) for each in pair):
        pair = as_messages(pair, tally)
    return {**({"prompt": pair.prompt} if pair.prompt else {}), "chosen": pair.chosen, "rejected": pair.rejected}


def openai(entry: Entry, tally: Tally) -> Object | None:
    """{"input": {"messages"}, "preferred_output", "non_preferred_output"}, with what came with the input, such as its tools."""
    pair = pair_of(entry, tally)
    if pair is None:
        return None
    if not pair.prompt:
        tally.losses["no_prompt"] += 1
        return None
    pair = as_messages(pair, tally)
    more = {name.removeprefix("input."): structure(cell) for name, cell in entry.metadata.items() if name.startswith("input.")}
    return {"input": {**more, "messages": pair.prompt}, "preferred_output": pair.chosen, "non_preferred_output": pair.rejected}


def unpaired(entry: Entry, tally: Tally) -> list[Object]:
    """{"prompt", "completion", "label": true | false}: one for a text of a class called so, two for a pair; none for two equal ones."""
    if "responses" not in entry.content:
        return [
            {"prompt": entry.content.get("text", entry.text), "completion": entry.content.get("context", ""), "label": entry.said == "true"}
        ]
    if entry.said == "tie":
        tally.losses["tie"] += 1
        return []
    tally.losses["parted"] += 1
    prompt = {"prompt": entry.content["prompt"]} if entry.content.get("prompt") else {}
    good = [entry.said == "first", entry.said == "second"]
    return [{**prompt, "completion": each, "label": label} for each, label in zip(entry.content["responses"], good, strict=True)]


def ranking(entry: Entry, tally: Tally) -> Object:
    """{"prompt", "responses", "ranking"}: the numbers of the responses from 0, the best first."""
    return {**entry.content, "ranking": entry.said}
