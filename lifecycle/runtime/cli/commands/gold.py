"""What gold retire and gold rate print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.commands.queues import gold
from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

noun = Noun("Gold items, whose true label is known, and how many of them a queue mixes in.")


@noun.draws("retire")
def retired(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """Whether it was gold."""
    item = words.known["item"]["called"]
    return [f"{item} isn't gold anymore." if found["retired"] else f"{item} wasn't gold."]


@noun.draws("rate")
def mixed(words: Words, found: dict[str, Any]) -> list[str | Table]:
    """The settings that apply from the next item on."""
    return [f"Gold in {found['name']}: {gold(found)}."]
