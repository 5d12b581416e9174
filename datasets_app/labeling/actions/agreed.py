"""Items on which people agree, where a reviewer accepts them: kept while they wait, and what a spot check's sample learns of them."""

from __future__ import annotations

from django.db.models import F, QuerySet

from datasets_app.datasets.models import Item
from datasets_app.labeling.models.agreed import Agreed
from datasets_app.labeling.models.checks import Sampled, SpotCheck
from datasets_app.labeling.models.queues import Queue
from datasets_app.labeling.rules import queues as rules


def wait_for_acceptance(queue: Queue, item: Item) -> None:
    """The item waits until a reviewer accepts it. Under the item's lock, as everything here."""
    _, made = Agreed.objects.get_or_create(queue=queue, item=item, defaults={"place": rules.random_place(queue.uuid, item.pk)})
    if made:
        Queue.objects.filter(pk=queue.pk).update(items_agreed=F("items_agreed") + 1)


def wait_no_more(queue: Queue, item: Item, *, right: bool | None) -> None:
    """The item does not wait to be accepted, if it did. right: what a reviewer found of its answer; None: its answers changed by
    themselves, so a sample that holds it says nothing about it."""
    gone, _ = Agreed.objects.filter(queue=queue, item=item).delete()
    if not gone:
        return
    Queue.objects.filter(pk=queue.pk).update(items_agreed=F("items_agreed") - 1)
    sampled = in_open_sample(queue, item)
    if right is None:
        sampled.delete()
    else:
        sampled.update(right=right)


def look_again(queue: Queue, item: Item) -> None:
    """What a reviewer found of the item is taken back."""
    in_open_sample(queue, item).update(right=None)


def in_open_sample(queue: Queue, item: Item) -> QuerySet[Sampled]:
    """The item in the sample of the check that is under way, if it is there."""
    return Sampled.objects.filter(check_of__queue=queue, check_of__state=SpotCheck.State.OPEN, item=item)
