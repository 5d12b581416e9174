"""The segments of a rollout: the stretches in which its canary had one share."""

from __future__ import annotations

from django.db.models import Max, QuerySet

from lifecycle.runtime.refusals import Conflict
from monitoring.rollouts.models import Rollout, Segment
from monitoring.rollouts.queries.rollouts import beginning
from registry.endpoints.models import Deployment


def segments(rollout: Rollout) -> list[Segment]:
    """The stretches of a rollout, the first first: from the canary that it was started with, by the audit
    log, each as the one before went on. A row that names another deployment is none.
    """
    rows = rollout.segments.filter(
        deployment__in=canaries(rollout.endpoint_id, rollout.version_id, rollout.request_id)
    )
    known, begun = (
        {each.deployment: each for each in rows.select_related("deployment").order_by("number")},
        beginning(rollout),
    )
    after = {deployment.previous_id: each for deployment, each in reversed(known.items())}
    found = [
        each for each in known.values() if begun and str(each.deployment.uuid) == begun.payload["deployment"]
    ]
    while found and (following := after.pop(found[-1].deployment_id, None)):
        found.append(following)
    return found


def present(rollout: Rollout) -> Segment:
    """The stretch that runs now, or ran last. Raises Conflict where the canary that it was started with has
    none.
    """
    found = segments(rollout)
    if not found:
        raise Conflict(
            "The audit log doesn't name the canary of this rollout.", next_step="Roll the endpoint back."
        )
    return found[-1]


def canaries(endpoint: int, version: int, approval: int | None) -> QuerySet[Deployment]:
    """The intervals in which a version was a canary of an endpoint by one approval."""
    return Deployment.objects.filter(
        endpoint=endpoint, version=version, approval=approval, arm=Deployment.Arm.CANARY
    )


def running_share(rollout: Rollout) -> int:
    """What its canary has or had last, of 10,000, by its deployment."""
    return present(rollout).deployment.share


def successor(deployment: Deployment) -> Deployment | None:
    """The interval under which a canary continues with another share; None when it does not."""
    rows = canaries(deployment.endpoint_id, deployment.version_id, deployment.approval_id)
    return rows.filter(previous=deployment).select_related("started_by").first()


def next_number(rollout: Rollout) -> int:
    """The number of the segment that comes next, from 1."""
    return (Segment.objects.filter(rollout=rollout).aggregate(last=Max("number"))["last"] or 0) + 1
