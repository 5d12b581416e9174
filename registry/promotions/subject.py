"""What an approval rests on, as one JSON value with one digest: read when the gates are checked, and again at every use.

Everything is read anew from the database, where each row is immutable or names its own digest. Two costly parts are carried over: who
decided labels of the test split, while no decision was added (decisions are append-only, so their number and newest id tell), and who
divided the rows, while snapshot and live version are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from datasets_app.datasets.models import Item, Upload
from datasets_app.labeling.models import Decision, Queue
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
from registry.ledger.models import Event
from registry.ledger.rules import SYSTEM, digest_of
from registry.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.promotions.models import PromotionRequest


def read(request: PromotionRequest, version: ModelVersion, *, from_nothing: bool = False) -> dict[str, Any]:
    """The subject of a request as it is now. version: its version, locked by the caller where the answer has to hold. from_nothing: nothing
    is carried over from the request, whose row may have been forged."""
    run, snapshot, known = version.run, version.run.snapshot, {} if from_nothing else request.subject
    card, alias = catalog.newest_card(version), Alias.objects.select_related("version__run__snapshot").get(endpoint=request.endpoint)
    people, plan = asked(request, by_trail=from_nothing)
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
        "people": {
            **people,
            **workers(version.run, people),
            "froze": froze,
            "card": card_authors(version),
            "registered": [str(version.registered_by.uuid)] if version.registered_by else [],
            "decided": decided,
        },
        **({"plan": digest_of(plan)} if plan else {}),  # requests from before plans keep their digest
    }


def asked(request: PromotionRequest, *, by_trail: bool = False) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Whose work a request is, by part, and its plan. by_trail: as its event says, where there is one, whatever the row says by now."""
    requester, by_system, behind, plan = str(request.requester.uuid), request.by_system, request.behind, request.plan
    uuid = str(request.uuid)
    for event in accounts.events_of([uuid], {Verb.PROMOTION_REQUESTED})[uuid] if by_trail else []:
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
BROUGHT = {"how": Decision.How.IMPORTED}, {"queue__source": Queue.Source.BROUGHT}  # labels, and answers, that came with the item's upload
RECORDED = {
    Verb.ITEM_DECIDED: (Q(), "uuid"), Verb.DECISIONS_IMPORTED: (Q(how=Decision.How.IMPORTED), "item__upload__uuid"),
    Verb.DECISIONS_CORRECTED: (Q(correction__isnull=False), "correction__uuid"),
    Verb.CLASSES_CHANGED: (Q(change__isnull=False), "change__schema__uuid"),
}  # fmt: skip  # which decisions an event of this kind tells of, and the object that it is about

AT_ONCE = 10_000  # objects whose events are looked up by one statement


def deciders(snapshot: Snapshot) -> list[str]:
    """Everyone whose work the labels of the test split are, and who put rows into it by a file that says their split, as sorted uuids.
    Superseded decisions count too."""
    people: set[str] = set()
    for rows in snapshots.newer(snapshot, split=TEST):
        people |= deciders_of(Decision.objects.filter(item__in=rows.items).order_by())
        people |= uploaders_of(Item.objects.filter(pk__in=rows.items).exclude(split=""))
    return sorted(people)


def deciders_of(found: QuerySet[Decision]) -> set[str]:
    """Everyone whose work these decisions are, as uuids: who took them or gave the answers that they rest on, who
    brought or accepted a file that they came with, who published a change of classes that moved them. Who is only named in a file is left
    out: anybody could name anybody there, and so choose who may not approve.

    Whom the events name counts beside whom the rows name: neither alone frees anybody."""
    people = [found.filter(**kind).values_list("item__upload__uploaded_by") for kind in BROUGHT]
    people += [found.filter(**{f"{author}__isnull": False}).values_list(author) for author in AUTHORS]
    answered = found.exclude(queue__source=Queue.Source.BROUGHT).filter(annotations__isnull=False)
    people += [answered.values_list("annotations__user")]
    named = User.objects.filter(pk__in=[pk for (pk,) in people[0].union(*people[1:])])
    return access.with_account(named) | recorded_deciders(found)


def uploaders_of(items: QuerySet[Item]) -> set[str]:
    """Who uploaded and who accepted the files that these items came with, as uuids. Texts that the product chose from traffic are nobody's
    choice: its event says so."""
    rows = Upload.objects.filter(pk__in=items.order_by().values("upload"))
    by_uuid = {str(uuid): {*people} - {None} for uuid, *people in rows.values_list("uuid", "uploaded_by__uuid", "accepted_by__uuid")}
    found: set[str] = set()
    for uuid, events in accounts.events_of([*by_uuid], {Verb.UPLOAD_ACCEPTED}).items():
        if not any(event.payload.get("by_system") for event in events):
            found |= {*map(str, by_uuid[uuid])} | {event.actor for event in events} - {SYSTEM}
    return found


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
    own, divided = run.snapshot, {run.snapshot.pk}
    gave_splits = Exists(SplitAssignment.objects.filter(snapshot=OuterRef("pk")))
    others = {*Snapshot.objects.filter(gave_splits, dataset=own.dataset_id, number__lt=own.number).values_list("pk", flat=True)}
    for rows in snapshots.newer(own, live.run.snapshot if live else None) if others else ():
        fresh = SplitAssignment.objects.filter(item__in=rows.items, snapshot__in=others - divided)
        divided |= {*fresh.order_by().values_list("snapshot", flat=True).distinct()}
        if divided >= others:
            break
    froze = {
        str(uuid): {str(by)} - {"None"} for uuid, by in Snapshot.objects.filter(pk__in=divided).values_list("uuid", "created_by__uuid")
    }
    unclaimed = Run.objects.filter(snapshot__in=divided, launched_by=None).values_list("uuid", "snapshot__uuid")
    learnt = {str(uuid): str(snapshot) for uuid, snapshot in unclaimed}
    about = [*froze, *learnt, str(own.dataset.uuid)]
    for uuid, events in accounts.events_of(about, {Verb.SNAPSHOT_REQUESTED, Verb.SNAPSHOT_FROZEN, Verb.RUN_LAUNCHED}).items():
        for event in events:
            if event.verb == Verb.RUN_LAUNCHED and "start_approved_by" in event.payload:
                froze.pop(learnt[uuid], None)
            elif event.verb != Verb.RUN_LAUNCHED and (snapshot := event.payload.get("snapshot", uuid)) in froze:
                froze[snapshot].add(event.actor)
    return sorted(set().union(*froze.values()) - {SYSTEM})
