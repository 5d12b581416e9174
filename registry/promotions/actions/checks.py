"""Checking the gates: in a job, then written in one short transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from registry.catalog.models import Alias, ModelVersion
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.policies.gates import checking
from registry.policies.gates.finding import Finding
from registry.policies.models import Policy
from registry.promotions import evidence, rules, votes
from registry.promotions.actions import subject
from registry.promotions.models import GateResult, PromotionRequest
from registry.promotions.rules import Status


def start_check(request: PromotionRequest, actor: User) -> Job:
    """Move a draft into checking and have its gates checked once the caller's transaction commits."""
    request.move(Status.CHECKING, checks=request.checks + 1)
    args = {"request": str(request.uuid), "check": request.checks, "actor": str(actor.uuid)}
    key = f"promotions.check:{request.uuid}:{request.checks}"
    return enqueue(
        "promotions.check",
        actor=actor,
        project=request.endpoint.model.project,
        args=args,
        subject=request,
        key=key,
    )


@transaction.atomic
def check_again(*, request_id: UUID, actor: User) -> PromotionRequest:
    """Have the gates of a draft checked again, after what failed was fixed."""
    request = PromotionRequest.locked(request_id)
    access.require(actor, "promotions.request", request)
    start_check(request, actor)
    record(
        actor,
        Verb.PROMOTION_CHECK_REQUESTED,
        request,
        project=request.endpoint.model.project.uuid,
        check=request.checks,
    )
    return request


def check(
    *,
    request_id: UUID,
    number: int,
    actor: User | None,
    report: Callable[[str], None] = lambda stage: None,
    alive: Callable[[], object] = lambda: None,
) -> PromotionRequest:
    """Find out about every gate, then write the results. Called by the job; a check that was overtaken
    changes nothing. alive: called now and then; it may raise to stop.

    Raises Refused where the policy, or the report that the version rests on, is not what the audit log knows.
    """
    request = PromotionRequest.objects.select_related("endpoint__policy").get(uuid=request_id)
    if request.status != Status.CHECKING or request.checks != number:
        return request
    version = ModelVersion.objects.select_related(
        "model", "run__snapshot__manifest", "evaluation__snapshot", "evaluation__predictions", "folder"
    ).get(pk=request.version_id)
    before = subject.read(request, version)  # ahead of all that is judged
    alias = Alias.objects.select_related("version__run").get(endpoint=request.endpoint)
    policy = policies.in_force(request.endpoint.policy.name)
    if not votes.governs(policy, request):
        text = f"The audit log doesn't say that {request.endpoint} is governed by {policy}."
        raise Refused(text, next_step="Contact an auditor: the record doesn't match the audit log.")
    report("Comparing with the live version")
    comparison, problem = evidence.compare(version, alias.version)
    report("Hashing the files and gathering the evidence")
    asked = policies.read(policy)
    found = checking.check(asked, evidence.gather(asked, version, alias.version, comparison, problem, alive))
    request.comparison, request.baseline, request.baseline_moves = comparison, alias.version, alias.moves
    report("Writing the results")
    return write(request, number, policy, before, found, actor)


@transaction.atomic
def write(
    checked: PromotionRequest,
    number: int,
    policy: Policy,
    before: dict[str, Any],
    found: list[Finding],
    actor: User | None,
) -> PromotionRequest:
    """Write results, subject and new state. before: the subject when the check began; what changed in it
    since, the gates may not have judged, so the request goes back to be checked again.
    """
    request = PromotionRequest.locked(checked.uuid)
    if request.status != Status.CHECKING or request.checks != number:
        return request
    version = request.locked_version()
    GateResult.objects.bulk_create([result(request, finding) for finding in found])
    request.policy, request.comparison = policy, checked.comparison
    request.baseline, request.baseline_moves = checked.baseline, checked.baseline_moves
    request.subject = {}
    request.subject = subject.read(request, version)
    request.subject_digest = digest_of(request.subject)
    request.save(
        update_fields=["policy", "comparison", "baseline", "baseline_moves", "subject", "subject_digest"]
    )
    now = timezone.now()
    blocked = [finding.gate for finding in found if finding.blocks]
    changed = rules.changes_during(before, request.subject)
    inactive = "" if version.state == ModelVersion.State.ACTIVE else rules.INACTIVE
    if blocked or changed or inactive:
        reason = rules.change_sentence(changed, rules.WHILE) if changed else inactive
        request.move(Status.DRAFT, checked_at=now, due_at=None, reason=reason)
    else:
        due = now + timedelta(days=policies.read(policy).days_to_decide)
        request.move(Status.IN_REVIEW, checked_at=now, due_at=due, reason="")
    record(
        actor,
        Verb.PROMOTION_CHECKED,
        request,
        project=request.endpoint.model.project.uuid,
        check=number,
        new=request.status,
        subject_digest=request.subject_digest,
        policy=policy.digest,
        gates={finding.gate: finding.outcome.value for finding in found},
        reason=request.reason,
    )
    return request


def result(request: PromotionRequest, finding: Finding) -> GateResult:
    """A finding as a row of the request's newest check."""
    return GateResult(
        request=request,
        check_number=request.checks,
        gate=finding.gate,
        title=finding.title[:120],
        status=finding.outcome.value,
        blocking=finding.blocking,
        value=finding.value[:80],
        threshold=finding.threshold[:80],
        evidence=finding.evidence[:500],
        source=finding.source[:120],
    )


def check_failed(job: Job) -> None:
    """The check gave up or was cancelled: the request is a draft again, with the job's sentence, in the
    transaction that ends the job.
    """
    request = PromotionRequest.locked(UUID(job.args["request"]))
    if request.status != Status.CHECKING or request.checks != job.args["check"]:
        return
    request.move(Status.DRAFT, reason=job.error or "The check was cancelled.")
    project = request.endpoint.model.project.uuid
    record(
        None,
        Verb.PROMOTION_CHECKED,
        request,
        project=project,
        check=request.checks,
        new=request.status,
        reason=request.reason,
    )
