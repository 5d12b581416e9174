"""Carrying a proposal on, one step at a time: queue, labels, snapshot, run, evaluation, comparison, version,
promotion.

Each step is one transaction under the proposal's lock, in which the room below is asked and what it made is
noted: both commit or neither. A process that is killed in between leaves nothing half done; the next tick
takes the step that is not done. Nothing here promotes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, NotReady, Refusal
from monitoring.retraining import rules
from monitoring.retraining.actions.collect import collect, settle, texts_ahead
from monitoring.retraining.actions.labels import count_labels, pass_gate
from monitoring.retraining.actions.moves import Stuck, acting_for, done, fail, lock, wait
from monitoring.retraining.actions.promotion import ask, follow_promotion, register
from monitoring.retraining.actions.training import (
    behind_ahead,
    compare_ahead,
    judge,
    measure,
    stop_run,
    take_snapshot,
    train,
)
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import facts, proposals
from monitoring.retraining.queries.texts import Texts
from monitoring.retraining.rules import Outcome, State, Step
from registry.catalog import queries as versions
from registry.catalog.models import Alias
from registry.ground.access.models import User

log = logging.getLogger(__name__)
STEPS_MOST = 16


class Ahead(NamedTuple):
    """What takes long and is read before the lock; None each where it is not its turn."""

    texts: Texts | None
    compared: dict[str, Any] | None
    behind: frozenset[UUID] | None


def advance(proposal_id: UUID, now: datetime | None = None) -> Proposal:
    """Take every step that can be taken now. Safe at any time and twice."""
    now = now or timezone.now()
    proposal = proposals.singly().get(uuid=proposal_id)
    for _ in range(STEPS_MOST):
        before = place(proposal)
        proposal = advance_once(proposal, now)
        if place(proposal) == before:
            return proposal
    return proposal


def place(proposal: Proposal) -> tuple[Any, ...]:
    """The state of a proposal, to see whether a step did something."""
    return (
        proposal.state,
        proposal.step,
        proposal.job_id,
        proposal.upload_id,
        proposal.run_id,
        proposal.live_evaluation_id,
    )


def advance_once(proposal: Proposal, now: datetime) -> Proposal:
    """One step. What a room below refuses for now is waited for; what it refuses for good ends in a failure
    that can be tried again.

    proposal: as it was read a moment ago. Returns it as it is then.
    """
    ahead, proposal_id = (
        Ahead(texts_ahead(proposal), compare_ahead(proposal), behind_ahead(proposal)),
        proposal.uuid,
    )
    with transaction.atomic():
        proposal = lock(proposal_id)
        if proposal.state not in rules.BUSY:
            return proposal
        try:
            with transaction.atomic():
                step(proposal, ahead, now)
        except (Conflict, NotReady) as refusal:
            wait(proposal := lock(proposal_id), f"{refusal.message} {refusal.next_step}".strip())
        except (Stuck, Refusal, PermissionDenied) as stopped:
            give_up(proposal := lock(proposal_id), *failure_text(stopped), now)
        return proposal


def failure_text(stopped: Exception) -> tuple[str, str]:
    """What stopped a step, and what to do, as sentences."""
    if isinstance(stopped, Stuck):
        return stopped.sentence, stopped.next_step
    if isinstance(stopped, Refusal):
        return stopped.message, stopped.next_step
    return (
        f"The responsible person can't do the next step: {stopped}",
        "Someone whose role allows it can retry and take responsibility.",
    )


def give_up(proposal: Proposal, sentence: str, next_step: str, now: datetime) -> None:
    """An open proposal stays open, without its queue; one that is under way fails."""
    if proposal.state == State.OPEN:
        settle(proposal, now, f"No queue opened: {sentence} {next_step}".strip())
    else:
        fail(proposal, sentence, next_step, now)


def step(proposal: Proposal, ahead: Ahead, now: datetime) -> None:
    """What is next for the locked proposal, in its state."""
    if proposal.state == State.REQUESTED:
        follow_promotion(proposal, now)
    elif overtaken(proposal):
        live = facts.live_version(proposal.endpoint)
        what = f"{live.semver} is live instead" if live else "no version is live anymore"
        stop_run(proposal)
        done(
            proposal,
            Outcome.OVERTAKEN,
            now,
            f"{proposal} to retrain {proposal.endpoint} was overtaken: {what}.",
        )
    elif proposal.state == State.OPEN:
        prepare(proposal, ahead.texts, now)
    elif frozen := versions.freeze_of(proposal.endpoint, now):
        wait(
            proposal, f"{proposal.endpoint} is frozen until {frozen.until:%-d %b %H:%M} UTC: {frozen.reason}"
        )
    elif proposal.step is not None:
        work(proposal, proposal.step, ahead, now)


def work(proposal: Proposal, wanted: Step, ahead: Ahead, now: datetime) -> None:
    """The step of an approved proposal."""
    if wanted == Step.QUEUE:
        collect(proposal, ahead.texts, now)
    elif wanted == Step.LABELS:
        pass_gate(proposal, now)
    elif wanted == Step.RUN:
        train(proposal, acting_for(proposal), ahead.behind)
    elif wanted == Step.COMPARISON:
        judge(proposal, ahead.compared, now)
    else:
        STEPS[wanted](proposal, acting_for(proposal))


def prepare(proposal: Proposal, texts: Texts | None, now: datetime) -> None:
    """What can be done before a lead decides: collect the texts, count the labels."""
    if proposal.collected_at is None:
        collect(proposal, texts, now)
    else:
        count_labels(proposal, now)


def overtaken(proposal: Proposal) -> bool:
    """Whether another version than the one to beat is live; once someone has gone on by hand, that is theirs
    to judge.
    """
    alias = Alias.objects.get(endpoint=proposal.endpoint)
    return alias.version_id != proposal.live_id and proposal.overridden_by_id is None


STEPS: dict[Step, Callable[[Proposal, User], None]] = {
    Step.SNAPSHOT: take_snapshot,
    Step.EVALUATION: measure,
    Step.VERSION: register,
    Step.PROMOTION: ask,
}
