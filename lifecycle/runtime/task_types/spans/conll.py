"""Spans as IOB2 token tags in CoNLL files: one token and tag per line, and a blank line after each text.

The format has no spacing, ids, spaces in label names (they become _), or overlapping spans: the longer of two
is kept, the other counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lifecycle.runtime.task_types.exports import Entry, Tally, count_bare

SPACE = re.compile(r"[\s\ufeff]+")  # a mark at the start of a line isn't read as text
Span = tuple[int, int, str]


def lines(entry: Entry, tally: Tally) -> Iterator[str]:
    """A text with its tags."""
    spans = spans_of(entry)
    kept = without_overlap(spans)
    tokens = list(tagged(entry.text, kept))
    tally.losses["spans"] += len(spans) - len(kept)
    tally.losses["spacing"] += " ".join(word for word, _ in tokens) != entry.text
    tally.losses["names"] += any(SPACE.search(label) for _, _, label in kept)
    count_bare(entry, tally)
    yield "".join(f"{word}\t{tag}\n" for word, tag in tokens) + "\n"


def spans_of(entry: Entry) -> list[Span]:
    """The spans of a row."""
    return [(each["start"], each["end"], each["label"]) for each in entry.label]


def without_overlap(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, without those that overlap a longer or an earlier equally long one."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each[0] - each[1], each)):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return sorted(kept)


def tagged(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """(token, IOB2 tag) of a text: runs without white space, cut at span boundaries. spans: sorted, without
    overlaps.
    """
    cuts = sorted({0, len(text), *(at for start, end, _ in spans for at in (start, end))})
    inside = {start: (end, label) for start, end, label in spans}
    for start, end in zip(cuts, cuts[1:], strict=False):
        label = next((each[2] for each in spans if each[0] <= start and end <= each[1]), "")
        fresh = start in inside
        for word in SPACE.split(text[start:end]):
            if word:
                yield word, f"{'B' if fresh else 'I'}-{SPACE.sub('_', label)}" if label else "O"
                fresh = False


def tags_of(labels: Sequence[str]) -> list[str]:
    """All possible tags, O first."""
    return ["O", *(f"{prefix}-{SPACE.sub('_', name)}" for name in labels for prefix in "BI")]
