"""Save pre-labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from datasets_app.datasets.models import Dataset, Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.labels import labels_by_id, labels_by_name, latest_schema
from datasets_app.schemas.rules import BATCH
from lifecycle.runtime.task_types.answers import BadAnswer, ItemContent, Labels, Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.task_type import TaskType
from lifecycle.runtime.task_types.values import labels_of, type_in


def ids_of(labels: dict[str, Label]) -> dict[str, str]:
    """The stable ids of these labels by their names."""
    return {name: str(label.stable_id) for name, label in labels.items()}


def suggested_fields(value: Value, labels: Mapping[str, Label]) -> list[dict[str, Any]]:
    """Model fields of a value's suggestions: one for each label of a text, else one for the whole value."""
    return (
        [{"label": labels[key]} for key in labels_of(value)]
        if type_in(value).labels_texts
        else [{"value": value}]
    )


@transaction.atomic
def suggest(
    *,
    dataset: Dataset,
    rows: Sequence[tuple[int, str, float | None]],
    source: str,
    source_digest: str,
    source_name: str,
) -> int:
    """Save the labels of texts that a source suggests: (item key, label name, score from 0 to 1); otherwise
    as `suggest_values`.
    """
    schema, of_label = latest_schema(dataset), suggestions_of(dataset.task).of_label
    ids = ids_of(labels_by_name(schema)) if schema else {}
    values = [(item, of_label(ids[name]), score) for item, name, score in rows[:BATCH] if name in ids]
    return suggest_values(
        dataset=dataset, rows=values, source=source, source_digest=source_digest, source_name=source_name
    )


@transaction.atomic
def suggest_values(
    *,
    dataset: Dataset,
    rows: Sequence[tuple[int, Value, float | None]],
    source: str,
    source_digest: str,
    source_name: str,
) -> int:
    """Save the values that a source suggests: (item key, value by stable ids, score from 0 to 1).

    At most 1,000 rows per call; safe to repeat. A span may have its own "score". Values that aren't valid
    annotations of their item are left out, such as one with a label that the newest schema lacks. Returns how
    many rows were saved. For tasks that don't label whole texts, a source has one value per item, the first;
    others aren't counted.
    """
    kind, schema = dataset.task_type, latest_schema(dataset)
    labels = labels_by_id(schema) if schema else {}
    about = contents(dataset, [item for item, _, _ in rows])
    given = [row for row in rows[:BATCH] if row[0] in about]
    if not kind.labels_texts:
        there = set(
            Suggestion.objects.filter(item_id__in=about, source_digest=source_digest, label=None).values_list(
                "item_id", flat=True
            )
        )
        given = list({row[0]: row for row in reversed(given) if row[0] not in there}.values())
    known = Labels({key: key for key in labels})
    kept = [
        Suggestion(
            item_id=item,
            **fields,
            score=score,
            source=source,
            source_digest=source_digest,
            source_name=source_name[:120],
        )
        for item, value, score in given
        if is_answer(kind, value, about[item], known)
        for fields in suggested_fields(value, labels)
    ]
    Suggestion.objects.bulk_create(kept, batch_size=500, ignore_conflicts=True)
    return len(kept)


def contents(dataset: Dataset, keys: Sequence[int]) -> dict[int, ItemContent]:
    """The contents of those of these items that are in the dataset, by key; empty contents for tasks that
    label whole texts.
    """
    items = Item.objects.filter(dataset=dataset, pk__in=keys)
    if dataset.task_type.labels_texts:
        return dict.fromkeys(items.values_list("pk", flat=True), ItemContent())
    return {
        pk: ItemContent(text, content or {})
        for pk, text, content in items.values_list("pk", "text", "content")
    }


def is_answer(kind: TaskType, value: Value, item: ItemContent, labels: Labels) -> bool:
    """Whether this is a valid annotation; scores aren't part of it."""
    try:
        kind.answers.parse(suggestions_of(kind.key).unscored(value), item, labels)
    except BadAnswer:
        return False
    return True
