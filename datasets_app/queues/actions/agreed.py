"""Items on which people agree, kept while they wait until a reviewer accepts them. Under the item's lock, as everything here."""

from __future__ import annotations

from django.db.models import F

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.queues import Queue


def wait_for_acceptance(queue: Queue, item: Item) -> None:
    """The item waits until a reviewer accepts it."""
    _, made = Agreed.objects.get_or_create(queue=queue, item=item, defaults={"place": rules.random_place(queue.uuid, item.pk)})
    if made:
        Queue.objects.filter(pk=queue.pk).update(items_agreed=F("items_agreed") + 1)


def wait_no_more(queue: Queue, item: Item) -> bool:
    """The item does not wait to be accepted any more. Returns whether it did. A sample in which nobody judged it loses it."""
    gone = Agreed.objects.filter(queue=queue, item=item).first()
    if gone is None:
        return False
    gone.delete()
    Queue.objects.filter(pk=queue.pk).update(items_agreed=F("items_agreed") - 1)
    return True
