"""What functions list and functions try print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table, percent
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words, line
from lifecycle.runtime.words import things

Row = dict[str, Any]
FEWEST = 20  # labeled matches needed for a precision
LIST = "function=name; version; label={label:label}; kind=way; pattern={patterns:line}; uuid"
noun = Noun(
    "Labeling functions: words and expressions that pre-label items. Tried on a sample, published, applied."
)


@noun.draws("list")
def listed(words: Words, found: list[Row]) -> list[str | Table]:
    """Each with its pattern."""
    ways = {"words": "{mode} word", "regex": "expression"}
    rows = [
        row | {"way": words.cell(ways[row["kind"]], row), "patterns": ", ".join(row["pattern"].splitlines())}
        for row in found
    ]
    return [words.table(LIST, rows)]


@noun.draws("try")
def tried(words: Words, found: Row) -> list[str | Table]:
    """Matches, precision, and examples."""
    measured, label = found["measured"], words.known.get("label")
    parts = [
        f"{measured['matches']:,} of {things(measured['items'], 'item')} match"
        f" ({percent(measured['coverage'])})."
    ]
    parts += [precision(measured, label["called"])] if label else []
    parts += ["Time ran out before the whole sample was read."] if found["stopped"] else []
    examples = [
        f"  {line(each['text']) or each['item']}{'  → ' + each['label'] if each['label'] else ''}"
        for each in found["examples"]
    ]
    return [*parts, *(["", *examples] if examples else [])]


def precision(measured: Row, label: str) -> str:
    """The share of labeled matches with the label, where there are enough of them."""
    share = (
        f"{measured['right']:,} of {measured['labeled']:,} labeled matches"
        f" {'is' if measured['right'] == 1 else 'are'} {label}"
    )
    if measured["precision"] is None:
        return f"{share}: too few to show the precision (below {FEWEST})."
    low, high = measured["interval"]
    return f"{share}: {percent(measured['precision'])}, 95 % interval {low * 100:.1f} to {high * 100:.1f} %."
