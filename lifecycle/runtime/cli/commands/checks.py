"""What checks show, draw and accept print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.words import things

Row = dict[str, Any]
ABOUT = (
    "sample={size:#item} of {waiting:,} that waited, up to {tolerated} % may be wrong; accepts; earlier; "
    "reviewed={right:,} correct, {wrong:,} wrong, {left:,} to go; review on=review; accept"
)
noun = Noun(
    "Sample checks, for queues whose agreed annotations wait for an adjudicator. A sample is drawn, its items"
    " are reviewed on their page, and then all that waited is accepted, if few enough of the sample were"
    " wrong."
)


@noun.draws("show")
def show(words: Words, found: Row) -> list[str | Table]:
    """What is pending, and the sample's progress."""
    waits = (
        f"{things(found['waiting'], 'agreed item')} {'waits' if found['waiting'] == 1 else 'wait'} to be"
        " accepted."
    )
    if found["check"]:
        return [waits, "", *drawn(words, found["check"])]
    return [
        waits,
        *(
            [f"Draw a sample: lifecycle checks draw {words.known['queue']['uuid']}"]
            if found["waiting"]
            else []
        ),
    ]


@noun.draws("draw")
def drawn(words: Words, check: Row) -> list[str | Table]:
    """A check's progress."""
    left, queue = len(check["to_review"]), words.known["queue"]["uuid"]
    about = {
        "size": check["right"] + check["wrong"] + left,
        "left": left,
        "accepts": accepts(check),
        "earlier": (
            f"{check['earlier_wrong']:,} of {check['earlier_judged']:,} wrong in samples that also count"
            if check["earlier_judged"]
            else None
        ),
        "review": words.session.page(f"/labeling/{queue}/review/?order=sample") if left else None,
        "accept": None if left else f"lifecycle checks accept {queue}",
    }
    return [words.facts(ABOUT, check | about)]


def accepts(check: Row) -> str | None:
    """Which lots the sample accepts."""
    if check["accepted_in_95"] is None:
        return "none: too many items of earlier samples were wrong" if check["allowed"] < 0 else None
    good, bad = check["accepted_in_95"] * 100, check["accepted_in_10"] * 100
    return (
        f"with {check['allowed']:,} wrong or fewer: a lot with {good:.1f} % wrong 95 times in 100, one with"
        f" {bad:.1f} % 10 times"
    )


@noun.draws("accept")
def accepted(words: Words, check: Row) -> list[str | Table]:
    """The result for the pending items."""
    labels = f"{things(check['accepted'], 'item')} of {words.known['check']['name']}"
    return [
        f"{labels} {'gets its' if check['accepted'] == 1 else 'get their'} agreed label.",
        *([f"Left out because you annotated them: {check['left_out']:,}."] if check["left_out"] else []),
    ]
