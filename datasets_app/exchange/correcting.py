"""Compare the rows of a file of corrected labels with the current labels. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

from django.db.models import TextChoices

from lifecycle.runtime.task_types.answers import Value
from lifecycle.ui.cells import kept_by_sheets

CASES = 30  # rows listed per outcome
PAIRS = 200


class Outcome(TextChoices):
    """The outcome of a row."""

    CHANGED = "changed", "Changed"
    UNCHANGED = "unchanged", "Unchanged"
    MOVED = "moved", "Labeled again after the export"
    OWN = "own", "Annotated by the uploader"
    UNKNOWN_LABEL = "unknown_label", "Unknown label"
    UNKNOWN_ITEM = "unknown_item", "Not an item of this dataset"
    UNREADABLE = "unreadable", "No readable label"
    REPEATED = "repeated", "Repeated item with a different label"


class Facts(NamedTuple):
    """The state of a row's item. exported: the label that the row refers to; None if there is no such
    decision.

    current: the current label; None if unlabeled. digest: of the newest decision, including a withdrawal.
    own: whether the person has a current annotation of the item. written: whether the newest label is from
    this file.
    """

    exported: Value | None
    current: Value | None
    digest: str
    own: bool
    written: bool = False


def before_sheets(value: Value, cell: str, facts: Facts) -> Value:
    """The current or the exported text of which a sheet kept this cell; else the value of the cell."""
    for known in (facts.current, facts.exported):
        if known and [kept_by_sheets(text) for text in known.values() if isinstance(text, str)] == [cell]:
            return known
    return value


def judge(value: Value, decision: str, facts: Facts) -> Outcome:
    """The outcome of a row for a known item. value: its label. decision: the digest in the row."""
    if value == facts.current:
        return Outcome.UNCHANGED
    if facts.written:
        return Outcome.REPEATED
    moved = decision != facts.digest
    if moved and value == facts.exported:
        return Outcome.UNCHANGED  # not corrected; newer labels stay
    if facts.own:
        return Outcome.OWN
    return Outcome.MOVED if moved else Outcome.CHANGED


def nearest(name: str, known: list[str]) -> str:
    """The label that was probably meant, or an empty string."""
    folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), folded, n=1)
    return folded[found[0]] if found else ""


@dataclass(slots=True)
class Sum:
    """The totals of a file. pairs: (old, new) as text. unknown: unknown label names. cases: the first rows of
    each outcome.
    """

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    cases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(
        self,
        outcome: Outcome,
        *,
        pair: tuple[str, str] | None = None,
        unknown: str = "",
        case: dict[str, Any] | None = None,
    ) -> None:
        """Count one row."""
        self.rows += 1
        self.counts[outcome.value] += 1
        for counter, key in ((self.pairs, pair), (self.unknown, unknown)):
            if key and (key in counter or len(counter) < PAIRS):
                counter[key] += 1  # type: ignore[index]
        kept = self.cases.setdefault(outcome.value, [])
        if case and len(kept) < CASES:
            kept.append(case)

    def as_json(self, known: list[str]) -> dict[str, Any]:
        """As JSON types. known: the labels to suggest for unknown names."""
        return {
            "rows": self.rows,
            "counts": dict(self.counts),
            "cases": self.cases,
            "pairs": [[*pair, count] for pair, count in self.pairs.most_common()],
            "unknown": [[name, count, nearest(name, known)] for name, count in self.unknown.most_common()],
        }
