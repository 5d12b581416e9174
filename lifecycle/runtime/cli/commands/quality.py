"""What quality show and quality measure print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

Row = dict[str, Any]
CONFUSED = 10  # pairs of labels that are shown
FEWEST = 20  # gold items that an annotator must have labeled for a share
ABOUT = (
    "queue={queue.name}; measured=as_of; compared={annotations:,} annotations of {items:,} items with two or"
    " more; left={left:#annotation}. {days_left_why|ahead}; page"
)
AGREEMENT = (
    "agreement={name:coefficient}; value={value:.2f}; 95 % interval={low:.2f} to {high:.2f}; items={n};"
    " ={why}"
)
PEOPLE = (
    "annotator=name; annotations=done; skipped; median={median_seconds:s}; correct; gold; est."
    " accuracy=likely; returned=sent_back; =warning"
)
GOLD = (
    "gold label=name; annotations=done; correct=right; accuracy={share:%}; 95 % interval={low:%} to {high:%}"
)
LABELS = "label={first:label}; confused with={second:label}; items"
noun = Noun(
    "Agreement and quality of a queue's annotators. You see everyone's figures if you may assess them,"
    " otherwise your own."
)


@noun.draws("show", "measure")
def report(words: Words, found: Row) -> list[str | Table]:
    """Agreement with its intervals, then annotators, gold, and confused labels."""
    queue = words.known["queue"]
    if found["as_of"] is None:
        return [f"{queue['name']} isn't measured yet. Measure it: lifecycle quality measure {queue['uuid']}"]
    ahead = "" if found["days_left"] is None else f"About {found['days_left']:.1f} days at this pace."
    return [
        words.facts(ABOUT, found | {"ahead": ahead}),
        *words.tables(
            (AGREEMENT, found["coefficients"]),
            (PEOPLE, [row | derived(row) for row in found["people"]]),
            (GOLD, found["gold"]),
            (LABELS, [row for row in found["confusion"] if row["first"] != row["second"]][:CONFUSED]),
        ),
    ]


def derived(row: Row) -> Row:
    """Remarks on an annotator beside the figures."""
    return {
        "correct": f"{row['right']:,} of {row['judged']:,}" if row["judged"] else None,
        "gold": on_gold(row),
        "likely": likely(row),
        "warning": "accepts nearly all pre-labels" if row["nearly_always_accepts"] else "",
    }


def on_gold(row: Row) -> str | None:
    """Correct annotations of gold items, with the interval where there are enough of them."""
    if not row["gold_done"]:
        return None
    share = f"{row['gold_right']:,} of {row['gold_done']:,}"
    if row["gold_interval"] is None:
        return f"{share}, not enough data (below {FEWEST})"
    low, high = row["gold_interval"]
    return f"{share}, {low * 100:.0f} to {high * 100:.0f} %"


def likely(row: Row) -> str | None:
    """The accuracy estimated from everyone's annotations, with its interval, or why there is none."""
    if row["estimated_accuracy"] is None:
        return row["estimated_accuracy_why"].partition(":")[0].lower() or None
    low, high = row["estimated_accuracy_interval"]
    return f"{row['estimated_accuracy'] * 100:.0f} %, {low * 100:.0f} to {high * 100:.0f} %"
