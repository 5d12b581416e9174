"""What an approval rests on, as one JSON value with one digest: read when the gates are checked, and again at
every use; and the end of a request when that has changed, or its time is over.

Everything is read again from the database, where each row is immutable or names its own digest. Two costly
parts are carried over: who decided labels of the test split, while no decision was added (decisions are
append-only, so their number and newest id show it), and who divided the rows, while snapshot and live version
are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from datasets_app.queues.models import Decision
from datasets_app.snapshots import makers
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import TEST
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import queries as catalog
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.catalog.signed_cards import digest_of as digest_of_text
from registry.ground.access import policy as access
from registry.ground.ledger import accounts
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.promotions import rules
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import RESULT, Status

RECORD = "the check's own record"
BATCH = 200


def read(request: PromotionRequest, version: ModelVersion, *, from_nothing: bool = False) -> dict[str, Any]:
    """The subject of a request as it is now. version: its version, locked by the caller where the answer has
    to hold. from_nothing: nothing is carried over from the request, whose row may have been forged.
    """
    run, snapshot, known = version.run, version.run.snapshot, {} if from_nothing else request.subject
    card, alias = (
        catalog.newest_card(version),
        Alias.objects.select_related("version__run__snapshot").get(endpoint=request.endpoint),
    )
    asking, plan = asked(request, by_trail=from_nothing)
    labels = test_labels(snapshot)
    decided = (
        known["people"]["decided"]
        if known and known.get("test_labels") == labels
        else makers.deciders(snapshot)
    )
    baseline = {"root_digest": alias.version.root_digest if alias.version else "", "moves": alias.moves}
    is_divided = known and (known["snapshot"], known["baseline"]) == (snapshot.digest, baseline)
    froze = known["people"]["froze"] if is_divided else dividers(snapshot, alias.version)
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
        "plan": digest_of(plan),
    }


def people(
    version: ModelVersion, asking: dict[str, list[str]], froze: list[str], decided: list[str]
) -> dict[str, list[str]]:
    """Whose own work is judged, as uuids by part. asking: whose work the request is on its own."""
    registered = [str(version.registered_by.uuid)] if version.registered_by else []
    own = {
        "froze": froze,
        "card": sorted(catalog.card_authors(version)),
        "registered": registered,
        "decided": decided,
    }
    return {**asking, **workers(version.run, asking), **own}


def people_afresh(request: PromotionRequest) -> dict[str, list[str]]:
    """The same as `read` from nothing says, without the rest of it: for who has compared that already. The
    version is locked.
    """
    asking, _ = asked(request, by_trail=True)
    version, live = (
        request.locked_version(),
        Alias.objects.select_related("version__run__snapshot").get(endpoint=request.endpoint).version,
    )
    snapshot = version.run.snapshot
    return people(version, asking, dividers(snapshot, live), makers.deciders(snapshot))


def asked(
    request: PromotionRequest, *, by_trail: bool = False
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Whose work a request is, by part, and its plan. by_trail: by its event, where there is one, whatever
    the row contains.
    """
    if not by_trail:
        return request.asked_by, request.plan
    requester, by_system, plan = str(request.requester.uuid), request.by_system, request.plan
    for event in accounts.events_about(request.uuid, {Verb.PROMOTION_REQUESTED}):
        requester, payload = event.actor, event.payload
        by_system, plan = payload["by_system"], payload["plan"]
    return rules.asked_by(requester, by_system=by_system), plan


def reports(request: PromotionRequest, version: ModelVersion) -> list[str]:
    """The report digests of the version and, where there was one, of the version live when it was checked."""
    compared = (request.comparison or {}).get("baseline_report")
    return sorted({version.evaluation.report_digest, *([compared] if compared else [])})


def gates(request: PromotionRequest) -> str:
    """One digest over the results of the newest check."""
    return digest_of(
        [
            list(row)
            for row in request.gates.filter(check_number=request.checks).order_by("gate").values_list(*RESULT)
        ]
    )


def test_labels(snapshot: Snapshot) -> dict[str, int]:
    """How many decisions there are on the rows of its test split, and the newest: any new one changes
    both.
    """
    number = newest = 0
    for rows in snapshots.newer(snapshot, split=TEST):
        found = (
            Decision.objects.filter(item__in=rows.items)
            .order_by()
            .aggregate(number=Count("pk"), newest=Max("pk"))
        )
        number, newest = number + found["number"], max(newest, found["newest"] or 0)
    return {"decisions": number, "newest": newest}


def workers(run: Run, asking: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Whose work a run, or one it comes from, is: sorted uuids by part. asking: whose work the request itself
    is. A person who overrode the comparison and requests promotion counts only as the requester, so the
    digest stays the same.
    """
    found = training.workers_of(run)
    overrode = {*map(str, found.overrode)} - {*asking["requester"]}
    parts = {"behind": sorted(map(str, found.behind)), "overrode": sorted(overrode)}
    return {"trained": sorted(map(str, found.trained))} | {
        part: people for part, people in parts.items() if people
    }


def dividers(snapshot: Snapshot, live: ModelVersion | None) -> list[str]:
    """Who divided what a run learns and is judged by, as sorted uuids: of rows that the live version's
    snapshot lacks.
    """
    return makers.dividers(snapshot, live.run.snapshot if live else None)


def changes(request: PromotionRequest, now: Mapping[str, Any]) -> list[str]:
    """What changed since the check, in words; empty when the digest still holds. now: the subject, as it is
    read. What the request's row says of itself counts only while the digest that was approved is its own.
    """
    if digest_of(request.subject) != request.subject_digest:
        return [RECORD]
    return [] if digest_of(now) == request.subject_digest else rules.changes(request.subject, now) or [RECORD]


def lost(request: PromotionRequest) -> list[Verdict]:
    """Approvals whose reviewer was deactivated or no longer holds the role of the step without a break since
    the request was made. Asks once for all votes, and once for each role.
    """
    policy = policies.read(request.policy)
    given = list(request.verdicts.filter(approves=True).select_related("reviewer").order_by("pk"))
    if not given:
        return []
    steps = {vote.pk: policy.step(vote.step) for vote in given}
    holders = {
        role: set(access.holders(role, request).values_list("pk", flat=True))
        for role in {step.role for step in steps.values() if step}
    }
    since, asked = access.held_since([vote.reviewer for vote in given]), PromotionRequest.asked_at([request])

    def counts(vote: Verdict) -> bool:
        step = steps[vote.pk]
        if step is None or vote.reviewer_id not in holders[step.role]:
            return False
        return request.held_before(vote.reviewer, step.role, since, asked)

    return [vote for vote in given if not counts(vote)]


def lost_sentence(request: PromotionRequest, votes: list[Verdict]) -> str:
    """Technical review no longer counts: …"""
    step = policies.read(request.policy).step(votes[0].step)
    return (
        f"{step.title if step else votes[0].step} no longer counts: its approver lost the role or was"
        " deactivated."
    )


def check_not_frozen(endpoint: Endpoint) -> None:
    """Raises Refused while a freeze holds the endpoint: also one that was lifted in the database alone."""
    if held := catalog.freeze_of(endpoint):
        until = f"{held.until:%-d %b %H:%M} UTC"
        raise Refused(
            f"{endpoint.slug} is frozen until {until}: {held.reason}",
            next_step=f"Ask {held.owner}, who froze it.",
        )
    if ends := catalog.frozen_until(endpoint):
        text = (
            f"The audit log has {endpoint.slug} frozen until {ends:%-d %b %H:%M} UTC, but its own record"
            " doesn't."
        )
        raise Refused(text, next_step="Contact an auditor: the record doesn't match the audit log.")


# ── The end of a request that something has overtaken ───────────────────────
def overtaken(request: PromotionRequest, now: datetime) -> Conflict | None:
    """End a locked request that is overdue or whose subject changed, with its Event, and return the refusal
    to raise after the commit.

    None, and nothing changed, when it still rests on what was checked.
    """
    if request.is_overdue(now):
        return expire(request)
    if request.status not in (Status.IN_REVIEW, Status.APPROVED):
        return None
    if changed := changes(request, read(request, request.locked_version())):
        return void(request, rules.change_sentence(changed), changed=changed)
    if votes := lost(request):
        return void(request, lost_sentence(request, votes), lost=[str(vote.reviewer.uuid) for vote in votes])
    return None


def expire(request: PromotionRequest) -> Conflict:
    """Let a locked, overdue request expire."""
    was = Status(request.status)
    reason = (
        "No decision was made in time." if was == Status.IN_REVIEW else "The approval wasn't used in time."
    )
    request.move(Status.EXPIRED, reason=reason)
    record(
        None,
        Verb.PROMOTION_EXPIRED,
        request,
        project=request.endpoint.model.project.uuid,
        old=was,
        reason=reason,
    )
    return Conflict(f"{request} has expired. {reason}", next_step="Request promotion again.")


def void(request: PromotionRequest, sentence: str, **why: list[str]) -> Conflict:
    """Void a locked request, since what it rests on has changed or an approval no longer counts."""
    was = Status(request.status)
    request.move(Status.VOIDED, reason=sentence)
    record(
        None,
        Verb.PROMOTION_VOIDED,
        request,
        project=request.endpoint.model.project.uuid,
        old=was,
        subject_digest=request.subject_digest,
        reason=sentence,
        **why,
    )
    return Conflict(
        f"{sentence} {request} is void.", next_step="Request promotion again to re-run the gates."
    )


def review_open() -> int:
    """End every open request that time or a change has overtaken, so that the queue promises nothing that is
    void. Returns how many.
    """
    ended = 0
    waiting = PromotionRequest.objects.filter(status__in=[Status.IN_REVIEW, Status.APPROVED]).order_by("pk")
    for uuid in list(waiting.values_list("uuid", flat=True)[:BATCH]):
        with transaction.atomic():
            ended += overtaken(PromotionRequest.locked(uuid), timezone.now()) is not None
    return ended
