"""Whether to retrain: asked by the clock for each trigger, or by a person; the answer with all its reasons
becomes a proposal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from lifecycle.ground.notices import outbox
from lifecycle.modeling.training import actions as training
from lifecycle.runtime.refusals import Conflict, Refusal, Refused
from monitoring.retraining import rules
from monitoring.retraining.actions.moves import note, notify_leads
from monitoring.retraining.models import Proposal, Trigger
from monitoring.retraining.queries import facts, triggers
from monitoring.retraining.rules import Policy, Reason, Start, Verdict
from registry.catalog.models import Alias, Endpoint
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.ledger.verbs import Verb

NOTE_MAX = 2_000


def consider(trigger_id: UUID, now: datetime | None = None) -> Proposal | None:
    """Evaluate a trigger once in ten minutes; its verdict is stored on it, and becomes a proposal where it
    fires.

    Two processes at once ask once: the ten minutes are claimed by a conditional update. One that is killed
    behind the claim asks again in the next ten minutes.
    """
    now = now or timezone.now()
    slot = rules.slot_of(now)
    trigger = Trigger.objects.select_related("endpoint__model__project", "author").get(uuid=trigger_id)
    claimed = Trigger.objects.filter(Q(slot=None) | Q(slot__lt=slot), pk=trigger.pk, enabled=True).update(
        slot=slot
    )
    if not claimed:
        return None
    verdict = rules.consider(
        facts.gather(trigger.endpoint, now, trigger.window_days), triggers.policy_of(trigger), now
    )
    Trigger.objects.filter(pk=trigger.pk).update(verdict=verdict.as_json() | {"at": now.isoformat()})
    if not verdict.yes:
        return None
    start, note = start_of(trigger)
    try:
        return make(
            trigger.endpoint,
            verdict,
            now,
            trigger=trigger,
            slot=slot,
            numbers=numbers_of(trigger),
            start=start,
            note=note,
        )
    except Conflict:  # another trigger or a person was quicker
        return None


def propose(
    *,
    endpoint_id: UUID,
    actor: User,
    note: str = "",
    start: str = Start.BASE,
    now: datetime | None = None,
    **numbers: int,
) -> Proposal:
    """Propose by hand, with the reasons for and against as they are now; what speaks against it is listed,
    and the lead decides.

    numbers: window_days, queue_items, overlap, min_labels; those left out are the usual ones. start: one of
    Start. Raises PermissionDenied, or Refused (nothing is live, the endpoint is frozen, a proposal is under
    way, a number out of range, a live version that no run can start from).
    """
    now = now or timezone.now()
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=endpoint_id)
    policy.require(actor, "retraining.propose", endpoint)
    values = {name: limit.default for name, limit in rules.LIMITS.items()} | numbers
    if problems := rules.out_of_range(values):
        raise Refused(
            "The proposal wasn't created.", next_step=next(iter(problems.values()))[0], fields=problems
        )
    if len(note) > NOTE_MAX:
        raise Refused("The note is too long.", fields={"note": [f"Use up to {NOTE_MAX:,} characters."]})
    verdict = weigh(endpoint, values, now)
    if stopping := next((reason for reason in verdict.reasons_against if reason.stops), None):
        raise Refused(f"The proposal wasn't created: {sentence(stopping)}", next_step=what_then(stopping))
    return make(endpoint, verdict, now, by=actor, note=note.strip(), numbers=values, start=start)


def weigh(endpoint: Endpoint, values: dict[str, int], now: datetime) -> Verdict:
    """What supports and against a person's own proposal at this moment."""
    asked = Policy(None, 0.0, values["cooldown_days"], values["min_labels"], values["budget"])
    return rules.weigh(facts.gather(endpoint, now, values["window_days"]), asked, now)


def sentence(reason: Reason) -> str:
    """A reason as a sentence."""
    text = f"{reason.fact} ({reason.value})" if reason.value else reason.fact
    return text if text.endswith(".") else f"{text}."


def what_then(reason: Reason) -> str:
    """What can be done about a reason that stops."""
    return {
        "live": "Promote and deploy a first version.",
        "open": "Decide or withdraw that proposal first.",
        "frozen": "Wait until the freeze ends, or ask its owner.",
    }.get(reason.code, "")


def numbers_of(trigger: Trigger) -> dict[str, int]:
    """A trigger's numbers by name."""
    return {name: getattr(trigger, name) for name in rules.LIMITS}


def start_of(trigger: Trigger) -> tuple[str, str]:
    """What a proposal of a trigger starts from, and why that isn't what the trigger says, if so."""
    live = facts.live_version(trigger.endpoint)
    if trigger.start == Start.LIVE and live is not None:
        try:
            training.check_continuable(live.run)
        except Refusal as refusal:
            return Start.BASE, f"Starts from the base model: {refusal.message}"
    return trigger.start, ""


@transaction.atomic
def make(
    endpoint: Endpoint,
    verdict: Verdict,
    now: datetime,
    *,
    numbers: dict[str, int],
    trigger: Trigger | None = None,
    slot: datetime | None = None,
    by: User | None = None,
    note: str = "",
    start: str = Start.BASE,
) -> Proposal:
    """Store the proposal with its reasons for good, and notify the leads. Raises Conflict where one is under
    way already.
    """
    project = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=endpoint.model.project_id)
    alias, live = Alias.objects.get(endpoint=endpoint), facts.live_version(endpoint)
    if live is None or alias.version_id != live.pk:
        raise Conflict("Another version just went live.", next_step="Reload the page, then propose again.")
    if start == Start.LIVE:
        training.check_continuable(live.run)
    last = (
        Proposal.objects.filter(endpoint__model__project=project).aggregate(last=Max("number"))["last"] or 0
    )
    values: dict[str, Any] = {name: numbers[name] for name in ("min_labels", "queue_items", "overlap")}
    try:
        with transaction.atomic():
            proposal = Proposal.objects.create(
                number=last + 1,
                endpoint=endpoint,
                trigger=trigger,
                slot=slot,
                proposed_by=by,
                note=note,
                live=live,
                live_moves=alias.moves,
                reasons_for=[reason.as_json() for reason in verdict.reasons_for],
                reasons_against=[reason.as_json() for reason in verdict.reasons_against],
                dataset=live.run.snapshot.dataset,
                window_start=now - timedelta(days=numbers["window_days"]),
                window_end=now,
                labels_new=facts.labels_since(live.run.snapshot.dataset, live.run.snapshot.created_at),
                labels_at=now,
                start=start,
                **values,
            )
    except IntegrityError as error:
        raise Conflict(
            "A proposal for this endpoint is already in progress.",
            next_step="Decide or withdraw that proposal first.",
        ) from error
    announce(proposal, by)
    return proposal


def announce(proposal: Proposal, by: User | None) -> None:
    """Write the event and the outbox row, and notify the leads."""
    kind = proposal.trigger.kind if proposal.trigger else "manual"
    note(
        by,
        Verb.RETRAIN_PROPOSED,
        proposal,
        trigger=kind,
        start=proposal.start,
        reasons_for=[reason["code"] for reason in proposal.reasons_for],
        reasons_against=[reason["code"] for reason in proposal.reasons_against],
    )
    outbox.append(
        "retraining.proposed",
        project=proposal.endpoint.model.project,
        proposal=str(proposal.uuid),
        endpoint=str(proposal.endpoint.uuid),
        trigger=kind,
    )
    why = proposal.reasons_for[0]["fact"] if proposal.reasons_for else "requested by a person"
    notify_leads(proposal, f"{proposal} to retrain {proposal.endpoint} needs your decision: {why}")
