"""Comments and flags on items."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.labeling.models import Comment, Queue
from lifecycle.refusals import Refused
from registry.access import policy
from registry.access.models import User
from registry.ledger import actions as ledger
from registry.ledger.verbs import Verb

LIMIT = 2_000


def find_item(queue: Queue, item_id: UUID) -> Item:
    """An item of the queue. Raises Refused."""
    item = Item.objects.filter(uuid=item_id, slots__queue=queue).first()
    if item is None:
        raise Refused("This item is not in the queue.", next_step="Reload the page.")
    return item


@transaction.atomic
def comment(*, queue_id: UUID, actor: User, item_id: UUID, text: str) -> Comment:
    """Say something about an item to those who review it. Raises PermissionDenied or Refused (empty, too long)."""
    queue = Queue.objects.get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    text = check_text(text)
    item = find_item(queue, item_id)
    same = Comment.objects.filter(item=item, queue=queue, user=actor, text=text, is_flag=False).first()  # a double click says it once
    return same or Comment.objects.create(item=item, queue=queue, user=actor, text=text)


def check_text(text: str) -> str:
    """The text without blanks around it. Raises Refused."""
    text = text.strip()
    if not text:
        raise Refused("The comment is empty.", fields={"text": ["Write what a reviewer should know."]})
    if len(text) > LIMIT:
        told = f"The comment has {len(text):,} characters; there is room for {LIMIT:,}."
        raise Refused(told, fields={"text": [told]})
    return text


@transaction.atomic
def flag(*, queue_id: UUID, actor: User, item_id: UUID, on: bool = True, text: str = "") -> Comment | None:
    """Ask for a look at an item, or take that back. The same again changes nothing. Raises PermissionDenied or Refused."""
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    item = find_item(queue, item_id)
    mine = Comment.objects.select_for_update().filter(item=item, queue=queue, user=actor, is_flag=True, resolved_at__isnull=True).first()
    if on and mine is None:
        mine = Comment.objects.create(item=item, queue=queue, user=actor, text=text.strip()[:LIMIT] or "Flagged.", is_flag=True)
        ledger.record(actor, Verb.ITEM_FLAGGED, mine, project=queue.dataset.project.uuid, item=item.digest, queue=queue.uuid)
    if not on and mine is not None:
        mine.resolved_at, mine.resolved_by = timezone.now(), actor
        mine.save(update_fields=["resolved_at", "resolved_by"])
    return mine
