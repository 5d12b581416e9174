"""Gold for tests: items whose answer is known, and queues that mix them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from datasets_app.datasets.models import Dataset, Item
from datasets_app.quality.actions.gold import make_gold
from datasets_app.queues.actions.answers import submit
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Annotation, Gold, Queue, Slot
from datasets_app.schemas.queries.labels import latest_schema, names_in
from lifecycle.runtime.task_types.values import rename
from registry.ground.access.models import User
from tests.support.labeling import make_dataset, make_schema, named


def known_dataset(
    project: Any, mia: User, ravi: User, known: Sequence[str], texts: Sequence[str], **options: Any
) -> Dataset:
    """A dataset of gold items (texts "gold 0", … with these known labels, set by ravi) and of ordinary
    ones.
    """
    dataset = make_dataset(project, mia, [*(f"gold {n}" for n in range(len(known))), *texts], **options)
    make_schema(dataset, mia)
    for item, label in zip(dataset.items.order_by("id"), known, strict=False):
        know(item, ravi, {"label": label})
    return dataset


def know(item: Item, by: User, value: dict[str, Any], **options: Any) -> Gold:
    """Make an item gold; the labels of its value are given by name."""
    schema = latest_schema(item.dataset)
    ids = {name: key for key, name in names_in(schema).items()}
    return make_gold(item_id=item.uuid, actor=by, value=rename(value, ids), **options)


def mixed_queue(dataset: Dataset, mia: User, *, rate: int = 30, **options: Any) -> Queue:
    """An open queue over the items that are not gold."""
    chosen = list(
        dataset.items.exclude(pk__in=Gold.objects.values("item")).order_by("id").values_list("pk", flat=True)
    )
    return open_queue(
        dataset_id=dataset.uuid,
        actor=mia,
        name="Mixed",
        source=Queue.Source.ITEMS,
        item_ids=chosen,
        gold_rate=rate,
        **options,
    )


def gold_at(*places: int) -> Any:
    """Place gold items at exactly these positions of each annotator's queue."""
    return patch("datasets_app.queues.rules.is_gold_place", lambda seed, place, rate: place in places)


def take(queue: Queue, user: User, slot: Slot, value: dict[str, Any], **options: Any) -> Annotation:
    """Annotate a slot's item; labels are given by name."""
    options.setdefault("client_key", uuid4())
    return submit(queue_id=queue.uuid, actor=user, slot_id=slot.pk, value=named(queue, value), **options)


def work_off(
    queue: Queue, user: User, choose: Callable[[Slot], str], *, k: int = 5, most: int = 500
) -> list[Slot]:
    """Answer everything that the queue gives, one item after the other, as a bench does. Returns the slots in
    their order.
    """
    seen: list[Slot] = []
    while len(seen) < most and (hand := claim(queue_id=queue.uuid, actor=user, k=k)):
        take(queue, user, hand[0], {"label": choose(hand[0])})
        seen.append(hand[0])
    return seen
