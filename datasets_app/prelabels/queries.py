"""Pre-labels of items, and which of them are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets_app.prelabels.models import RetiredSource, Suggestion
from datasets_app.schemas.queries.labels import chunks
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.suggestions import Scored

FUNCTION_NAME = "Function: "  # prefix of a labeling function's source name
FUNCTIONS_LIMIT = 200  # in force in one dataset


def live(suggestions: QuerySet[Suggestion]) -> QuerySet[Suggestion]:
    """Exclude pre-labels by versions of labeling functions that were replaced or retired."""
    retired = Q(source=Suggestion.Source.FUNCTION) & Exists(
        RetiredSource.objects.filter(digest=OuterRef("source_digest"))
    )
    return suggestions.exclude(retired)


def shown_first(rows: Sequence[Suggestion], wanted: str) -> Suggestion:
    """The newest suggestion by a source of type `wanted`, else the newest of all. rows: of one item, oldest
    first; at least one.
    """
    return next((row for row in reversed(rows) if row.source == wanted), rows[-1])


def source_of(row: Suggestion, task: str) -> str:
    """The identity of a source: its digest. For multi-label tasks all labeling functions are one source,
    since each has only one label.
    """
    several = row.source == Suggestion.Source.FUNCTION and not type_of(task).one_label
    return row.source if several else row.source_digest


def first_source(rows: Sequence[Suggestion], wanted: str, task: str) -> list[Suggestion]:
    """All suggestions by the source that is shown first. rows: as in `shown_first`."""
    source = source_of(shown_first(rows, wanted), task)
    return [row for row in rows if source_of(row, task) == source]


def scored(task: str, rows: Iterable[tuple[UUID | None, Any, float | None]]) -> list[Scored]:
    """Rows of suggestions as values with scores. rows: (stable id of the label, value, score)."""
    of_label = suggestions_of(task).of_label
    return [Scored(of_label(str(label)) if label else value, score) for label, value, score in rows]


def together(task: str, rows: Iterable[Suggestion]) -> Value | None:
    """Combine suggestions of one source, oldest first, into one value."""
    return suggestions_of(task).combine(
        scored(task, ((row.label.stable_id if row.label else None, row.value, row.score) for row in rows))
    )


def named_together(rows: Sequence[Suggestion]) -> str:
    """The name of these rows' source, or the names of its labeling functions."""
    names = list(dict.fromkeys(row.source_name for row in rows))
    return (
        names[0]
        if len(names) == 1
        else "Functions: " + ", ".join(name.removeprefix(FUNCTION_NAME) for name in names)
    )


def best_scores(item_ids: Iterable[int], wanted: str, task: str) -> dict[int, float]:
    """The best score of each of these items by the newest source with scores, of type `wanted` if there is
    one.
    """
    found: dict[int, float] = {}
    for ids in chunks(item_ids):
        rows: dict[int, list[Suggestion]] = defaultdict(list)
        for row in live(Suggestion.objects.filter(item_id__in=ids, score__isnull=False)).order_by("id"):
            rows[row.item_id].append(row)
        for item, group in rows.items():
            found[item] = max(row.score or 0.0 for row in first_source(group, wanted, task))
    return found
