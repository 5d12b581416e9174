"""Create a labeling queue for the items of findings, most likely problems first."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from datasets_app.datasets.models import Dataset
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models.queues import Queue
from datasets_app.scanning import queries
from datasets_app.scanning.models import Finding, GroupMember
from datasets_app.scanning.rules import Kind, Status
from lifecycle.runtime.refusals import Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

SLOTS = 1_000  # maximum of one queue


@transaction.atomic
def send(*, dataset_id: UUID, kind: str, actor: User, name: str, overlap: int = 1, limit: int = 200) -> Queue:
    """Create a queue for the items of the most likely problems of a kind that are open or confirmed and
    weren't sent yet.

    Labels stay until the queue's annotations are resolved. limit: 1 to 1,000 items, and at most 1,000
    annotations; a group is sent whole or not at all. Raises PermissionDenied, or Refused with the field
    (unknown kind, nothing to send, name taken, out of range).
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "scanning.send", dataset)
    check(kind, overlap, limit)
    chosen, items = choose(dataset, kind, limit)
    if not items:
        text = f"No unsent {Kind(kind).label.lower()} fit in a queue of {limit:,} items."
        raise Refused(
            text,
            next_step="Scan the dataset, or allow more items. Items already in a queue aren't sent twice.",
            fields={"kind": [text]},
        )
    queue = open_queue(
        dataset_id=dataset.uuid,
        actor=actor,
        name=name,
        overlap=overlap,
        source=Queue.Source.ITEMS,
        item_ids=items,
    )
    Finding.objects.filter(pk__in=[row.pk for row in chosen]).update(queue=queue)
    ledger.record(
        actor,
        Verb.ISSUES_SENT,
        queue,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        kind=kind,
        findings=len(chosen),
        items=len(items),
        digest=digest_of(sorted(row.key for row in chosen)),
    )
    return queue


def check(kind: str, overlap: int, limit: int) -> None:
    """Raise Refused with the invalid fields."""
    problems: dict[str, list[str]] = {}
    if kind not in Kind.values:
        problems["kind"] = [f"Unknown type of issue. Choose one of {', '.join(Kind.values)}."]
    if limit < 1 or limit * max(1, overlap) > SLOTS:
        problems["limit"] = [
            f"{limit:,} items with {overlap} annotators each are too many; one queue takes 1 to {SLOTS:,}"
            " annotations."
        ]
    if problems:
        raise Refused(
            "The queue wasn't created.", next_step=next(iter(problems.values()))[0], fields=problems
        )


def choose(dataset: Dataset, kind: str, limit: int) -> tuple[list[Finding], list[int]]:
    """Confirmed findings before open ones, most likely problems first, as many as fit; and the distinct keys
    of their items.
    """
    chosen: list[Finding] = []
    room = limit
    for status in (Status.CONFIRMED, Status.OPEN):
        unsent = queries.ranked(dataset, kind, status).filter(
            Q(queue=None) | Q(queue__state=Queue.State.CLOSED)
        )
        for row in unsent.select_related("group").select_for_update(of=("self",))[:limit]:
            size = row.group.size if row.group else 1
            if size <= room:
                chosen.append(row)
                room -= size
    members: dict[int | None, list[int]] = {}
    rows = GroupMember.objects.filter(group__in=[row.group_id for row in chosen if row.group_id]).order_by(
        "item_id"
    )
    for group, item in rows.values_list("group_id", "item_id"):
        members.setdefault(group, []).append(item)
    items = (item for row in chosen for item in ([row.item_id] if row.item_id else members[row.group_id]))
    return chosen, list(dict.fromkeys(items))
