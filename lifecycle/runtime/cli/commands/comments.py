"""What comments list prints."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table, moment, plain
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

noun = Noun(
    "Comments on items of a queue. Before you have annotated an item, you see only what was written to you"
    " about it, as on the pages."
)


@noun.draws("list")
def listed(words: Words, found: list[dict[str, Any]]) -> list[str | Table]:
    """Each conversation with its replies."""
    return [
        line
        for row in found
        for line in (
            f"{row['uuid']}  about item {row['item']}",
            *map(comment, filter(None, (row["first"], *row["replies"]))),
        )
    ]


def comment(line: dict[str, Any]) -> str:
    """One comment."""
    kind = " (flag)" if line["is_flag"] else " (returned)" if line["is_return"] else ""
    return plain(f"  {moment(line['created_at'])} {line['by']}{kind}: {line['text']}")
