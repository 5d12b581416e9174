"""Who had a say in which rows a test split has, and in what their classes are called, without labeling any of them.

Whom the events name counts beside whom the rows name. Only what was done before the snapshot was made counts: later acts change nothing of
it. Its job reads what is decided and dismissed at moments that no row keeps, so whatever was so at any time between its request and its row
counts: who takes it back while the job runs answers for it all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from datasets_app.queues.models.decisions import Decision
from datasets_app.scanning.models import Finding, GroupMember
from datasets_app.schemas.models.schemas import Label, LabelChange, LabelSchema
from datasets_app.schemas.queries.changes import READ
from datasets_app.schemas.relabeling import ChangeKind
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import TEST, TRAIN, VALIDATION
from lifecycle.runtime.task_types.values import labels_of
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import SYSTEM
from registry.ground.ledger.verbs import Verb

AT_ONCE = 2_000  # answers that are read from the database together
JUDGED = {Verb.FINDING_DISMISSED, Verb.FINDING_CONFIRMED, Verb.FINDING_REOPENED}


class Making(NamedTuple):
    """When a snapshot was made: from its request, as the trail has it, to its row."""

    begin: datetime
    end: datetime


def making_of(snapshot: Snapshot) -> Making:
    """When a snapshot was made."""
    told = accounts.events_about(snapshot.dataset.uuid, {Verb.SNAPSHOT_REQUESTED})
    asked = [event.at for event in told if event.payload["snapshot"] == str(snapshot.uuid)]
    return Making(min([*asked, snapshot.created_at]), snapshot.created_at)


def dismissers(items: Collection[int], making: Making) -> set[str]:
    """Who dismissed near duplicates of these items, as uuids: the splits then take them apart, and intervals take each by
    itself. items: keys. Dismissals undone before the version was requested don't count.
    """
    groups = GroupMember.objects.filter(item__in=items).values("group")
    near = Finding.objects.filter(kind=Finding.Kind.NEAR_DUPLICATE, group__in=groups).order_by()
    told = accounts.events_of([str(uuid) for uuid in near.values_list("uuid", flat=True)], JUDGED)
    found: set[str] = set()
    for events in told.values():
        before = [event for event in events if event.at <= making.begin][-1:]
        meanwhile = [event for event in events if making.begin < event.at <= making.end]
        found |= {event.actor for event in before + meanwhile if event.verb == Verb.FINDING_DISMISSED}
    return found


def namers(snapshot: Snapshot, since: datetime) -> set[str]:
    """Who gave a class of the test split another name, as uuids: by the name of another class its rows would have the label of that one.
    since: when the first of these rows was annotated or decided; names before that were never shown.
    """
    tested = {name for name, splits in snapshot.counts["labels"].items() if splits.get(TEST)}
    labels = Label.objects.filter(schema__dataset=snapshot.dataset_id, schema__version__lte=snapshot.schema.version)
    rows = labels.order_by("schema__version").values_list("stable_id", "name", "schema_id", "schema__created_at")
    now = {stable_id: name for stable_id, name, *_ in rows}
    called: dict[UUID, str] = {}
    renaming: set[int] = set()
    for stable_id, name, schema, at in rows:
        if called.get(stable_id, name) != name and at >= since and now[stable_id] in tested:
            renaming.add(schema)
        called[stable_id] = name
    return publishers(LabelSchema.objects.filter(pk__in=renaming))


class Gone(NamedTuple):
    """What became of a class. leads: the class that it was merged into, by stable id; "" for one that was retired. schema: the key of the
    version that did so, at this moment."""

    leads: str
    schema: int
    at: datetime


def changers(found: QuerySet[Decision]) -> set[str]:
    """Who merged or retired a class through which answers were read before these decisions were taken by them, as uuids: a change of
    classes that comes later moves the decision, which names it."""
    changes = LabelChange.objects.filter(kind__in=READ, schema__dataset__in=found.values("item__dataset"))
    rows = changes.values_list("source", "kind", "targets", "schema_id", "schema__created_at")
    gone = {str(source): Gone(targets[0] if kind == ChangeKind.MERGE else "", schema, at) for source, kind, targets, schema, at in rows}
    if not gone:
        return set()
    said = found.filter(annotations__isnull=False).values_list("created_at", "annotations__label__stable_id", "annotations__value")
    schemas: set[int] = set()
    for decided, label, value in said.iterator(chunk_size=AT_ONCE):
        for name in {str(label)} if value is None else labels_of(value):
            schemas |= read_through(name, gone, decided, reads_retired=value is not None)
    return publishers(LabelSchema.objects.filter(pk__in=schemas))


def read_through(name: str, gone: Mapping[str, Gone], decided: datetime, *, reads_retired: bool) -> set[int]:
    """The keys of the versions through which a class of an answer was read when its item was decided. name: its stable id. reads_retired:
    whether a retired class is left out of answers, as where they may name several."""
    found: set[int] = set()
    for _ in gone:  # which a chain of merges is never longer than
        change = gone.get(name)
        if change is None or change.at > decided or not (change.leads or reads_retired):
            break
        found.add(change.schema)
        name = change.leads
    return found


def takers(snapshot: Snapshot, making: Making) -> set[str]:
    """Who took decided rows out before they could test anything, as uuids: by withdrawing the decision, or by splitting or retiring its
    class. Rows that had another split than the test split's are left aside."""
    later = Q(superseded_by__isnull=True) | Q(superseded_by__created_at__gt=making.begin)
    held = Decision.objects.filter(later, item__dataset=snapshot.dataset_id, created_at__lte=making.end)
    before = {"item__assignment__snapshot__number__lte": snapshot.number}  # what came later changes nothing of it
    held = held.exclude(item__assignment__split__in=[TRAIN, VALIDATION], **before).order_by()
    gone = held.filter(how=Decision.How.WITHDRAWN)
    retired = LabelChange.objects.filter(
        schema__dataset=snapshot.dataset_id, schema__version__lte=snapshot.schema.version, kind=ChangeKind.RETIRE
    )
    left = retired.filter(source__in=held.filter(label__stable_id__in=retired.values("source")).values("label__stable_id"))
    schemas = LabelSchema.objects.filter(Q(changes__in=left) | Q(pk__in=gone.values("change__schema")))
    return withdrawers(gone.filter(change__isnull=True)) | publishers(schemas)


def withdrawers(found: QuerySet[Decision]) -> set[str]:
    """Who withdrew these decisions, as uuids."""
    rows = {str(uuid): str(by) for uuid, by in found.filter(by__isnull=False).values_list("uuid", "by__uuid")}
    told = accounts.events_of([*rows], {Verb.ITEM_DECIDED})
    return {*rows.values()} | {event.actor for events in told.values() for event in events}


def publishers(schemas: QuerySet[LabelSchema]) -> set[str]:
    """Who published these versions of classes, as uuids."""
    rows = {str(uuid): str(by) for uuid, by in schemas.order_by().values_list("uuid", "created_by__uuid")}
    told = accounts.events_of([*rows], {Verb.SCHEMA_PUBLISHED})
    return {*rows.values(), *(event.actor for events in told.values() for event in events)} - {"None", SYSTEM}
