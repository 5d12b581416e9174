"""What people decide about a proposal. Each decision carries what the person saw."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from lifecycle.modeling.training import actions as training
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_reason
from monitoring.retraining import rules
from monitoring.retraining.actions.collect import asked_for, waits_for_collector
from monitoring.retraining.actions.moves import change, end, lock, move, note
from monitoring.retraining.actions.training import restart
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import people, proposals
from monitoring.retraining.rules import Outcome, State
from registry.catalog import queries as catalog
from registry.catalog.models import Alias
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from registry.promotions import actions as promotions
from registry.promotions.rules import OPEN


@transaction.atomic
def approve(
    *, proposal_id: UUID, actor: User, seen: str, reason: str = "", now: datetime | None = None
) -> Proposal:
    """Let it continue: training begins when there are enough labels. Who approves the start has not trained:
    they may decide its promotion.

    seen: queries.seen_digest as the lead read it. Raises PermissionDenied (also for who proposed it), Refused
    (the endpoint is frozen) or Conflict (decided already, or the live version changed).
    """
    now, proposal = now or timezone.now(), lock(proposal_id)
    policy.require(actor, "retraining.decide", proposal)
    if not people.may_approve(actor, proposal):
        raise PermissionDenied(rules.OWN)
    check_open(proposal)
    check_current(proposal, seen)
    check_not_frozen(proposal, now)
    move(
        proposal,
        State.APPROVED,
        decided_by=actor,
        decided_at=now,
        decision_reason=reason.strip()[: rules.REASON_MAX],
        acting=actor,
    )
    note(
        actor,
        Verb.RETRAIN_APPROVED,
        proposal,
        reason=proposal.decision_reason,
        labels=proposal.labels_new,
        seen=seen,
    )
    return proposal


@transaction.atomic
def decline(
    *, proposal_id: UUID, actor: User, reason: str, seen: str, now: datetime | None = None
) -> Proposal:
    """Decline, with a reason. Its queue stays for anyone who needs it. Raises PermissionDenied, Refused (no
    reason) or Conflict.
    """
    now, proposal = now or timezone.now(), lock(proposal_id)
    policy.require(actor, "retraining.decide", proposal)
    check_open(proposal)
    check_current(proposal, seen)
    checked = check_reason(reason, "Rejecting", rules.REASON_MAX)
    end(
        proposal,
        State.DECLINED,
        Outcome.DECLINED,
        actor,
        now,
        verb=Verb.RETRAIN_DECLINED,
        reason=checked,
        decided_by=actor,
        decided_at=now,
        decision_reason=checked,
    )
    return proposal


@transaction.atomic
def withdraw(*, proposal_id: UUID, actor: User, reason: str, now: datetime | None = None) -> Proposal:
    """End it at any step: a lead any, a proposer their own while it is open. Its training is stopped, its
    open promotion withdrawn.

    What was made stays: items, labels, snapshot, run and version. Raises PermissionDenied, Refused (no
    reason) or Conflict (ended).
    """
    now = now or timezone.now()
    proposal = lock(proposal_id)
    policy.require(actor, "retraining.propose", proposal)
    if not people.may_withdraw(actor, proposal):
        raise PermissionDenied(
            "Only an ML lead can withdraw a proposal, or the person who proposed it while it's open."
        )
    checked = check_reason(reason, "Withdrawing", rules.REASON_MAX)
    if proposal.run is not None and proposal.run.state in proposals.RUN_ACTIVE:
        training.stop(run_id=proposal.run.uuid, actor=actor)
    if proposal.promotion is not None and proposal.promotion.status in OPEN:
        promotions.withdraw(request_id=proposal.promotion.uuid, actor=actor, reason=checked)
    end(
        proposal,
        State.DECLINED,
        Outcome.WITHDRAWN,
        actor,
        now,
        reason=checked,
        decision_reason=proposal.decision_reason or checked,
    )
    return proposal


@transaction.atomic
def retry(*, proposal_id: UUID, actor: User, now: datetime | None = None) -> Proposal:
    """Do the failed step again; the actor answers for the steps from here on. A stopped run continues from
    its last checkpoint.

    Raises PermissionDenied, Refused (frozen) or Conflict (it has not failed, or another proposal is under
    way).
    """
    now, proposal = now or timezone.now(), lock(proposal_id)
    policy.require(actor, "retraining.decide", proposal)
    if proposal.state != State.FAILED:
        raise Conflict(
            f"This proposal is {proposal.get_state_display().lower()}; only a failed proposal can be retried."
        )
    check_not_frozen(proposal, now)
    state = State.RUNNING if proposal.gated_at else State.APPROVED
    move(proposal, state, failure="", failure_step="", ended_at=None, acting=actor)
    restart(proposal, actor)
    note(actor, Verb.RETRAIN_RESUMED, proposal, step=proposal.step)
    return proposal


@transaction.atomic
def override(*, proposal_id: UUID, actor: User, reason: str, now: datetime | None = None) -> Proposal:
    """Register the new model and ask for its promotion although it is not better: a lead's own decision, with
    a reason.

    Raises PermissionDenied, Refused (no reason, frozen) or Conflict (it ended otherwise, or another proposal
    is under way).
    """
    now, proposal = now or timezone.now(), lock(proposal_id)
    policy.require(actor, "retraining.decide", proposal)
    if proposal.state != State.DONE or proposal.outcome not in (Outcome.NOT_BETTER, Outcome.INCOMPARABLE):
        raise Conflict("Only a proposal that ended without a promotion can be continued manually.")
    assert proposal.run is not None  # noqa: S101  it was compared
    checked = check_reason(reason, "Continuing manually", rules.REASON_MAX)
    check_not_frozen(proposal, now)
    move(
        proposal,
        State.RUNNING,
        outcome="",
        ended_at=None,
        overridden_by=actor,
        override_reason=checked,
        acting=actor,
    )
    verdict = (proposal.comparison or {}).get("verdict")
    note(actor, Verb.RETRAIN_OVERRIDDEN, proposal, reason=checked, verdict=verdict)
    record(
        actor,
        Verb.RUN_OVERRIDDEN,
        proposal.run,
        project=proposal.run.project.uuid,
        proposal=proposal.uuid,
        verdict=verdict,
    )
    return proposal


@transaction.atomic
def collect_texts(*, proposal_id: UUID, actor: User) -> Proposal:
    """Have its texts copied into the dataset in one's own name, where no one behind the proposal may read
    them. Twice is once.

    Raises PermissionDenied (also for who may not upload, or open a queue) or Conflict (they are collected, or
    someone else does).
    """
    proposal = lock(proposal_id)
    for action, subject in asked_for(proposal):
        policy.require(actor, action, subject)
    if proposal.collected_by == actor:
        return proposal
    if not waits_for_collector(proposal):
        raise Conflict("This proposal's texts don't need to be collected.", next_step="Reload the page.")
    change(proposal, collected_by=actor, blocked_by="")
    note(actor, Verb.RETRAIN_COLLECTED, proposal)
    return proposal


def check_open(proposal: Proposal) -> None:
    """Raises Conflict unless it still waits for its decision."""
    if proposal.state != State.OPEN:
        raise Conflict(
            f"This proposal is already {proposal.get_state_display().lower()}.", next_step="Reload the page."
        )


def check_current(proposal: Proposal, seen: str) -> None:
    """Raises Conflict unless the person decided on what is so now."""
    rules.check_seen(
        seen,
        proposals.seen_digest(proposal, Alias.objects.select_for_update().get(endpoint=proposal.endpoint)),
    )


def check_not_frozen(proposal: Proposal, now: datetime) -> None:
    """Raises Refused while a freeze holds the endpoint."""
    if held := catalog.freeze_of(proposal.endpoint, now):
        until = f"{held.until:%-d %b %H:%M} UTC"
        raise Refused(
            f"{proposal.endpoint} is frozen until {until}: {held.reason}",
            next_step=f"Ask {held.owner}, who froze it.",
        )
