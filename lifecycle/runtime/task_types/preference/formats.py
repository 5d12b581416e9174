"""File formats of preference pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lifecycle.runtime.task_types.answers import ItemContent
from lifecycle.runtime.task_types.columns import Role, plain_name
from lifecycle.runtime.task_types.contents import responses
from lifecycle.runtime.task_types.contents.dialogue import Passage
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Object, Tally, json_lines, structure
from lifecycle.runtime.task_types.formats import Remark
from lifecycle.runtime.task_types.hub import HubColumns
from lifecycle.runtime.task_types.inputs import CellKind
from lifecycle.runtime.task_types.layouts import BARE_PAIRS, OPENAI_PAIRS, PAIRS, SPLIT_PAIRS
from lifecycle.runtime.task_types.ranking.formats import PROMPT_TAG, RankingFormats, responses_of
from lifecycle.runtime.task_types.tools import ARGILLA, STUDIO, Outgoing, Tool, prompt_of

BETTER = ("chosen", "preferredoutput")  # column names of preferred responses


class Pair(NamedTuple):
    """A preferred and a rejected response. prompt: empty if there is none."""

    prompt: Passage
    chosen: Passage
    rejected: Passage


def pair_of(entry: Entry, tally: Tally) -> Pair | None:
    """The pair of a row; None, and counted, if neither response is better."""
    if entry.label in ("tie", "neither"):
        tally.losses[entry.label] += 1
        return None
    first, second = entry.content["responses"]
    tally.losses["swapped"] += entry.label == "second"
    better, worse = (second, first) if entry.label == "second" else (first, second)
    return Pair(entry.content.get("prompt", ""), better, worse)


def as_messages(pair: Pair, tally: Tally) -> Pair:
    """A pair as messages, of the user or the assistant."""
    tally.losses["wrapped"] += any(isinstance(each, str) and each != "" for each in pair)
    roles = ("user", "assistant", "assistant")
    turns = [
        [{"role": role, "content": each}] if isinstance(each, str) and each else each
        for role, each in zip(roles, pair, strict=True)
    ]
    return Pair(*turns)


@json_lines
def trl(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "chosen", "rejected"}: all text, or all messages."""
    pair = pair_of(entry, tally)
    if pair is None:
        return
    if any(isinstance(each, list) for each in pair):
        pair = as_messages(pair, tally)
    yield {
        **({"prompt": pair.prompt} if pair.prompt else {}),
        "chosen": pair.chosen,
        "rejected": pair.rejected,
    }


@json_lines
def openai(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"input": {"messages"}, "preferred_output", "non_preferred_output"}, with other keys of the input, such
    as tools.
    """
    pair = pair_of(entry, tally)
    if pair is None:
        return
    if not pair.prompt:
        tally.losses["no_prompt"] += 1
        return
    pair = as_messages(pair, tally)
    more = {
        name.removeprefix("input."): structure(cell)
        for name, cell in entry.metadata.items()
        if name.startswith("input.")
    }
    yield {
        "input": {**more, "messages": pair.prompt},
        "preferred_output": pair.chosen,
        "non_preferred_output": pair.rejected,
    }


@json_lines
def unpaired(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "completion", "label": true | false}: two per pair; none for ties."""
    if entry.label == "tie":
        tally.losses["tie"] += 1
        return
    tally.losses["parted"] += 1
    prompt = {"prompt": entry.content["prompt"]} if entry.content.get("prompt") else {}
    for side, each in zip(("first", "second"), entry.content["responses"], strict=True):
        yield {**prompt, "completion": each, "label": entry.label == side}


UNLABELED = (
    "Annotations without a preferred response: Label Studio's Pairwise control only supports left and right."
)
SIDES = {"first": "left", "second": "right"}


def pairwise(given: Outgoing) -> list[tuple[str, Any]] | None:
    """A Label Studio region with the preferred side."""
    side = SIDES.get(given.value["choice"])
    return [("pairwise", {"selected": side})] if side else None


def both_of(item: ItemContent) -> dict[str, Any]:
    """The responses for Label Studio's Pairwise control."""
    one, other = item.content["responses"]
    return {**prompt_of(item), "response1": one, "response2": other}


class PreferenceFormats(RankingFormats):
    """Preference pairs; models learn them as rankings of two."""

    cells = (CellKind.CHOICE, CellKind.NAMES, CellKind.PLAIN)
    ways = ((Role.FIRST, Role.SECOND), (Role.RESPONSES,), (Role.CONTENT,))
    columns = {Role.LABEL: ("choice", "preference", "winner", "better"), Role.RESPONSES: ()}
    layouts = {
        **dict.fromkeys((OPENAI_PAIRS, PAIRS), (Role.PROMPT, Role.FIRST, Role.SECOND)),
        **dict.fromkeys((SPLIT_PAIRS, BARE_PAIRS), (Role.FIRST, Role.SECOND)),
    }
    tools = {
        STUDIO: Tool(pairwise, both_of, to="text1,text2", omits=UNLABELED),
        ARGILLA: Tool(lambda given: given.value["choice"], responses_of),
    }
    tags = ("Pairwise",)
    rows_in_words = "each with a preferred response"
    exports = {"trl": Export(trl), "openai": Export(openai), "unpaired": Export(unpaired)}

    def content(self, cells: Mapping[Role, str]) -> dict[str, Any] | None:
        """Two responses with their prompt."""
        prompt = cells.get(Role.PROMPT, "")
        if Role.RESPONSES in cells:
            return responses.listed_pair(prompt, cells[Role.RESPONSES])
        return responses.pair(prompt, cells.get(Role.FIRST, ""), cells.get(Role.SECOND, ""))

    def responses_in(self, raw: Any) -> Sequence[Any]:
        """Two responses."""
        return responses.two(raw)

    def remarks(self, content: Mapping[str, Any]) -> Sequence[Remark]:
        """Two identical responses."""
        one, other = content["responses"]
        words = "has two identical responses, so neither can be preferred."
        return [Remark("equal", words, "Remove the row if that's a mistake.")] if one == other else []

    def implied(self, item: ItemContent, columns: Mapping[Role, str]) -> Any:
        """The first response, if its column's name says it is preferred."""
        return {"choice": "first"} if plain_name(columns.get(Role.FIRST, "")) in BETTER else None

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio's Pairwise control."""
        texts = (f'<Text name="text{at}" value="$response{at}"/>' for at in (1, 2))
        return PROMPT_TAG, *texts, '<Pairwise name="label" toName="text1,text2"/>'

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Pairs in TRL's format."""
        return trl


ENTRY = PreferenceFormats()
