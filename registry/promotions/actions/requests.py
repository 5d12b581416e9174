"""Asking for a promotion, withdrawing it, talking about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Max

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.rules import check_reason
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access import policy as access
from registry.ground.access.models import Project, User
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.promotions import plans, queries, rules
from registry.promotions.actions.checks import start_check
from registry.promotions.actions.subject import check_not_frozen
from registry.promotions.models import PromotionComment, PromotionRequest
from registry.promotions.rules import OPEN, Status


@transaction.atomic
def request(
    *,
    version: ModelVersion,
    endpoint: Endpoint,
    note: str,
    actor: User,
    plan: Mapping[str, Any] | None = None,
    by_system: bool = False,
) -> PromotionRequest:
    """Ask that one version may serve one endpoint, by this plan. The gates are checked at once, in a job;
    then people decide.

    plan: as `plans.checked` reads it, None for all traffic at once. It is part of what is approved: no other
    plan can use the approval. by_system: the product asks by fixed rules, on behalf of the actor, who may
    then be one of its deciders.

    Raises Refused where the version is of another model, not active, live there already or asked for already,
    the endpoint is frozen, or the plan cannot be carried out.
    """
    access.require(actor, "promotions.request", endpoint)
    endpoint = Endpoint.objects.select_related("model__project", "policy", "alias").get(pk=endpoint.pk)
    version = ModelVersion.objects.get(pk=version.pk)
    check_askable(version, endpoint)
    named = plans.checked(plans.AT_ONCE if plan is None else plan)
    check_comparable(named, endpoint)
    if len(note) > rules.REASON_MAX:
        raise Refused("The note is too long.", fields={"note": [f"Up to {rules.REASON_MAX:,} characters."]})
    project = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=endpoint.model.project_id)
    last = PromotionRequest.objects.filter(endpoint__model__project=project).aggregate(Max("number"))[
        "number__max"
    ]
    try:
        with transaction.atomic():
            made = PromotionRequest.objects.create(
                number=(last or 0) + 1,
                version=version,
                endpoint=endpoint,
                policy=policies.in_force(endpoint.policy.name),
                requester=actor,
                note=note.strip(),
                plan=named,
                by_system=by_system,
            )
    except IntegrityError as error:
        raise already(version, endpoint) from error
    record(
        actor,
        Verb.PROMOTION_REQUESTED,
        made,
        project=project.uuid,
        version=version.uuid,
        root_digest=version.root_digest,
        endpoint=endpoint.uuid,
        policy=made.policy.digest,
        plan=named,
        by_system=by_system,
        note=digest_of(made.note),
    )
    start_check(made, actor)
    return made


def check_askable(version: ModelVersion, endpoint: Endpoint) -> None:
    """Raises Refused unless this version could serve this endpoint."""
    if version.model_id != endpoint.model_id:
        raise Refused(
            f"{endpoint.slug} serves a different model.",
            fields={"endpoint": ["Choose an endpoint of the version's model."]},
        )
    if version.state != ModelVersion.State.ACTIVE:
        sentence = f"{version.semver} is {version.get_state_display().lower()}: {version.state_reason}"
        raise Refused(sentence, fields={"version": ["Choose an active version."]})
    if endpoint.alias.version_id == version.pk:
        raise Refused(
            f"{version.semver} is already live on {endpoint.slug}.",
            fields={"version": ["Choose another version."]},
        )
    check_not_frozen(endpoint)
    if PromotionRequest.objects.filter(version=version, endpoint=endpoint, status__in=sorted(OPEN)).exists():
        raise already(version, endpoint)


def check_comparable(plan: Mapping[str, Any], endpoint: Endpoint) -> None:
    """Raises Refused for a canary on an endpoint where nothing is live."""
    if plan != plans.AT_ONCE and endpoint.alias.version_id is None:
        sentence = f"Nothing is live on {endpoint.slug}, so there's nothing to compare a canary with."
        raise Refused(sentence, next_step="Choose all traffic at once.", fields={"plan": [sentence]})


def already(version: ModelVersion, endpoint: Endpoint) -> Refused:
    """The refusal of a second open request for the same thing."""
    sentence = f"There's already an open request for {version.semver} on {endpoint.slug}."
    return Refused(sentence, next_step="Open it, or withdraw it first.", fields={"version": [sentence]})


@transaction.atomic
def withdraw(*, request_id: UUID, actor: User, reason: str) -> PromotionRequest:
    """End a request before it is fulfilled: one's own, or any for an ML lead."""
    found = PromotionRequest.locked(request_id)
    access.require(actor, "promotions.withdraw", found)
    if not queries.may_withdraw(actor, found):
        raise PermissionDenied("Only the requester or an ML lead can withdraw this request.")
    was, why = found.status, check_reason(reason, "A withdrawal", rules.REASON_MAX)
    found.move(Status.WITHDRAWN, reason=why)
    record(
        actor, Verb.PROMOTION_WITHDRAWN, found, project=found.endpoint.model.project.uuid, old=was, reason=why
    )
    return found


@transaction.atomic
def comment(*, request_id: UUID, actor: User, text: str) -> PromotionComment:
    """Comment on a request. The event has the digest of the text."""
    found = PromotionRequest.locked(request_id)
    access.require(actor, "promotions.comment", found)
    stripped = text.strip()
    if not stripped or len(stripped) > rules.REASON_MAX:
        raise Refused(
            "A comment can have 1 to 4,000 characters.", fields={"text": ["Enter 1 to 4,000 characters."]}
        )
    made = PromotionComment.objects.create(request=found, author=actor, text=stripped)
    project = found.endpoint.model.project.uuid
    record(
        actor, Verb.PROMOTION_COMMENTED, found, project=project, comment=made.uuid, digest=digest_of(stripped)
    )
    return made
