"""The likely label of a disputed item. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lifecycle.runtime.task_types.answers import Value, canonical


def likely_answer(values: Sequence[Value], suggested: Value | None) -> Value | None:
    """The likely label: the most frequent annotation, among equals the pre-label; None without one."""
    counts = Counter(canonical(value) for value in values)
    if not counts:
        return None
    best = max(counts.values())
    leading = {canonical(value): value for value in values if counts[canonical(value)] == best}
    if len(leading) == 1:
        return next(iter(leading.values()))
    return leading.get(canonical(suggested)) if suggested else None
