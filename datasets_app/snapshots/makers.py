"""Whose work a dataset version is: who decided, annotated, suggested, uploaded or chose what its test split holds, and who divided it.

Whom the trail names counts beside whom the rows name.
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
# Whose labels, answers or suggestions came with the item's upload: who sees a suggestion decides the less alone.
BROUGHT = (
    Q(how=Decision.How.IMPORTED)
    | Q(queue__source=Queue.Source.BROUGHT)
    | Exists(Suggestion.objects.filter(item=OuterRef("item"), source=Suggestion.Source.IMPORT))
)
RECORDED = {Verb.ITEM_DECIDED: "uuid", Verb.SCHEMA_PUBLISHED: "change__schema__uuid"}  # what of a decision an event of this kind is about
AT_ONCE = 10_000  # objects whose events are looked up by one statement


def deciders(snapshot: Snapshot) -> list[str]:
    """Everyone whose work the labels of the test split are, and who had a say in which rows it has: who uploaded them, and who by
    `choosing`; as sorted uuids. Superseded decisions count too."""
    making, since = choosing.making_of(snapshot), snapshot.created_at
    people = choosing.takers(snapshot, making)
    for rows in snapshots.newer(snapshot, split=TEST):
        found = Decision.objects.filter(item__in=rows.items).order_by()
        people |= deciders_of(found) | uploaders_of(Item.objects.filter(pk__in=rows.items))
        people |= choosing.dismissers(rows.items, making)
        since = min(since, first_said(found) or since)
    return sorted(people | choosing.namers(snapshot, since))


def first_said(found: QuerySet[Decision]) -> datetime | None:
    """When the first of these decisions was taken, or the first answer given that one of them rests on. Annotation times from files are
    ignored: they could be backdated.
    """
    taken = found.aggregate(first=Min("created_at"))["first"]
    answered = found.exclude(queue__in=brought_queues(found)).aggregate(first=Min("annotations__created_at"))["first"]
    return min((at for at in (taken, answered) if at), default=None)


def deciders_of(found: QuerySet[Decision]) -> set[str]:
    """Everyone whose work these decisions are, as uuids: who took them or gave the answers that they rest on, who uploaded or accepted
    their file, who sent suggestions before them, who published a change of classes that moved them, or
    through which the answers were read. Names from files are ignored: a file could name anyone to choose who can't approve.

    Whom the events name counts beside whom the rows name: neither alone frees anybody."""
    corrected = corrections_of(found)
    people: list[QuerySet[Any, Any]] = [found.filter(**{f"{author}__isnull": False}).values_list(author) for author in AUTHORS]
    people += [corrected.values_list("brought_by"), corrected.filter(accepted_by__isnull=False).values_list("accepted_by")]
    answered = found.exclude(queue__in=brought_queues(found)).filter(annotations__isnull=False)
    named = User.objects.filter(pk__in=[pk for (pk,) in answered.values_list("annotations__user").union(*people)])
    came = Item.objects.filter(pk__in=found.filter(BROUGHT).values("item"))
    return access.with_account(named) | recorded_deciders(found) | uploaders_of(came) | senders_of(found) | choosing.changers(found)


def corrections_of(found: QuerySet[Decision]) -> QuerySet[Correction]:
    """The files of corrected labels with which these decisions came, whoever uploaded the same file."""
    return Correction.objects.filter(Exists(found.filter(file=OuterRef("blob"), item__dataset=OuterRef("dataset"))))


def senders_of(found: QuerySet[Decision]) -> set[str]:
    """Who sent suggestions about the items of these decisions before they were taken, as uuids. Events name the dataset and the model's
    digest, and what came after a decision doesn't count: sending more later can't undo an approval.
    """
    outside = Suggestion.objects.filter(
        source=Suggestion.Source.OUTSIDE, item__decisions__in=found, created_at__lte=F("item__decisions__created_at")
    )
    rows = outside.order_by().values_list("item__dataset__uuid", "source_digest").annotate(last=Max("item__decisions__created_at"))
    lasts = {(str(dataset), digest): last for dataset, digest, last in rows}
    told = accounts.events_of([*{dataset for dataset, _ in lasts}], {Verb.SUGGESTIONS_RECEIVED})
    batches = [(event, lasts.get((dataset, event.payload["digest"]))) for dataset, events in told.items() for event in events]
    return {event.actor for event, last in batches if last and event.at <= last} - {SYSTEM}


def brought_queues(rows: QuerySet[Any]) -> list[int]:
    """The keys of those queues of decisions or answers that came answered with a file, by their rows and by the trail."""
    queues = Queue.objects.filter(source=Queue.Source.BROUGHT, pk__in=rows.order_by().values("queue"))
    keys = {str(uuid): pk for uuid, pk in queues.values_list("uuid", "pk")}
    return [keys[uuid] for uuid, events in accounts.events_of([*keys], {Verb.ANSWERS_BROUGHT}).items() if events]


def uploaders_of(items: QuerySet[Item]) -> set[str]:
    """Who uploaded and who accepted the files that these items came with, and who changed how they are read, as uuids; by whom a file was
    accepted before, whose import was cancelled or failed, doesn't count. Texts selected automatically from traffic are no one's choice, as
    their event shows.
    """
    rows = Upload.objects.filter(pk__in=items.order_by().values("upload"))
    by_uuid = {str(uuid): {*people} - {None} for uuid, *people in rows.values_list("uuid", "uploaded_by__uuid", "accepted_by__uuid")}
    found: set[str] = set()
    for uuid, events in accounts.events_of([*by_uuid], {Verb.UPLOAD_ACCEPTED, Verb.UPLOAD_READ}).items():
        told = [(event.actor, event.payload) for event in events if event.verb == Verb.UPLOAD_ACCEPTED][-1:]
        if not any(payload.get("by_system") for _, payload in told):
            found |= {*map(str, by_uuid[uuid])} | {event.actor for event in events if event.verb == Verb.UPLOAD_READ}
            found |= {who for actor, payload in told for who in (actor, payload.get("uploaded_by", actor))}
    return found - {SYSTEM}


def recorded_deciders(found: QuerySet[Decision]) -> set[str]:
    """Who decided them or had them written, as their events say, as uuids: looked up by what an event is about, thousands at a time, since
    it is done while others wait for the turn to write."""
    told: set[str] = set()
    decided = {verb: found.filter(**{f"{it}__isnull": False}).values_list(it, flat=True).distinct() for verb, it in RECORDED.items()}
    corrected = corrections_of(found).values_list("uuid", flat=True)
    for verb, about in [*decided.items(), (Verb.DECISIONS_CORRECTED, corrected)]:
        ids = [str(uuid) for uuid in about]
        for at in range(0, len(ids), AT_ONCE):
            events = Event.objects.filter(object_id__in=ids[at : at + AT_ONCE]).order_by().values_list("verb", "actor").distinct()
            told.update(actor for did, actor in events if did == verb)
        if verb == Verb.DECISIONS_CORRECTED:
            told.update(event.payload["brought_by"] for events in accounts.events_of(ids, {verb}).values() for event in events)
    return told - {SYSTEM}


def dividers(own: Snapshot, before: Snapshot | None) -> list[str]:
    """Who divided the rows of a snapshot, as sorted uuids: who froze it, or one that gave the splits of rows that are new since an earlier
    one. Versions created automatically for retraining keep the live version's split and count for no one.
    """
    rows = Snapshot.objects.filter(pk__in=dividing(own, before))
    froze = {str(uuid): {str(by)} - {"None"} for uuid, by in rows.values_list("uuid", "created_by__uuid")}
    dataset = str(own.dataset.uuid)
    told = accounts.events_of([*froze, dataset], {Verb.SNAPSHOT_REQUESTED, Verb.SNAPSHOT_FROZEN})
    asked = {event.payload["snapshot"]: event for event in told.pop(dataset)}
    for snapshot, events in told.items():
        froze[snapshot] |= {event.actor for event in (*events, *([asked[snapshot]] if snapshot in asked else []))}
    by_product = {snapshot for snapshot, event in asked.items() if event.payload.get("by_system")}
    return sorted(set().union(*(people for snapshot, people in froze.items() if snapshot not in by_product)) - {SYSTEM})


def dividing(own: Snapshot, before: Snapshot | None) -> set[int]:
    """The keys of a snapshot, and of those that gave the splits of its rows which another lacks."""
    found = {own.pk}
    gave_splits = Exists(SplitAssignment.objects.filter(snapshot=OuterRef("pk")))
    others = {*Snapshot.objects.filter(gave_splits, dataset=own.dataset_id, number__lt=own.number).values_list("pk", flat=True)}
    for rows in snapshots.newer(own, before) if others else ():
        fresh = SplitAssignment.objects.filter(item__in=rows.items, snapshot__in=others - found)
        found |= {*fresh.order_by().values_list("snapshot", flat=True).distinct()}
        if found >= others:
            break
    return found
