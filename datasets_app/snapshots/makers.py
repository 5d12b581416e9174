"""The contributors to a dataset version: who labeled, annotated, pre-labeled, uploaded, or chose its test
rows, and who split it.

People named in the audit log count in addition to people named in the rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet

from datasets_app.datasets.models import Item, Upload
from datasets_app.exchange.models.corrections import Correction
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.models.queues import Queue
from datasets_app.snapshots import choosing
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot, SplitAssignment
from datasets_app.snapshots.rules import TEST
from registry.ground.access import queries as access
from registry.ground.access.models import User
from registry.ground.ledger import accounts
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import SYSTEM
from registry.ground.ledger.verbs import Verb

AUTHORS = ("by", "change__schema__created_by")
# Decisions of items with imported labels, annotations, or pre-labels: a visible pre-label influences the
# decision.
IMPORTED = (
    Q(how=Decision.How.IMPORTED)
    | Q(queue__source=Queue.Source.IMPORTED)
    | Exists(Suggestion.objects.filter(item=OuterRef("item"), source=Suggestion.Source.IMPORT))
)
RECORDED = {
    Verb.LABEL_RESOLVED: "uuid",
    Verb.SCHEMA_PUBLISHED: "change__schema__uuid",
}  # field of a decision that its event refers to
AT_ONCE = 10_000  # objects whose events are read by one statement


def deciders(snapshot: Snapshot) -> list[str]:
    """Everyone who contributed to the labels of the test split or influenced its rows, by uploading or as in
    `choosing`; as sorted uuids. Superseded decisions count too.
    """
    window, since = choosing.window_of(snapshot), snapshot.created_at
    people = choosing.takers(snapshot, window)
    for rows in snapshots.newer(snapshot, split=TEST):
        found = Decision.objects.filter(item__in=rows.items).order_by()
        annotated = annotated_here(found)
        people |= labelers_of(found, annotated) | uploaders_of(Item.objects.filter(pk__in=rows.items))
        people |= choosing.dismissers(rows.items, window)
        since = min(since, first_labeled_at(found, annotated) or since)
    return sorted(people | choosing.namers(snapshot, since))


def annotated_here(found: QuerySet[Decision]) -> QuerySet[Decision]:
    """Those of these decisions whose annotations, if they have any, weren't imported from a file."""
    return found.exclude(queue__in=imported_queues(found))


def first_labeled_at(found: QuerySet[Decision], annotated: QuerySet[Decision]) -> datetime | None:
    """When the first of these decisions, or the first of their annotations, was made. Annotation times from
    files are ignored: they could be backdated.
    """
    firsts = (
        found.aggregate(first=Min("created_at"))["first"],
        annotated.aggregate(first=Min("annotations__created_at"))["first"],
    )
    return min((at for at in firsts if at), default=None)


def deciders_of(found: QuerySet[Decision]) -> set[str]:
    """Everyone who contributed to these decisions, as uuids: also who uploaded or accepted the file of an
    item with imported labels.
    """
    imported = Item.objects.filter(pk__in=found.filter(IMPORTED).values("item"))
    return labelers_of(found, annotated_here(found)) | uploaders_of(imported)


def labelers_of(found: QuerySet[Decision], annotated: QuerySet[Decision]) -> set[str]:
    """Everyone who contributed to these decisions but the uploaders of their items, as uuids: who made them
    or their annotations, who uploaded or accepted a file of corrections, who sent pre-labels before them, who
    published a label change that moved them or mapped their annotations.
    Names from files are ignored: a file could name anyone to choose who can't approve.

    People in events count in addition to people in rows: neither alone clears a person. annotated: as
    `annotated_here` says.
    """
    corrected = corrections_of(found)
    people: list[QuerySet[Any, Any]] = [
        found.filter(**{f"{author}__isnull": False}).values_list(author) for author in AUTHORS
    ]
    people += [
        corrected.values_list("uploaded_by"),
        corrected.filter(accepted_by__isnull=False).values_list("accepted_by"),
    ]
    by_hand = annotated.filter(annotations__isnull=False).values_list("annotations__user")
    named = User.objects.filter(pk__in=[pk for (pk,) in by_hand.union(*people)])
    return (
        access.with_account(named) | recorded_deciders(found) | senders_of(found) | choosing.changers(found)
    )


def corrections_of(found: QuerySet[Decision]) -> QuerySet[Correction]:
    """The files of corrected labels that made these decisions, including other uploads of the same file."""
    return Correction.objects.filter(
        Exists(found.filter(file=OuterRef("blob"), item__dataset=OuterRef("dataset")))
    )


def senders_of(found: QuerySet[Decision]) -> set[str]:
    """Who sent pre-labels for the items of these decisions before they were made, as uuids. Events contain
    the dataset and the model's digest. Later pre-labels don't count: sending more can't undo an approval.
    """
    outside = Suggestion.objects.filter(
        source=Suggestion.Source.OUTSIDE,
        item__decisions__in=found,
        created_at__lte=F("item__decisions__created_at"),
    )
    rows = (
        outside.order_by()
        .values_list("item__dataset__uuid", "source_digest")
        .annotate(last=Max("item__decisions__created_at"))
    )
    lasts = {(str(dataset), digest): last for dataset, digest, last in rows}
    by_dataset = accounts.events_of([*{dataset for dataset, _ in lasts}], {Verb.PRELABELS_UPLOADED})
    batches = [
        (event, lasts.get((dataset, event.payload["digest"])))
        for dataset, events in by_dataset.items()
        for event in events
    ]
    return {event.actor for event, last in batches if last and event.at <= last} - {SYSTEM}


def imported_queues(rows: QuerySet[Any]) -> list[int]:
    """The keys of the queues of these decisions or annotations that were imported from a file, by their rows
    and the audit log.
    """
    queues = Queue.objects.filter(source=Queue.Source.IMPORTED, pk__in=rows.order_by().values("queue"))
    keys = {str(uuid): pk for uuid, pk in queues.values_list("uuid", "pk")}
    return [
        keys[uuid]
        for uuid, events in accounts.events_of([*keys], {Verb.ANNOTATIONS_IMPORTED}).items()
        if events
    ]


def uploaders_of(items: QuerySet[Item]) -> set[str]:
    """Who uploaded or accepted the files of these items or changed their parsing, as uuids. Acceptances of
    imports that were cancelled or failed don't count. Texts selected automatically from traffic are no one's
    choice, as their event shows.
    """
    rows = Upload.objects.filter(pk__in=items.order_by().values("upload"))
    by_uuid = {
        str(uuid): {*people} - {None}
        for uuid, *people in rows.values_list("uuid", "uploaded_by__uuid", "accepted_by__uuid")
    }
    found: set[str] = set()
    for uuid, events in accounts.events_of(
        [*by_uuid], {Verb.UPLOAD_ACCEPTED, Verb.UPLOAD_PARSING_CHANGED}
    ).items():
        accepted = [(event.actor, event.payload) for event in events if event.verb == Verb.UPLOAD_ACCEPTED][
            -1:
        ]
        if not any(payload.get("by_system") for _, payload in accepted):
            found |= {*map(str, by_uuid[uuid])} | {
                event.actor for event in events if event.verb == Verb.UPLOAD_PARSING_CHANGED
            }
            found |= {
                who for actor, payload in accepted for who in (actor, payload.get("uploaded_by", actor))
            }
    return found - {SYSTEM}


def recorded_deciders(found: QuerySet[Decision]) -> set[str]:
    """Who made or accepted these decisions according to their events, as uuids. Events are read by object,
    thousands at a time, since other writers wait meanwhile.
    """
    people: set[str] = set()
    decided = {
        verb: found.filter(**{f"{it}__isnull": False}).values_list(it, flat=True).distinct()
        for verb, it in RECORDED.items()
    }
    corrected = corrections_of(found).values_list("uuid", flat=True)
    for verb, about in [*decided.items(), (Verb.LABELS_CORRECTED, corrected)]:
        ids = [str(uuid) for uuid in about]
        for at in range(0, len(ids), AT_ONCE):
            events = (
                Event.objects.filter(object_id__in=ids[at : at + AT_ONCE])
                .order_by()
                .values_list("verb", "actor")
                .distinct()
            )
            people.update(actor for did, actor in events if did == verb)
        if verb == Verb.LABELS_CORRECTED:
            people.update(
                event.payload["uploaded_by"]
                for events in accounts.events_of(ids, {verb}).values()
                for event in events
            )
    return people - {SYSTEM}


def dividers(own: Snapshot, before: Snapshot | None) -> list[str]:
    """Who split the rows of a version, as sorted uuids: who created it, or a version that first split rows
    that are new since an earlier one. Versions created automatically for retraining keep the live version's
    split and count for no one.
    """
    rows = Snapshot.objects.filter(pk__in=dividing(own, before))
    creators = {str(uuid): {str(by)} - {"None"} for uuid, by in rows.values_list("uuid", "created_by__uuid")}
    dataset = str(own.dataset.uuid)
    logged = accounts.events_of([*creators, dataset], {Verb.SNAPSHOT_REQUESTED, Verb.SNAPSHOT_CREATED})
    requests = {event.payload["snapshot"]: event for event in logged.pop(dataset)}
    for snapshot, events in logged.items():
        creators[snapshot] |= {
            event.actor for event in (*events, *([requests[snapshot]] if snapshot in requests else []))
        }
    by_product = {snapshot for snapshot, event in requests.items() if event.payload.get("by_system")}
    return sorted(
        set().union(*(people for snapshot, people in creators.items() if snapshot not in by_product))
        - {SYSTEM}
    )


def dividing(own: Snapshot, before: Snapshot | None) -> set[int]:
    """The keys of a version, and of the versions that first split its rows missing from `before`."""
    found = {own.pk}
    gave_splits = Exists(SplitAssignment.objects.filter(snapshot=OuterRef("pk")))
    others = {
        *Snapshot.objects.filter(gave_splits, dataset=own.dataset_id, number__lt=own.number).values_list(
            "pk", flat=True
        )
    }
    for rows in snapshots.newer(own, before) if others else ():
        fresh = SplitAssignment.objects.filter(item__in=rows.items, snapshot__in=others - found)
        found |= {*fresh.order_by().values_list("snapshot", flat=True).distinct()}
        if found >= others:
            break
    return found
