"""A proposal's own steps under the lock of its row: its state, what it waits for or cannot continue for, its
end, and who is notified.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.urls import reverse

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State as JobState
from lifecycle.ground.notices import actions as notices
from lifecycle.ground.notices import outbox
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.rules import check_move
from monitoring.retraining import rules
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import proposals
from monitoring.retraining.rules import Outcome, State
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import accounts
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

BLOCKED_MAX, FAILURE_MAX, STEP_MAX = 500, 1_000, 500


def lock(proposal_id: UUID) -> Proposal:
    """The proposal with everything it names, its row locked until the caller's transaction ends."""
    return proposals.singly().select_for_update(of=("self",), no_key=True).get(uuid=proposal_id)


def change(proposal: Proposal, **fields: Any) -> None:
    """Save some of what may change."""
    for name, value in fields.items():
        setattr(proposal, name, value)
    proposal.save(update_fields=list(fields))


def move(proposal: Proposal, state: State, **fields: Any) -> None:
    """Give it a state that may follow its own. Raises Conflict, also where another proposal of the endpoint
    has come in between.
    """
    check_move("proposal", rules.MOVES, State(proposal.state), state)
    try:
        with transaction.atomic():
            change(proposal, state=state, **fields)
    except IntegrityError as error:
        other = proposals.busy(proposal.endpoint)
        raise Conflict(
            f"{other} of {proposal.endpoint} is in progress. Only one can run at a time.",
            next_step="Decide that proposal first.",
        ) from error


def wait(proposal: Proposal, why: str) -> None:
    """Set what the present step waits for; nothing is written where it is set already."""
    if proposal.blocked_by != why[:BLOCKED_MAX]:
        change(proposal, blocked_by=why[:BLOCKED_MAX])


def note(actor: User | None, verb: Verb, proposal: Proposal, **more: Any) -> None:
    """One event about a proposal."""
    endpoint = proposal.endpoint
    record(
        actor,
        verb,
        proposal,
        project=endpoint.model.project.uuid,
        endpoint=endpoint.uuid,
        version=proposal.live.uuid,
        **more,
    )


def end(
    proposal: Proposal,
    state: State,
    outcome: str,
    actor: User | None,
    now: datetime,
    *,
    verb: Verb = Verb.RETRAIN_ENDED,
    reason: str = "",
    **more: Any,
) -> None:
    """A move to an end, or to a failure that can be tried again, with its event; for rooms above too."""
    old = proposal.state
    move(proposal, state, outcome=outcome, ended_at=now, blocked_by="", **more)
    note(actor, verb, proposal, old=old, outcome=outcome or state, reason=reason)
    outbox.append(
        "retraining.ended",
        project=proposal.endpoint.model.project,
        proposal=str(proposal.uuid),
        endpoint=str(proposal.endpoint.uuid),
        outcome=outcome or state,
    )


def fail(proposal: Proposal, sentence: str, next_step: str, now: datetime) -> None:
    """A step could not be done: a person has to look, and may try again."""
    message = sentence[:FAILURE_MAX]
    end(
        proposal,
        State.FAILED,
        "",
        None,
        now,
        verb=Verb.RETRAIN_FAILED,
        reason=message,
        failure=message,
        failure_step=next_step[:STEP_MAX],
    )
    notify_leads(proposal, f"{proposal} to retrain {proposal.endpoint} failed: {sentence}")


def done(proposal: Proposal, outcome: Outcome, now: datetime, message: str) -> None:
    """End the proposal automatically."""
    end(proposal, State.DONE, outcome, None, now, reason=message)
    notify_leads(proposal, message)


def notify_leads(proposal: Proposal, text: str) -> None:
    """Notify those who may decide, and those who are responsible for it or proposed it."""
    people = {user.pk: user for user in policy.who_can("retraining.decide", proposal)}
    people |= {user.pk: user for user in (proposal.acting, proposal.proposed_by) if user is not None}
    notices.notify(people.values(), text, reverse("retraining:detail", args=[proposal.uuid]))


class Stuck(Exception):
    """A step cannot be done by waiting. Carries a sentence and what to do."""

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.next_step = sentence, next_step


ANSWERS_FOR = frozenset({Verb.RETRAIN_APPROVED, Verb.RETRAIN_RESUMED, Verb.RETRAIN_OVERRIDDEN})


def acting_for(proposal: Proposal) -> User:
    """Who answers for the steps: who approved, tried again or continued last, by the row and by the audit
    log. Raises Stuck where no one approved the start, anyone who tried again.
    """
    if proposal.acting is None or not proposal.acting.is_active:
        raise Stuck(
            "No one is responsible for the next step anymore.", "A lead can retry and take responsibility."
        )
    logged = accounts.events_about(proposal.uuid, ANSWERS_FOR)
    if Verb.RETRAIN_APPROVED not in {event.verb for event in logged}:
        raise Stuck(
            "The audit log doesn't show who approved this start.",
            "Withdraw the proposal, then create another.",
        )
    if logged[-1].actor != str(proposal.acting.uuid):
        raise Stuck(
            "The audit log doesn't show who is responsible for the next step.",
            "A lead can retry and take responsibility.",
        )
    return proposal.acting


def ended(job: Job | None, what: str) -> bool:
    """Whether a job has succeeded; False while it continues or where there is none. Raises Stuck where it
    ended badly.
    """
    if job is None or not job.is_finished:
        return False
    if job.state == JobState.SUCCEEDED:
        return True
    problem = job.error or f"The job was {job.get_state_display().lower()}."
    raise Stuck(f"{what} wasn't created: {problem}", job.next_step or "Try again.")
