"""Unanimous items that wait for an adjudicator to accept them. Callers hold the item's lock."""

from __future__ import annotations

from django.db.models import F

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.models.agreed import Agreed
from datasets_app.queues.models.queues import Queue


def wait_for_acceptance(queue: Queue, item: Item) -> None:
    """Add the item to those that wait for acceptance."""
    _, made = Agreed.objects.get_or_create(
        queue=queue, item=item, defaults={"place": rules.random_place(queue.uuid, item.pk)}
    )
    if made:
        Queue.objects.filter(pk=queue.pk).update(items_agreed=F("items_agreed") + 1)


def stop_waiting(queue: Queue, item: Item) -> bool:
    """Remove the item from those that wait for acceptance, and from a sample in which it wasn't judged.
    Returns whether it was waiting.
    """
    row = Agreed.objects.filter(queue=queue, item=item).first()
    if row is None:
        return False
    row.delete()
    Queue.objects.filter(pk=queue.pk).update(items_agreed=F("items_agreed") - 1)
    return True
