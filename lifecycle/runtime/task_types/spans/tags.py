"""Spans from token tags in IOB1, IOB2, BIOES, or BILOU. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

TAG = re.compile(r"O|[BIESLU]-\S+")
ENDS = "ESLU"  # prefixes after which a span has ended


def spans_of(tokens: Sequence[tuple[str, str]]) -> list[tuple[int, int, str]]:
    """(start, end, label) of each span, in code points of the tokens joined by spaces. tokens: (word,
    tag).
    """
    found: list[tuple[int, int, str]] = []
    at, open_label = 0, ""
    for word, tag in tokens:
        prefix, _, label = tag.partition("-")
        if label and label == open_label and prefix not in "BSU":
            start, _, _ = found.pop()
            found.append((start, at + len(word), label))
        elif label:
            found.append((at, at + len(word), label))
        open_label = "" if prefix in ENDS else label
        at += len(word) + 1
    return found
