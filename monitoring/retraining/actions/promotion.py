"""From the new model to its version and the promotion that people decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from monitoring.retraining.actions.moves import Stuck, change, done, ended, move, notify_leads, wait
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import people
from monitoring.retraining.rules import Outcome, State
from monitoring.rollouts.queries.evidence import present_traffic
from monitoring.rollouts.queries.rollouts import last_rollout
from monitoring.rollouts.rules import forecast
from registry.catalog import actions as catalog
from registry.catalog import queries as versions
from registry.catalog.models import ModelVersion
from registry.catalog.rules import next_semver
from registry.ground.access.models import User
from registry.promotions import actions as promotions
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from registry.promotions.plans import Plan
from registry.promotions.rules import OPEN, Status


def register(proposal: Proposal, actor: User) -> None:
    """Have the run sealed as the next version. One that someone registered by hand is taken."""
    run, model = proposal.run, proposal.endpoint.model
    assert run is not None  # noqa: S101  the steps before
    assert run.artifact is not None  # noqa: S101
    known = ModelVersion.objects.filter(model=model, root_digest=run.artifact.root_digest).first()
    if known is not None:
        change(proposal, version=known, semver=known.semver, job=None, blocked_by="")
    elif proposal.job is None:
        newest = model.versions.order_by("-number").first()
        semver, card = next_semver(newest.semver if newest else None), versions.newest_card(proposal.live)
        job = catalog.register(model=model, run=run, semver=semver, actor=actor, carried=card, by_system=True)
        change(proposal, job=job, semver=semver, blocked_by="")
    elif ended(proposal.job, "The version"):
        raise Stuck("The version wasn't registered.", "Try again.")


def ask(proposal: Proposal, actor: User) -> None:
    """Open the promotion on behalf of who approved the start. Who continues by hand asks for it, and so
    cannot approve it.
    """
    version = proposal.version
    assert version is not None  # noqa: S101  the step before
    known = PromotionRequest.objects.filter(
        version=version, endpoint=proposal.endpoint, status__in=sorted(OPEN)
    ).first()
    asked = known or promotions.request(
        version=version,
        endpoint=proposal.endpoint,
        note=note_of(proposal),
        actor=requester(proposal, actor),
        plan=plan_for(proposal),
        by_system=proposal.overridden_by is None,
    )
    move(proposal, State.REQUESTED, promotion=asked, blocked_by="")
    notify_leads(proposal, f"{version.semver} of {proposal} is waiting for promotion to {proposal.endpoint}.")


def plan_for(proposal: Proposal) -> dict[str, Any]:
    """The plan of the endpoint's last rollout, else the usual one, that can decide at the present traffic;
    else all traffic at once.
    """
    traffic, last = present_traffic(proposal.endpoint, timezone.now()), last_rollout(proposal.endpoint)
    for plan in (*([last.rule] if last else []), Plan()):
        if not plan.problems() and not forecast(plan, traffic).problem:
            return plans.canary(plan)
    return plans.AT_ONCE


def requester(proposal: Proposal, actor: User) -> User:
    """Who continued by hand, else who approved the start, while their role still allows it; else who answers
    for the steps.
    """
    who = proposal.overridden_by or proposal.decided_by
    return who if who and who.is_active and people.may_request(who, proposal) else actor


def note_of(proposal: Proposal) -> str:
    """What the promotion says of where it comes from."""
    why = (
        "; ".join(reason["fact"] for reason in proposal.reasons_for)
        or proposal.note
        or "requested by a person"
    )
    verdict = (proposal.comparison or {}).get("why", "")
    more = f" Requested manually: {proposal.override_reason}" if proposal.overridden_by else ""
    return f"{proposal}: {proposal.live.semver} retrained, because: {why}. {verdict}{more}".strip()[:2_000]


def follow_promotion(proposal: Proposal, now: datetime) -> None:
    """See what became of the promotion, which is people's to decide."""
    asked = proposal.promotion
    assert asked is not None  # noqa: S101  its state says so
    if asked.status == Status.FULFILLED:
        done(
            proposal,
            Outcome.PROMOTED,
            now,
            f"{proposal.semver} of {proposal} is live on {proposal.endpoint}.",
        )
    elif asked.status not in OPEN:
        message = (
            f"{proposal.semver} of {proposal} didn't go live: request {asked.number} is"
            f" {asked.get_status_display().lower()}."
        )
        done(proposal, Outcome.PROMOTION_ENDED, now, message)
    else:
        wait(proposal, f"Request {asked.number} is {asked.get_status_display().lower()}.")
