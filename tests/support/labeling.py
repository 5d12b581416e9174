"""Label schemas, queues, answers and decisions for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from playwright.sync_api import Page

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState, content_digest, normal_digest
from datasets_app.labeling import actions, queries
from datasets_app.labeling.models import Annotation, Decision, Label, LabelSchema, Queue, Slot
from datasets_app.labeling.rules import LabelSpec
from datasets_app.labeling.values import rename
from registry.access.actions import grant
from registry.access.models import Project, User
from registry.access.roles import Role
from registry.artifacts import actions as artifacts

LABELS = ("billing", "card", "transfer")


def make_dataset(
    project: Project, actor: User, texts: Iterable[str | dict[str, Any]] = (), *, name: str = "Inbox", slug: str = "inbox",
    task: str = "single_label",
) -> Dataset:  # fmt: skip
    """A dataset whose items are already imported. texts: of the items, or their content where responses are compared or turns written."""
    dataset = Dataset.objects.create(project=project, slug=slug, name=name, task=task, created_by=actor)
    add_items(dataset, actor, texts)
    return dataset


def add_items(dataset: Dataset, actor: User, rows: Iterable[str | dict[str, Any]], *, imported: bool = True) -> list[Item]:
    """One more upload with these texts or contents."""
    rows = list(rows)
    contents = [None if isinstance(row, str) else row for row in rows]
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    blob = artifacts.put_bytes("\n".join([dataset.slug, *texts]).encode(), media_type="text/plain")
    upload = Upload.objects.create(
        dataset=dataset, blob=blob, file_name="items.csv", size=blob.size, uploaded_by=actor, accepted_by=actor,
        state=UploadState.IMPORTED if imported else UploadState.IMPORTING,
    )  # fmt: skip
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


def make_schema(dataset: Dataset, actor: User, names: Sequence[str] = LABELS, guideline: str = "") -> LabelSchema:
    """A published schema with these classes."""
    return actions.publish_schema(dataset_id=dataset.uuid, actor=actor, labels=[LabelSpec(name) for name in names], guideline=guideline)


def make_queue(dataset: Dataset, actor: User, *, schema: Sequence[str] | None = None, name: str = "Batch 1", **options) -> Queue:
    """An open, filled queue; makes a schema of `schema` (or LABELS) where the dataset has none. actor may manage labeling."""
    if schema is not None or queries.latest_schema(dataset) is None:
        make_schema(dataset, actor, LABELS if schema is None else schema)
    return actions.open_queue(dataset_id=dataset.uuid, actor=actor, name=name, **options)


def says(label: Label) -> dict[str, str]:
    """The value that names one class."""
    return {"label": str(label.uuid)}


def answer(queue: Queue, user: User, item: Item, label: str, **options) -> Annotation:
    """One answer of one person about one item, whatever the order of the queue."""
    labels = queries.labels_by_name(queue.schema)
    slot = queue.slots.filter(item=item).order_by("id").first()
    options.setdefault("client_key", uuid4())
    return actions.submit(queue_id=queue.uuid, actor=user, slot_id=slot.pk, value=says(labels[label]), **options)


def say(queue: Queue, user: User, item: Item, value: dict[str, Any], **options) -> Annotation:
    """One answer of one person about one item, its classes called by their names."""
    ids = {label.name: str(label.stable_id) for label in queue.schema.labels.all()}
    slot = queue.slots.filter(item=item).order_by("id").first()
    options.setdefault("client_key", uuid4())
    return actions.submit(queue_id=queue.uuid, actor=user, slot_id=slot.pk, value=rename(value, ids), **options)


def label_items(queue: Queue, answers: Mapping[User, Sequence[str]], items: Sequence[Item] | None = None) -> None:
    """Each person labels the items in order (all of the queue by default); an empty label leaves an item out."""
    items = items if items is not None else queue_items(queue)
    for user, labels in answers.items():
        for item, label in zip(items, labels, strict=False):
            if label:
                answer(queue, user, item, label)
    queue.refresh_from_db()


def queue_items(queue: Queue) -> list[Item]:
    """The items of a queue, in its order."""
    return list(Item.objects.filter(slots__queue=queue, slots__is_gold=False).distinct().order_by("id"))


def make_annotator(project: Project, username: str) -> User:
    """One more analyst."""
    user = User.objects.create_user(username, password="correct-horse-battery", display_name=username.capitalize())
    grant(user=user, role=Role.ANALYST, root=project, actor=None)
    return user


def decided_dataset(
    project: Project, actor: User, rows: Iterable[tuple[str, str]], *, manager: User, name: str = "Inbox", slug: str = "inbox"
) -> Dataset:
    """A dataset whose items each have a decision by one annotator (`actor`); `manager` may manage labeling. rows: (text, label)."""
    rows = list(rows)
    dataset = make_dataset(project, actor, [text for text, _ in rows], name=name, slug=slug)
    queue = make_queue(dataset, manager, schema=sorted({label for _, label in rows}))
    label_items(queue, {actor: [label for _, label in rows]})
    assert Decision.objects.filter(item__dataset=dataset).count() == len({content_digest(text) for text, _ in rows})
    return dataset


def all_given_back(page: Page) -> bool:
    """Whether nobody holds an item any more; the beacon that says so is sent behind the next page."""
    for _ in range(50):
        if not Slot.objects.filter(state=Slot.State.LEASED).exists():
            return True
        page.wait_for_timeout(100)
    return False
