"""Label schemas, queues, annotations, and resolved labels for tests."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F
from playwright.sync_api import Page

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState, content_digest, normal_digest
from datasets_app.queues.actions import answers as answering
from datasets_app.queues.actions.answers import submit
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.actions.settling import settle
from datasets_app.queues.models import Annotation, Decision, Queue, Slot
from datasets_app.queues.queries.decisions import standing
from datasets_app.queues.queries.pages import is_for_others
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models import Label, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_id, latest_schema
from datasets_app.schemas.rules import LabelSpec
from lifecycle.runtime.task_types.values import rename, stored
from registry.ground.access.actions import grant
from registry.ground.access.models import Project, User
from registry.ground.access.policy import can
from registry.ground.access.roles import Role
from registry.ground.artifacts import actions as artifacts

LABELS = ("billing", "card", "transfer")


def make_dataset(
    project: Project,
    actor: User,
    texts: Iterable[str | dict[str, Any]] = (),
    *,
    name: str = "Inbox",
    slug: str = "inbox",
    task: str = "single_label",
) -> Dataset:
    """A dataset whose items are already imported. texts: of the items, or their content where responses are
    compared or turns written.
    """
    dataset = Dataset.objects.create(project=project, slug=slug, name=name, task=task, created_by=actor)
    add_items(dataset, actor, texts)
    return dataset


def add_items(
    dataset: Dataset, actor: User, rows: Iterable[str | dict[str, Any]], *, imported: bool = True
) -> list[Item]:
    """One more upload with these texts or contents."""
    rows = list(rows)
    contents = [None if isinstance(row, str) else row for row in rows]
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    blob = artifacts.put_bytes("\n".join([dataset.slug, *texts]).encode(), media_type="text/plain")
    upload = Upload.objects.create(
        dataset=dataset,
        blob=blob,
        file_name="items.csv",
        size=blob.size,
        uploaded_by=actor,
        accepted_by=actor,
        state=UploadState.IMPORTED if imported else UploadState.IMPORTING,
    )
    items = [
        Item(
            dataset=dataset,
            upload=upload,
            line=line,
            text=text,
            content=content,
            digest=content_digest(text),
            normal_digest=normal_digest(text),
        )
        for line, (text, content) in enumerate(zip(texts, contents, strict=True), start=2)
    ]
    Item.objects.bulk_create(items)
    Dataset.objects.filter(pk=dataset.pk).update(items_total=dataset.items.count())
    dataset.refresh_from_db()
    return items


def make_schema(
    dataset: Dataset, actor: User, names: Sequence[str] = LABELS, guideline: str = ""
) -> LabelSchema:
    """A published schema with these labels."""
    return publish_schema(
        dataset_id=dataset.uuid, actor=actor, labels=[LabelSpec(name) for name in names], guideline=guideline
    )


def make_queue(
    dataset: Dataset, actor: User, *, schema: Sequence[str] | None = None, name: str = "Batch 1", **options
) -> Queue:
    """An open, filled queue; makes a schema of `schema` (or LABELS) where the dataset has none. actor may
    manage labeling.
    """
    if schema is not None or latest_schema(dataset) is None:
        make_schema(dataset, actor, LABELS if schema is None else schema)
    return open_queue(dataset_id=dataset.uuid, actor=actor, name=name, **options)


def label_value(label: Label) -> dict[str, str]:
    """The annotation value for one label."""
    return {"label": str(label.uuid)}


def answer(queue: Queue, user: User, item: Item, label: str, **options) -> Annotation:
    """Annotate one item with a label name, in any queue order."""
    return annotate(queue, user, item, {"label": label}, **options)


def annotate(queue: Queue, user: User, item: Item, value: dict[str, Any], **options) -> Annotation:
    """Annotate one item; labels are given by name."""
    slot = queue.slots.filter(item=item).order_by("id").first()
    options.setdefault("client_key", uuid4())
    return submit(queue_id=queue.uuid, actor=user, slot_id=slot.pk, value=named(queue, value), **options)


def named(queue: Queue, value: dict[str, Any]) -> dict[str, Any]:
    """The value with label names replaced by ids, as it is submitted."""
    return rename(value, ids_of(queue.schema.uuid))


@cache
def ids_of(schema: UUID) -> dict[str, str]:
    """The stable ids of a schema version's labels by name; they never change."""
    return {
        name: str(key)
        for name, key in Label.objects.filter(schema__uuid=schema).values_list("name", "stable_id")
    }


def label_items(
    queue: Queue, answers: Mapping[User, Sequence[str]], items: Sequence[Item] | None = None
) -> None:
    """Each person labels the items in order (all of the queue by default); an empty label leaves an item
    out.
    """
    annotate_items(
        queue,
        {user: [{"label": label} if label else None for label in labels] for user, labels in answers.items()},
        items,
    )


def annotate_items(
    queue: Queue, answers: Mapping[User, Sequence[dict[str, Any] | None]], items: Sequence[Item] | None = None
) -> None:
    """Each person annotates the items in order (all of the queue by default), labels by name; None skips an
    item.
    """
    items = items if items is not None else queue_items(queue)
    annotations = [
        (user, item, named(queue, value))
        for user, values in answers.items()
        for item, value in zip(items, values, strict=False)
        if value is not None
    ]
    if not annotate_in_bulk(queue, annotations):
        first = dict(queue.slots.order_by("-id").values_list("item", "id"))
        for user, item, value in annotations:
            submit(queue_id=queue.uuid, actor=user, slot_id=first[item.pk], value=value, client_key=uuid4())
    queue.refresh_from_db()


NewAnnotation = tuple[User, Item, dict[str, Any]]  # annotator, item, and value with labels by their ids


@transaction.atomic
def annotate_in_bulk(queue: Queue, annotations: Sequence[NewAnnotation]) -> bool:
    """Write annotations as `submit` would, with a dozen fewer statements each. Return False and write
    nothing where that isn't possible.
    """
    queue = Queue.objects.select_related("dataset__project", "schema").get(pk=queue.pk)
    slots: dict[int, list[Slot]] = defaultdict(list)
    rows = Slot.objects.filter(queue=queue, item__in={item.pk for _, item, _ in annotations}).order_by("id")
    for slot in rows.select_related("annotation__label"):
        slots[slot.item_id].append(slot)
    if not are_first(queue, annotations, slots):
        return False
    labels = labels_by_id(queue.schema)
    filled, full = [], []
    for user, item, value in annotations:
        item.dataset = queue.dataset
        read = answering.read_value(queue, item, value, labels)
        row = Annotation(
            queue=queue, item=item, user=user, **stored(read, labels), seconds=0, client_key=uuid4()
        )
        target = answering.slot_for(slots[item.pk], user)
        filled.append((row, target))
        if target:
            target.state, target.user, target.lease_until, target.lease_token = (
                Slot.State.DONE,
                user,
                None,
                None,
            )
            full += [item] if answering.has_all(slots[item.pk]) else []
    write(queue, filled)
    for item in full:
        settle(queue, item, slots[item.pk])
    return True


def are_first(
    queue: Queue, annotations: Sequence[NewAnnotation], slots: Mapping[int, Sequence[Slot]]
) -> bool:
    """Whether each is its annotator's first annotation of an item of the queue, none is of a gold item, and
    all annotators have permission. slots: by item.
    """
    pairs = {(item.pk, user.pk) for user, item, _ in annotations}
    if (
        len(pairs) < len(annotations)
        or {item for item, _ in pairs} != slots.keys()
        or any(slot.is_gold for some in slots.values() for slot in some)
    ):
        return False
    if pairs & set(Annotation.objects.filter(queue=queue).values_list("item", "user")):
        return False
    return all(
        can(user, "labeling.annotate", queue) and not is_for_others(queue, user)
        for user in {user for user, _, _ in annotations}
    )


def write(queue: Queue, filled: Sequence[tuple[Annotation, Slot | None]]) -> None:
    """Save annotations, each with the slot that it fills, or None; update the counts of the queue and its
    annotators.
    """
    Annotation.objects.bulk_create(row for row, _ in filled)
    for row, slot in filled:
        if slot:
            slot.annotation = row
    slots = [slot for _, slot in filled if slot]
    Slot.objects.bulk_update(slots, ["state", "user", "annotation", "lease_until", "lease_token"])
    for user, count in Counter(row.user for row, _ in filled).items():
        answering.count(queue, user, labeled=count)
    Queue.objects.filter(pk=queue.pk).update(slots_done=F("slots_done") + len(slots))


def queue_items(queue: Queue) -> list[Item]:
    """The items of a queue, in its order."""
    return list(Item.objects.filter(slots__queue=queue, slots__is_gold=False).distinct().order_by("id"))


def make_annotator(project: Project, username: str) -> User:
    """One more analyst."""
    user = User.objects.create_user(
        username, password="correct-horse-battery", display_name=username.capitalize()
    )
    grant(user=user, role=Role.ANALYST, root=project, actor=None)
    return user


def decided_dataset(
    project: Project,
    actor: User,
    rows: Iterable[tuple[str, str]],
    *,
    manager: User,
    name: str = "Inbox",
    slug: str = "inbox",
) -> Dataset:
    """A dataset whose items each have a resolved label by one annotator (`actor`). manager: manages labeling.
    rows: (text, label).
    """
    rows = list(rows)
    dataset = make_dataset(project, actor, [text for text, _ in rows], name=name, slug=slug)
    queue = make_queue(dataset, manager, schema=sorted({label for _, label in rows}))
    label_items(queue, {actor: [label for _, label in rows]})
    assert Decision.objects.filter(item__dataset=dataset).count() == len(
        {content_digest(text) for text, _ in rows}
    )
    return dataset


def all_given_back(page: Page, *, seconds: float = 30) -> bool:
    """Whether all items are released within this time; the beacon that releases them is sent after the next
    page loads.
    """
    until = time.monotonic() + seconds
    while held := Slot.objects.filter(state=Slot.State.LEASED).exists():
        if time.monotonic() > until:
            break
        page.wait_for_timeout(10)
    return not held


def adjudicators_of(item_ids: Iterable[int]) -> set[int]:
    """The keys of the users responsible for the current labels of these items: who adjudicated them, accepted
    their upload, or published the label change that moved them.
    """
    rows = (
        standing().filter(item_id__in=[*item_ids]).order_by().values_list("by", "change__schema__created_by")
    )
    return {user for pair in rows for user in pair if user is not None}
