"""Who had a say in which rows a test split has, and in what their classes are called, without labeling any of them.

Whom the events name counts beside whom the rows name. Only what was done before the snapshot was made counts: later acts change nothing of
it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from datasets_app.labeling.models import Decision, Label, LabelChange, LabelSchema
from datasets_app.labeling.relabelling import ChangeKind
from datasets_app.scanning.models import Finding, GroupMember
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import TEST, TRAIN, VALIDATION
from registry.ledger import accounts
from registry.ledger.rules import SYSTEM
from registry.ledger.verbs import Verb

JUDGED = {Verb.FINDING_DISMISSED, Verb.FINDING_CONFIRMED, Verb.FINDING_REOPENED}


def dismissers(items: Collection[int], before: datetime) -> set[str]:
    """Who said that these items are no near duplicates of others, as uuids: the splits then take them apart, and intervals take each by
    itself. items: keys. Who took it back before that moment doesn't count."""
    groups = GroupMember.objects.filter(item__in=items).values("group")
    near = Finding.objects.filter(kind=Finding.Kind.NEAR_DUPLICATE, group__in=groups).order_by()
    told = accounts.events_of([str(uuid) for uuid in near.values_list("uuid", flat=True)], JUDGED)
    lasts = [[event for event in events if event.at <= before][-1:] for events in told.values()]
    return {event.actor for last in lasts for event in last if event.verb == Verb.FINDING_DISMISSED}


def namers(snapshot: Snapshot, since: datetime) -> set[str]:
    """Who gave a class of the test split another name, as uuids: by the name of another class its rows would have the label of that one.
    since: when the first of these rows was decided; what classes were called before nobody was asked by."""
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


def takers(snapshot: Snapshot) -> set[str]:
    """Who took decided rows out before they could test anything, as uuids: by withdrawing the decision, or by splitting or retiring its
    class. Rows that had another split than the test split's are left aside."""
    later = Q(superseded_by__isnull=True) | Q(superseded_by__created_at__gt=snapshot.created_at)
    held = Decision.objects.filter(later, item__dataset=snapshot.dataset_id, created_at__lte=snapshot.created_at)
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
