"""The resolved label, by whom, resting on what. Read by snapshots, evaluation, promotions and trace."""

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
    """Decisions that hold: not superseded, and no withdrawal."""
    return Decision.objects.filter(superseded_by__isnull=True).exclude(how=Decision.How.WITHDRAWN)


def current_decisions(dataset: Dataset) -> QuerySet[Decision]:
    """The decision that holds for each visible item of the dataset that has one, by item; with its item, label and adjudicator.

    One join per row and no sort beyond the index: page it with `.filter(item_id__gt=last)[:n]`.
    """
    rows = standing().filter(item__dataset=dataset, item__upload__state=UploadState.IMPORTED)
    return rows.select_related("item", "label", "by").order_by("item_id")


def current_decision(item: Item) -> Decision | None:
    """The decision that holds for one item."""
    return standing().filter(item=item).select_related("label", "by", "queue").first()


def newest_decision(item_id: int) -> Decision | None:
    """The end of an item's chain of decisions, a withdrawal included: what the next one supersedes."""
    return Decision.objects.filter(item_id=item_id, superseded_by__isnull=True).select_related("label").first()


@dataclass(frozen=True, slots=True)
class History:
    """All annotations of one item, oldest first."""

    annotations: list[Annotation]
    decisions: list[Decision]
    comments: list[Comment]
    suggestions: list[Suggestion]


def is_asked(item: Item, user: User) -> bool:
    """Whether a queue asks this person about the item, now or once they claim: they answer blind, whatever the item is.

    What they gave back or skipped is asked of them still. Who manages labels answers blind too, but only what they hold.
    """
    here = Slot.objects.filter(queue=OuterRef("queue"), item=item, user=user, state=Slot.State.DONE)
    named = Queue.people.through.objects.filter(queue=OuterRef("queue"))
    for_them = ~Exists(named) | Exists(named.filter(user=user))
    waits = for_them & ~Exists(here) & Q(state=Slot.State.OPEN) | Q(state=Slot.State.CLOSED, is_gold=True, user=user)
    held = Q(user=user, state=Slot.State.LEASED)
    found = item.slots.filter(held | waits & ~Q(queue__state=Queue.State.CLOSED)).values_list("state", flat=True)
    states = set(found)
    if not states or Slot.State.LEASED in states:
        return bool(states)
    return policy.can(user, "labeling.annotate", item) and not policy.can(user, "labeling.manage", item)


def history_of(item: Item, *, reads: bool) -> History:
    """All that is known of how an item got its label, in four statements; six where the task is not one class per text.

    reads: whether who looks may read texts; what was written or quoted of them is left out where not.
    """
    annotations = list(item.annotations.select_related("user", "label", "queue", "replaced_by").order_by("id"))
    decisions = list(item.decisions.select_related("label", "by", "queue").prefetch_related("annotations").order_by("id"))
    put_in_words(item, [*annotations, *decisions], reads=reads)
    return History(
        annotations=annotations,
        decisions=decisions,
        comments=list(item.comments.select_related("user", "resolved_by").order_by("id")),
        suggestions=list(item.suggestions.select_related("label").order_by("id")),
    )


def put_in_words(item: Item, rows: Iterable[Annotation | Decision], *, reads: bool, names: Mapping[str, str] | None = None) -> None:
    """Fill `words` of an item's annotations, without text-only content for those who can't read texts.

    names: of the classes by stable id; as they are called now where none are given.
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
    return Annotation.objects.filter(action=Annotation.Action.LABEL, replaced_by__isnull=True, right__isnull=True)


def values_of_items(item_ids: Iterable[int]) -> dict[int, Value]:
    """What is decided, or else the best suggested label, of those of these items that have one; labels by name."""
    found: dict[int, Value] = {}
    names: dict[int, dict[str, str]] = {}
    for ids in chunks(item_ids):
        rows = Suggestion.objects.filter(item_id__in=ids, item__dataset__task__in=keys_with("one_label"))
        suggested = rows.order_by("item_id", "score", "-id").values_list("item_id", "label__name")
        decided = standing().filter(item_id__in=ids, label__isnull=False).values_list("item_id", "label__name")
        found |= {item: values.value_of(name, None) for item, name in (*suggested, *decided)}
        valued = standing().filter(item_id__in=ids, value__isnull=False).values_list("item_id", "item__dataset_id", "value")
        for item, dataset, value in valued:
            if dataset not in names:
                names[dataset] = names_in(LabelSchema.objects.filter(dataset=dataset).order_by("-version").first())
            said = rename(value or {}, names[dataset])
            found |= {item: said} if said else {}
    return found


def decided_cells(dataset: Dataset, item_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """What is decided of those of these items that are, as cells of a file, and the digest of the decision.

    A class by its newest name, what was written as it is, anything else as JSON; "" for a class that is not there any more.
    """
    names = names_in(latest_schema(dataset))
    rows = standing().filter(item_id__in=item_ids).values_list("item_id", "digest", "label__stable_id", "value")
    found: dict[int, tuple[str, ...]] = {}
    for item, digest, stable_id, value in rows:
        said = rename(values.value_of(stable_id, value), names)
        content = next(iter(said.values())) if said else ""
        found[item] = (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), digest)
    return found
