"""Agreement of two people's spans in the same text: symmetric F1 (2 × matched / spans of both)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import scipy  # its parts are loaded when they are first used

from datasets_app.quality.agreement.units import Unit

Span = tuple[int, int, str]  # start, end (exclusive), both in Unicode code points, and label
Spans = frozenset[Span]


def span_f1(units: Iterable[Unit], *, overlap: bool = False) -> float | None:
    """Micro F1 over all pairs of people and items, from 0 to 1. None without any spans.

    overlap: a span counts when it shares a character with one of the same label, each matched once; else both
    ends must be equal.
    """
    matched = marked = 0
    for unit in units:
        hits, spans = span_counts(unit, overlap=overlap)
        matched, marked = matched + hits, marked + spans
    return 2 * matched / marked if marked else None


def span_counts(unit: Unit, *, overlap: bool) -> tuple[int, int]:
    """(matched spans, spans of both) over all pairs of annotations of one unit."""
    matched = marked = 0
    for (_, one), (_, other) in combinations(unit, 2):
        first, second = frozenset(one), frozenset(other)  # type: ignore[call-overload]
        matched += overlapping(first, second) if overlap else len(first & second)
        marked += len(first) + len(second)
    return matched, marked


def overlapping(one: Spans, other: Spans) -> int:
    """The maximum number of spans that match one to one, with the same label and a shared character."""
    if not one or not other:
        return 0
    rows, columns = sorted(one), sorted(other)
    touching = [[a[2] == b[2] and a[0] < b[1] and b[0] < a[1] for b in columns] for a in rows]
    found = scipy.sparse.csgraph.maximum_bipartite_matching(
        scipy.sparse.csr_array(np.array(touching, dtype=np.int8)), perm_type="column"
    )
    return int((found >= 0).sum())
