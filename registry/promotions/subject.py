"""What an approval rests on, as one JSON value with one digest: read when the gates are checked, and again at every use.

Everything is read anew from the database, where each row is immutable or names its own digest. Two costly parts are carried over: who
decided labels of the test split, while no decision was added (decisions are append-only, so their number and newest id tell), and who
divided the rows, while snapshot and live version are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet

from datasets_app.datasets.models import Item, Upload
from datasets_app.labeling.models import Decision, Queue, Suggestion
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot, SplitAssignment
from datasets_app.snapshots.rules import TEST
from lifecycle.training import queries as training
from lifecycle.training.models import Run
from registry.access import queries as access
from registry.access.models import User
from registry.catalog import queries as catalog
from registry.catalog.models import Alias, ModelVersion
from registry.catalog.signed_cards import digest_of as digest_of_text
from registry.ledger import accounts
from registry.ledger.accounts import Told
from registry.ledger.models import Event
from registry.ledger.rules import SYSTEM, digest_of
from registry.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.promotions import choosing
from registry.promotions.models import PromotionRequest


def read(request: PromotionRequest, version: ModelVersion, *, from_nothing: bool = False) -> dict[str, Any]:
    """The subject of a request as it is now. version: its version, locked by the caller where the answer has to hold. from_nothing: nothing
    is carried over from the request, whose row may have been forged."""
    run, snapshot, known = version.run, version.run.snapshot, {} if from_nothing else request.subject
    card, alias = catalog.newest_card(version), Alias.objects.select_related("version__run__snapshot").get(endpoint=request.endpoint)
    asking, plan = asked(request, by_trail=from_nothing)
    labels = test_labels(snapshot)
    decided = known["people"]["decided"] if known and known.get("test_labels") == labels else deciders(snapshot)
    baseline = {"root_digest": alias.version.root_digest if alias.version else "", "moves": alias.moves}
    is_divided = known and (known["snapshot"], known["baseline"]) == (snapshot.digest, baseline)
    froze = known["people"]["froze"] if is_divided else freezers(run, alias.version)
    base = run.base.folder.root_digest if run.base.folder else str(version.facts["base"].get("digest", ""))
    return {
        "root_digest": version.root_digest,
        "signature": hashlib.sha256(version.signature.encode("utf-8")).hexdigest(),
        "state": version.state,
        "reports": reports(request, version),
        "snapshot": snapshot.digest,
        "test_split": snapshot.test_digest,
        "test_labels": labels,
        "label_set": snapshot.schema.digest,
        "base": base,
        "spec": run.spec_digest,
        "card": digest_of_text(card.text) if card else "",
        "policy": policies.in_force(request.endpoint.policy.name).digest,
        "endpoint": str(request.endpoint.uuid),
        "baseline": baseline,
        "comparison": digest_of(request.comparison),
        "gates": gates(request),
        "people": people(version, asking, froze, decided),
        **({"plan": digest_of(plan)} if plan else {}),  # requests from before plans keep their digest
    }


def people(version: ModelVersion, asking: dict[str, list[str]], froze: list[str], decided: list[str]) -> dict[str, list[str]]:
    """Whose own work is judged, as uuids by part. asking: whose work the request is by itself."""
    registered = [str(version.registered_by.uuid)] if version.registered_by else []
    own = {"froze": froze, "card": card_authors(version), "registered": registered, "decided": decided}
    return {**asking, **workers(version.run, asking), **own}


def people_afresh(request: PromotionRequest, version: ModelVersion) -> dict[str, list[str]]:
    """The same as `read` from nothing says, without the rest of it: for who has compared that already."""
    asking, _ = asked(request, by_trail=True)
    live = Alias.objects.select_related("version__run__snapshot").get(endpoint=request.endpoint).version
    return people(version, asking, freezers(version.run, live), deciders(version.run.snapshot))


def asked(request: PromotionRequest, *, by_trail: bool = False) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Whose work a request is, by part, and its plan. by_trail: as its event says, where there is one, whatever the row says by now."""
    requester, by_system, behind, plan = str(request.requester.uuid), request.by_system, request.behind, request.plan
    for event in accounts.events_about(request.uuid, {Verb.PROMOTION_REQUESTED}) if by_trail else []:
        requester, told = event.actor, event.payload
        by_system, behind, plan = told.get("by_system", False), told.get("behind", []), told.get("plan", {})
    return {"requester": [] if by_system else [requester]} | ({"behind": behind} if behind else {}), plan


def reports(request: PromotionRequest, version: ModelVersion) -> list[str]:
    """The report digests of the version and, where there was one, of the version live when it was checked."""
    compared = (request.comparison or {}).get("baseline_report")
    return sorted({version.evaluation.report_digest, *([compared] if compared else [])})


def gates(request: PromotionRequest) -> str:
    """One digest over the results of the newest check."""
    return digest_of([list(row) for row in request.gates.filter(check_number=request.checks).order_by("gate").values_list(*RESULT)])


RESULT = ("gate", "status", "blocking", "value", "threshold", "evidence", "source")  # what of a gate's result an approval rests on


def test_labels(snapshot: Snapshot) -> dict[str, int]:
    """How many decisions there are on the rows of its test split, and the newest: any new one changes both."""
    number = newest = 0
    for rows in snapshots.newer(snapshot, split=TEST):
        found = Decision.objects.filter(item__in=rows.items).order_by().aggregate(number=Count("pk"), newest=Max("pk"))
        number, newest = number + found["number"], max(newest, found["newest"] or 0)
    return {"decisions": number, "newest": newest}


AUTHORS = ("by", "correction__brought_by", "correction__accepted_by", "change__schema__created_by")
# Whose labels, answers or suggestions came with the item's upload: who sees a suggestion decides the less alone.
BROUGHT = (
    Q(how=Decision.How.IMPORTED)
    | Q(queue__source=Queue.Source.BROUGHT)
    | Exists(Suggestion.objects.filter(item=OuterRef("item"), source=Suggestion.Source.IMPORT))
)
RECORDED = {
    Verb.ITEM_DECIDED: (Q(), "uuid"), Verb.DECISIONS_CORRECTED: (Q(correction__isnull=False), "correction__uuid"),
    Verb.SCHEMA_PUBLISHED: (Q(change__isnull=False), "change__schema__uuid"),
}  # fmt: skip  # which decisions an event of this kind tells of, and the object that it is about

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
    """When the first of these decisions was taken, or the first answer given that one of them rests on. What a file says of when its
    answers were given is left out: anybody could date them back."""
    taken = found.aggregate(first=Min("created_at"))["first"]
    answered = found.exclude(queue__in=brought_queues(found)).aggregate(first=Min("annotations__created_at"))["first"]
    return min((at for at in (taken, answered) if at), default=None)


def deciders_of(found: QuerySet[Decision]) -> set[str]:
    """Everyone whose work these decisions are, as uuids: who took them or gave the answers that they rest on, who
    brought or accepted a file that they came with, who sent suggestions before them, who published a change of classes that moved them, or
    through which the answers were read. Who is only named in a file is left out: anybody could name anybody there, and so choose who may
    not approve.

    Whom the events name counts beside whom the rows name: neither alone frees anybody."""
    people = [found.filter(**{f"{author}__isnull": False}).values_list(author) for author in AUTHORS]
    answered = found.exclude(queue__in=brought_queues(found)).filter(annotations__isnull=False)
    named = User.objects.filter(pk__in=[pk for (pk,) in answered.values_list("annotations__user").union(*people)])
    came = Item.objects.filter(pk__in=found.filter(BROUGHT).values("item"))
    return access.with_account(named) | recorded_deciders(found) | uploaders_of(came) | senders_of(found) | choosing.changers(found)


def senders_of(found: QuerySet[Decision]) -> set[str]:
    """Who sent suggestions about the items of these decisions before they were taken, as uuids. Events name the dataset and the model's
    digest, and what came after a decision doesn't count: nobody undoes an approval by sending more."""
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
    accepted before, whose import was cancelled or failed, doesn't count. Texts that the product chose from traffic are nobody's choice: its
    event says so."""
    rows = Upload.objects.filter(pk__in=items.order_by().values("upload"))
    by_uuid = {str(uuid): {*people} - {None} for uuid, *people in rows.values_list("uuid", "uploaded_by__uuid", "accepted_by__uuid")}
    found: set[str] = set()
    for uuid, events in accounts.events_of([*by_uuid], {Verb.UPLOAD_ACCEPTED, Verb.UPLOAD_READ}).items():
        told = [(event.actor, event.payload) for event in events if event.verb == Verb.UPLOAD_ACCEPTED][-1:]
        if not any(payload.get("by_system") for _, payload in told):
            found |= {*map(str, by_uuid[uuid])} | {event.actor for event in events if event.verb == Verb.UPLOAD_READ}
            found |= {who for actor, payload in told for who in (actor, payload.get("uploaded_by", actor))}
    return found - {SYSTEM}


def card_authors(version: ModelVersion) -> list[str]:
    """Whose words the version's card has, as sorted uuids."""
    return sorted(catalog.card_authors(version))


def recorded_deciders(found: QuerySet[Decision]) -> set[str]:
    """Who decided them or had them written, as their events say, as uuids: looked up by what an event is about, thousands at a time, since
    it is done while others wait for the turn to write."""
    told: set[str] = set()
    for verb, (kind, subject) in RECORDED.items():
        about = found.filter(kind, **{f"{subject}__isnull": False}).values_list(subject, flat=True).distinct()
        ids = [str(uuid) for uuid in about]
        for at in range(0, len(ids), AT_ONCE):
            events = Event.objects.filter(object_id__in=ids[at : at + AT_ONCE]).order_by().values_list("verb", "actor").distinct()
            told.update(actor for did, actor in events if did == verb)
        if verb == Verb.DECISIONS_CORRECTED:
            told.update(event.payload["brought_by"] for events in accounts.events_of(ids, {verb}).values() for event in events)
    return told - {SYSTEM}


def workers(run: Run, asking: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Whose work a run or one that it comes from is, as sorted uuids by part. asking: whose work the request is by itself; one from before
    launches told who is behind them tells it too, and whoever insisted by asking themselves is its requester alone: so its digest holds.
    """
    found = training.workers_of(run)
    behind, insisted = {*asking.get("behind", ()), *map(str, found.behind)}, {*map(str, found.insisted)} - {*asking["requester"]}
    parts = {"behind": sorted(behind), "insisted": sorted(insisted)}
    return {"trained": sorted(map(str, found.trained))} | {part: people for part, people in parts.items() if people}


def freezers(run: Run, live: ModelVersion | None) -> list[str]:
    """Who divided what a run learns and is judged by, as sorted uuids: who froze its snapshot, or one that gave the splits of rows that are
    new since the live version's. What the product freezes for a retraining is nobody's division: it goes as the live version's went."""
    rows = Snapshot.objects.filter(pk__in=dividing(run.snapshot, live.run.snapshot if live else None))
    froze = {str(uuid): {str(by)} - {"None"} for uuid, by in rows.values_list("uuid", "created_by__uuid")}
    dataset = str(run.snapshot.dataset.uuid)
    told = accounts.events_of([*froze, dataset], {Verb.SNAPSHOT_REQUESTED, Verb.SNAPSHOT_FROZEN})
    asked = {event.payload["snapshot"]: event for event in told.pop(dataset)}
    for snapshot, events in told.items():
        froze[snapshot] |= {event.actor for event in (*events, *([asked[snapshot]] if snapshot in asked else []))}
    nobodys = by_product({snapshot: asked.get(snapshot) for snapshot in froze})
    return sorted(set().union(*(people for snapshot, people in froze.items() if snapshot not in nobodys)) - {SYSTEM})


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


def by_product(asked: Mapping[str, Told | None]) -> set[str]:
    """Those of these snapshots, each with the event that asked for it, which the product froze for a retraining. Where that event is from
    before it said so, that of a run which the product launched on it does."""
    before = [snapshot for snapshot, event in asked.items() if event is None or "by_system" not in event.payload]
    rows = Run.objects.filter(snapshot__uuid__in=before, launched_by=None).values_list("uuid", "snapshot__uuid")
    runs = {str(uuid): str(snapshot) for uuid, snapshot in rows}
    told = accounts.events_of([*runs], {Verb.RUN_LAUNCHED})
    found = {runs[uuid] for uuid, events in told.items() if any("start_approved_by" in event.payload for event in events)}
    return found | {snapshot for snapshot, event in asked.items() if event and event.payload.get("by_system")}
