"""Who influenced the rows of a test split, or the names of their labels, without labeling any of them.

People in events count in addition to people in rows. Only actions before the version was created count. Its
job reads decisions and dismissals at moments that aren't recorded, so every state between its request and its
row counts: reverting an action while the job runs doesn't clear the person.
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

AT_ONCE = 2_000  # annotations per database read
JUDGED = {Verb.ISSUE_DISMISSED, Verb.ISSUE_CONFIRMED, Verb.ISSUE_REOPENED}


class Window(NamedTuple):
    """The time in which a version was created: from its request in the audit log to its row."""

    begin: datetime
    end: datetime


def window_of(snapshot: Snapshot) -> Window:
    """The time in which a version was created."""
    events = accounts.events_about(snapshot.dataset.uuid, {Verb.SNAPSHOT_REQUESTED})
    requested = [event.at for event in events if event.payload["snapshot"] == str(snapshot.uuid)]
    return Window(min([*requested, snapshot.created_at]), snapshot.created_at)


def dismissers(items: Collection[int], window: Window) -> set[str]:
    """Who dismissed near duplicates of these items, as uuids: they may then be in different splits, and count
    as independent in intervals. items: keys. Dismissals reverted before the version was requested don't
    count.
    """
    groups = GroupMember.objects.filter(item__in=items).values("group")
    near = Finding.objects.filter(kind=Finding.Kind.NEAR_DUPLICATE, group__in=groups).order_by()
    by_finding = accounts.events_of([str(uuid) for uuid in near.values_list("uuid", flat=True)], JUDGED)
    found: set[str] = set()
    for events in by_finding.values():
        before = [event for event in events if event.at <= window.begin][-1:]
        meanwhile = [event for event in events if window.begin < event.at <= window.end]
        found |= {event.actor for event in before + meanwhile if event.verb == Verb.ISSUE_DISMISSED}
    return found


def namers(snapshot: Snapshot, since: datetime) -> set[str]:
    """Who renamed a label of the test split, as uuids: with the name of another label its rows would get that
    label. since: when the first of these rows was annotated or labeled; earlier names were never shown.
    """
    tested = {name for name, splits in snapshot.counts["labels"].items() if splits.get(TEST)}
    labels = Label.objects.filter(
        schema__dataset=snapshot.dataset_id, schema__version__lte=snapshot.schema.version
    )
    rows = labels.order_by("schema__version").values_list(
        "stable_id", "name", "schema_id", "schema__created_at"
    )
    now = {stable_id: name for stable_id, name, *_ in rows}
    names: dict[UUID, str] = {}
    renaming: set[int] = set()
    for stable_id, name, schema, at in rows:
        if names.get(stable_id, name) != name and at >= since and now[stable_id] in tested:
            renaming.add(schema)
        names[stable_id] = name
    return publishers(LabelSchema.objects.filter(pk__in=renaming))


class Removal(NamedTuple):
    """The merge or retirement of a label. leads: the stable id of the label it was merged into; "" if
    retired. schema: the key of the schema version that did it.
    """

    leads: str
    schema: int
    at: datetime


def changers(found: QuerySet[Decision]) -> set[str]:
    """Who merged or retired labels of annotations before these decisions were made from them, as uuids. A
    later change moves the decision, which refers to the change.
    """
    changes = LabelChange.objects.filter(kind__in=READ, schema__dataset__in=found.values("item__dataset"))
    rows = changes.values_list("source", "kind", "targets", "schema_id", "schema__created_at")
    removals = {
        str(source): Removal(into[0] if kind == ChangeKind.MERGE else "", schema, at)
        for source, kind, into, schema, at in rows
    }
    if not removals:
        return set()
    annotations = found.filter(annotations__isnull=False).values_list(
        "created_at", "annotations__label__stable_id", "annotations__value"
    )
    schemas: set[int] = set()
    for decided, label, value in annotations.iterator(chunk_size=AT_ONCE):
        for name in {str(label)} if value is None else labels_of(value):
            schemas |= read_through(name, removals, decided, reads_retired=value is not None)
    return publishers(LabelSchema.objects.filter(pk__in=schemas))


def read_through(
    name: str, removals: Mapping[str, Removal], decided: datetime, *, reads_retired: bool
) -> set[int]:
    """The keys of the schema versions that mapped an annotation's label when its item was decided. name: its
    stable id. reads_retired: whether retired labels are left out of annotations, as in multi-label tasks.
    """
    found: set[int] = set()
    for _ in removals:  # the longest possible chain of merges
        change = removals.get(name)
        if change is None or change.at > decided or not (change.leads or reads_retired):
            break
        found.add(change.schema)
        name = change.leads
    return found


def takers(snapshot: Snapshot, window: Window) -> set[str]:
    """Who removed labeled rows before they could be in test, as uuids: by withdrawing the decision, or by
    splitting or retiring its label. Rows already in train or validation are ignored.
    """
    later = Q(superseded_by__isnull=True) | Q(superseded_by__created_at__gt=window.begin)
    held = Decision.objects.filter(later, item__dataset=snapshot.dataset_id, created_at__lte=window.end)
    before = {"item__assignment__snapshot__number__lte": snapshot.number}  # later versions don't matter
    held = held.exclude(item__assignment__split__in=[TRAIN, VALIDATION], **before).order_by()
    withdrawn = held.filter(how=Decision.How.WITHDRAWN)
    retired = LabelChange.objects.filter(
        schema__dataset=snapshot.dataset_id,
        schema__version__lte=snapshot.schema.version,
        kind=ChangeKind.RETIRE,
    )
    left = retired.filter(
        source__in=held.filter(label__stable_id__in=retired.values("source")).values("label__stable_id")
    )
    schemas = LabelSchema.objects.filter(Q(changes__in=left) | Q(pk__in=withdrawn.values("change__schema")))
    return withdrawers(withdrawn.filter(change__isnull=True)) | publishers(schemas)


def withdrawers(found: QuerySet[Decision]) -> set[str]:
    """Who withdrew these decisions, as uuids."""
    rows = {str(uuid): str(by) for uuid, by in found.filter(by__isnull=False).values_list("uuid", "by__uuid")}
    by_decision = accounts.events_of([*rows], {Verb.LABEL_RESOLVED})
    return {*rows.values()} | {event.actor for events in by_decision.values() for event in events}


def publishers(schemas: QuerySet[LabelSchema]) -> set[str]:
    """Who published these schema versions, as uuids."""
    rows = {str(uuid): str(by) for uuid, by in schemas.order_by().values_list("uuid", "created_by__uuid")}
    by_schema = accounts.events_of([*rows], {Verb.SCHEMA_PUBLISHED})
    return {*rows.values(), *(event.actor for events in by_schema.values() for event in events)} - {
        "None",
        SYSTEM,
    }
