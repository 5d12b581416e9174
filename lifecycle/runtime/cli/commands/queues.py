"""What queues show, open and change print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.words import things

Row = dict[str, Any]
ABOUT = (
    "queue={name}, {state}; dataset={dataset:dataset}; annotations={slots_done:,} of {slots_total:,},"
    " {overlap} per item; labeled={items_labeled:,} of {items_total:,} items; to"
    " adjudicate={items_disputed:#item}; to accept={waiting:#item}; items={source:source};"
    " order={order:order}; acceptance={acceptance:acceptance}; assigned to={people|'all annotators'};"
    " hidden=pre-labels of {hidden_share} % of the items; gold; due=due_on; page"
)
noun = Noun(
    "Labeling queues. A queue is called by its name, by DATASET/NAME where several datasets have one of that"
    " name, or by its uuid."
)


@noun.draws("show", "change")
def described(words: Words, found: Row) -> list[str | Table]:
    """The queue's settings and progress."""
    waits = found["items_agreed"] or found["acceptance"] == "reviewer"
    return [
        words.facts(ABOUT, found | {"waiting": found["items_agreed"] if waits else None, "gold": gold(found)})
    ]


@noun.draws("open")
def opened(words: Words, found: Row) -> list[str | Table]:
    """The number of items and annotations."""
    counts = f"{things(found['items_total'], 'item')}, {things(found['slots_total'], 'annotation')} to give"
    return [
        f"{found['name']} is open: {counts if found['items_total'] else 'a job adds its items'}.",
        *described(words, found),
    ]


def gold(found: Row) -> str:
    """How gold is mixed in."""
    if not found["gold_rate"]:
        return "none"
    parts = [f"{found['gold_rate']} % of each annotator's items"]
    parts += ["results shown immediately"] if found["gold_feedback"] else []
    parts += [f"at least {found['gold_minimum']} % correct"] if found["gold_minimum"] else []
    return "; ".join(parts + (["annotators below that are paused"] if found["gold_holds"] else []))
