"""Files of responses in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lifecycle.task_types.answers import ItemContent, Value
from lifecycle.task_types.contents.responses import plain
from lifecycle.task_types.exports import Entry, Export, Lines, Object, Tally, json_lines
from lifecycle.task_types.formats import Formats
from lifecycle.task_types.hub import HubColumns


@json_lines
def rankings(entry: Entry, tally: Tally) -> Iterator[Object]:
    """{"prompt", "responses", "ranking"}: the numbers of the responses from 0, the best first."""
    yield {**entry.content, "ranking": entry.label}


class RankingFormats(Formats):
    """Responses with their ranks."""

    rows_in_words = "each with an order"
    exports = {"rankings": Export(rankings)}

    def hub(self, labels: Sequence[str]) -> HubColumns | Lines:
        """Responses, which may be texts or messages."""
        return rankings

    def engine_row(self, item: ItemContent, value: Value) -> Mapping[str, Any] | None:
        """{"text": the prompt, "responses": texts, "ranks": of each, 0 the best; equal where neither is better}."""
        responses = item.content.get("responses")
        if not responses:
            return None
        order = self.order(value)
        ranks = [order.index(at) if order else 0 for at in range(len(responses))]
        return {"text": plain(item.content.get("prompt", "")), "responses": list(map(plain, responses)), "ranks": ranks}

    def order(self, value: Value) -> Sequence[int]:
        """The numbers of the responses, the best first; empty where all are equal."""
        order: Sequence[int] = value["ranking"]
        return order


ENTRY = RankingFormats()
