"""File formats of rankings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.contents import responses
from lifecycle.runtime.task_types.exports import Entry, Export, Lines, Object, Tally, json_lines
from lifecycle.runtime.task_types.formats import Formats
from lifecycle.runtime.task_types.hub import HubColumns
from lifecycle.runtime.task_types.inputs import BadContent, CellKind
from lifecycle.runtime.task_types.layouts import RANKINGS
from lifecycle.runtime.task_types.tools import ARGILLA, STUDIO, Outgoing, Tool, prompt_of
from lifecycle.runtime.task_types.values import answers_of


@json_lines
def rankings(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "responses", "ranking"}: response numbers from 0, best first."""
    yield {**entry.content, "ranking": entry.label}


PROMPT_TAG = '<Text name="prompt" value="$prompt"/>'


def ranker(given: Outgoing) -> list[tuple[str, Any]]:
    """A Label Studio region with response ids, best first."""
    return [("ranker", {"ranker": {"rank": [given.options[at] for at in given.value["ranking"]]}})]


def options_of(item: ItemContent) -> dict[str, Any]:
    """The responses for Label Studio's Ranker control."""
    options = [
        {"id": str(at), "title": f"Response {at + 1}", "body": each}
        for at, each in enumerate(item.content["responses"])
    ]
    return {**prompt_of(item), "responses": options}


def ranks(given: Outgoing) -> list[dict[str, Any]]:
    """Argilla's response names, each with its rank from 1."""
    return [
        {"value": f"response-{place + 1}", "rank": at}
        for at, place in enumerate(given.value["ranking"], start=1)
    ]


def responses_of(item: ItemContent) -> dict[str, Any]:
    """The responses as Argilla fields; with two, also one each."""
    found = item.content["responses"]
    pair = {"first": found[0], "second": found[1]} if len(found) == 2 else {}
    return {**prompt_of(item), "responses": found, **pair}


class RankingFormats(Formats):
    """Responses with their ranks."""

    cells: tuple[CellKind, ...] = (CellKind.RANKING,)
    ways: tuple[tuple[Role, ...], ...] = ((Role.RESPONSES,), (Role.CONTENT,))
    optional = (Role.PROMPT,)
    columns = {Role.LABEL: ("ranking", "ranks", "order")}
    layouts = {RANKINGS: (Role.RESPONSES, Role.LABEL)}
    tools = {STUDIO: Tool(ranker, options_of), ARGILLA: Tool(ranks, responses_of)}
    tags = ("Ranker",)
    rows_in_words = "each with a ranking"
    exports = {"rankings": Export(rankings)}

    def content(self, cells: Mapping[Role, str]) -> dict[str, Any] | None:
        """The responses with their prompt."""
        return responses.listed(cells.get(Role.PROMPT, ""), cells.get(Role.RESPONSES, ""))

    def content_in(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """The same from an object."""
        if "responses" not in raw:
            return None
        prompt = {"prompt": responses.given(raw["prompt"])} if raw.get("prompt") else {}
        return {**prompt, "responses": self.responses_in(raw["responses"])}

    def asked(self, text: str, beside: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The candidates as responses to the text."""
        if beside is None:
            raise BadContent("responses", "The candidates aren't stored.")
        return self.content_in(({"prompt": text} if text.strip() else {}) | {**beside})

    def responses_in(self, raw: Any) -> Sequence[Any]:
        """The responses of an object. Raises BadContent."""
        return responses.several(raw)

    def readable(self, content: Mapping[str, Any]) -> str:
        """The prompt and the numbered responses."""
        return responses.as_read(content)

    def label_config(self, labels: Sequence[str]) -> Sequence[str]:
        """Label Studio's Ranker control."""
        return PROMPT_TAG, '<List name="text" value="$responses"/>', '<Ranker name="label" toName="text"/>'

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Responses, as texts or messages."""
        return rankings

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any] | None:
        """{"text": the prompt, "responses": texts, "ranks": of each, 0 is best; ties equal}."""
        found = item.content.get("responses")
        if not found:
            return None
        return {
            "text": responses.plain(item.content.get("prompt", "")),
            "responses": list(map(responses.plain, found)),
            "ranks": list(answers_of(value).ranks(value, len(found))),
        }


ENTRY = RankingFormats()
