"""Resolved labels: by whom, and based on which annotations. Read by snapshots, evaluation, promotions, and
trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment, Decision
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.queries.labels import chunks, latest_schema, names_in
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.types import keys_with
from lifecycle.runtime.task_types.values import rename, words
from registry.ground.access import policy
from registry.ground.access.models import User


def standing() -> QuerySet[Decision]:
    """Current decisions: not superseded, and not withdrawals."""
    return Decision.objects.filter(superseded_by__isnull=True).exclude(how=Decision.How.WITHDRAWN)


def current_decisions(dataset: Dataset) -> QuerySet[Decision]:
    """The current decisions of the dataset's visible items, by item; with item, label, and adjudicator.

    One join per row and no sort beyond the index: page it with `.filter(item_id__gt=last)[:n]`.
    """
    rows = standing().filter(item__dataset=dataset, item__upload__state=UploadState.IMPORTED)
    return rows.select_related("item", "label", "by").order_by("item_id")


def current_decision(item: Item) -> Decision | None:
    """The current decision of an item, if any."""
    return standing().filter(item=item).select_related("label", "by", "queue").first()


def newest_decision(item_id: int) -> Decision | None:
    """The last decision of an item, including a withdrawal: the one that the next supersedes."""
    return (
        Decision.objects.filter(item_id=item_id, superseded_by__isnull=True).select_related("label").first()
    )


@dataclass(frozen=True, slots=True)
class History:
    """All annotations of one item, oldest first."""

    annotations: list[Annotation]
    decisions: list[Decision]
    comments: list[Comment]
    suggestions: list[Suggestion]


def asking(user: User, dataset: Dataset) -> QuerySet[Slot]:
    """Slots of items of the dataset that this person is to annotate, now or when they claim, and whose labels
    they must not see.

    Released and skipped items count. For label managers only items that they hold count.
    """
    asked = Q(user=user, state=Slot.State.LEASED)
    if not policy.can(user, "labeling.manage", dataset) and policy.can(user, "labeling.annotate", dataset):
        done = Slot.objects.filter(
            queue=OuterRef("queue"), item=OuterRef("item"), user=user, state=Slot.State.DONE
        )
        named = Queue.people.through.objects.filter(queue=OuterRef("queue"))
        for_them = ~Exists(named) | Exists(named.filter(user=user))
        waits = for_them & ~Exists(done) & Q(state=Slot.State.OPEN) | Q(
            state=Slot.State.CLOSED, is_gold=True, user=user
        )
        asked |= waits & ~Q(queue__state=Queue.State.CLOSED)
    return Slot.objects.filter(asked, queue__dataset=dataset)


def not_asked(rows: QuerySet[Item], user: User, dataset: Dataset) -> QuerySet[Item]:
    """These items of the dataset without those that a queue asks this person about; see `asking`."""
    return rows.exclude(Exists(asking(user, dataset).filter(item=OuterRef("pk"))))


def is_asked(item: Item, user: User) -> bool:
    """Whether a queue asks this person about the item; see `asking`."""
    return asking(user, item.dataset).filter(item=item).exists()


def history_of(item: Item, *, reads: bool) -> History:
    """How an item got its label, in four queries; six for tasks other than one label per text.

    reads: whether the viewer may read texts; otherwise written and quoted text is left out.
    """
    annotations = list(
        item.annotations.select_related("user", "label", "queue", "replaced_by").order_by("id")
    )
    decisions = list(
        item.decisions.select_related("label", "by", "queue").prefetch_related("annotations").order_by("id")
    )
    put_in_words(item, [*annotations, *decisions], reads=reads)
    return History(
        annotations=annotations,
        decisions=decisions,
        comments=list(item.comments.select_related("user", "resolved_by").order_by("id")),
        suggestions=list(item.suggestions.select_related("label").order_by("id")),
    )


def put_in_words(
    item: Item, rows: Iterable[Annotation | Decision], *, reads: bool, names: Mapping[str, str] | None = None
) -> None:
    """Fill `words` of an item's annotations, without text-only content for those who can't read texts.

    names: of labels by stable id; the current names by default.
    """
    for row in rows:
        if row.label is not None:
            row.words = row.label.name
        elif row.value is not None:
            names = names_in(latest_schema(item.dataset)) if names is None else names
            open_to_all = reads or values.type_in(row.value).has_labels
            row.words = words(row.value, names, item.text if reads else "") if open_to_all else ""


def annotators_of(item_ids: Iterable[int]) -> set[int]:
    """The keys of the users whose annotations of these items are current."""
    rows = (standing_answers().filter(item_id__in=ids) for ids in chunks(item_ids))
    return {user for answers in rows for user in answers.order_by().values_list("user", flat=True).distinct()}


def standing_answers() -> QuerySet[Annotation]:
    """Annotations not undone or replaced, without gold annotations: no label is based on those."""
    return Annotation.objects.filter(
        action=Annotation.Action.LABEL, replaced_by__isnull=True, right__isnull=True
    )


def values_of_items(item_ids: Iterable[int]) -> dict[int, Value]:
    """The resolved value, or else the best suggested label, of those of these items that have one; labels by
    name.
    """
    found: dict[int, Value] = {}
    names: dict[int, dict[str, str]] = {}
    for ids in chunks(item_ids):
        rows = Suggestion.objects.filter(item_id__in=ids, item__dataset__task__in=keys_with("one_label"))
        suggested = rows.order_by("item_id", "score", "-id").values_list("item_id", "label__name")
        decided = (
            standing().filter(item_id__in=ids, label__isnull=False).values_list("item_id", "label__name")
        )
        found |= {item: values.value_of(name, None) for item, name in (*suggested, *decided)}
        valued = (
            standing()
            .filter(item_id__in=ids, value__isnull=False)
            .values_list("item_id", "item__dataset_id", "value")
        )
        for item, dataset, value in valued:
            if dataset not in names:
                names[dataset] = names_in(
                    LabelSchema.objects.filter(dataset=dataset).order_by("-version").first()
                )
            renamed = rename(value or {}, names[dataset])
            found |= {item: renamed} if renamed else {}
    return found


def decided_cells(dataset: Dataset, item_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """(resolved label as a file's cell, digest of the decision) of those of these items that are labeled.

    A label by its newest name, written text as it is, anything else as JSON; "" for a removed label.
    """
    names = names_in(latest_schema(dataset))
    rows = (
        standing().filter(item_id__in=item_ids).values_list("item_id", "digest", "label__stable_id", "value")
    )
    found: dict[int, tuple[str, ...]] = {}
    for item, digest, stable_id, value in rows:
        renamed = rename(values.value_of(stable_id, value), names)
        content = next(iter(renamed.values())) if renamed else ""
        found[item] = (
            content if isinstance(content, str) else json.dumps(content, ensure_ascii=False),
            digest,
        )
    return found
