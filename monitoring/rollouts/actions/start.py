"""Beginning a rollout: the approval is used, the canary takes its first share, and the rule begins to look.
One transaction.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from monitoring.rollouts import rules
from monitoring.rollouts.actions.moves import begin_segment, note
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.queries import evidence, rollouts
from registry.endpoints import actions as endpoints
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.verbs import Verb
from registry.promotions import plans
from registry.promotions.models import PromotionRequest


def start(*, request_id: UUID, actor: User, now: datetime | None = None) -> Rollout:
    """Let an approved version take its first share of the traffic beside the live one, under the approved
    rule, which widens it or rolls it back.

    now: another clock than the real one, by which it begins with its canary, once its files are laid out.
    Raises PermissionDenied, Refused (approved for another kind of plan, a plan that cannot decide at the
    present traffic within its window, nothing live to compare with, a frozen endpoint, damaged files) or
    Conflict (the approval was used or overtaken, a canary runs already).
    """
    request = PromotionRequest.objects.select_related("endpoint", "version").get(uuid=request_id)
    policy.require(actor, "rollouts.start", request)
    plan = plans.canary_of(request.plan)
    if plan is None:
        raise plans.different_plan(request.plan)
    rules.check_decidable(
        rules.forecast(
            plan, evidence.present_traffic(request.endpoint, now or timezone.now(), request.version)
        )
    )
    made: list[Rollout] = []
    endpoints.deploy(
        request_id=request_id,
        actor=actor,
        steered=lambda deployment: made.append(begin(deployment, actor, now or deployment.started_at)),
    )
    return made[0]


def begin(deployment: Deployment, actor: User, now: datetime) -> Rollout:
    """The rollout's row and its first segment, in the transaction that starts the canary."""
    live = deployments.live_deployment(deployment.endpoint)
    plan = plans.canary_of(deployment.approval.plan) if deployment.approval else None
    if live is None or deployment.approval is None or plan is None:
        raise Refused("A canary needs a live version to compare with and an approval.")
    # under the lock of the routes, which every start holds
    if before := rollouts.open_rollout(deployment.endpoint):
        raise Conflict(
            f"The rollout of {before.version.semver} on {deployment.endpoint} isn't closed yet, although its"
            " canary has ended.",
            next_step=(
                "Try again in 10 seconds. If that fails, check /readyz to see whether the worker and beat are"
                " running."
            ),
        )
    rollout = Rollout.objects.create(
        endpoint=deployment.endpoint,
        request=deployment.approval,
        version=deployment.version,
        baseline=live.version,
        plan=plan.as_json(),
        share=deployment.share,
        step_started_at=now,
        window_started_at=now,
        started_at=now,
        started_by=actor,
    )
    begin_segment(rollout, deployment, now)
    note(
        actor,
        Verb.ROLLOUT_STARTED,
        rollout,
        plan=rollout.plan,
        request=deployment.approval.uuid,
        baseline=live.version.uuid,
        deployment=deployment.uuid,
    )
    return rollout
