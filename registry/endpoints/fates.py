"""The outcome of a version that was deployed for a promotion request, from its intervals."""

from __future__ import annotations

from dataclasses import replace

from registry.endpoints import rules, steering
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.promotions.fates import Fate
from registry.promotions.models import PromotionRequest

Arm = Deployment.Arm


def fate_of(request: PromotionRequest) -> Fate | None:
    """Whether the version of a request is live, a canary, replaced or rolled back. None where nothing was
    deployed for it.
    """
    rows = list(
        Deployment.objects.filter(approval=request)
        .select_related("version", "started_by", "ended_by")
        .order_by("pk")
    )
    return replace(of_last(request, rows[-1]), deployed_by=rows[0].started_by) if rows else None


def of_last(request: PromotionRequest, last: Deployment) -> Fate:
    """The same from the newest interval that the request's approval began."""
    semver, slug, live = (
        last.version.semver,
        request.endpoint.slug,
        deployments.live_deployment(request.endpoint),
    )
    if live and approval_of(live) == request.pk:
        return Fate("prod", "Live", f"{semver} is live on {slug}.", live.started_at, serves=True)
    if last.ended_at is None:
        return Fate(
            "live",
            "Canary",
            f"{semver} has {rules.percent(last.share)} of {slug}'s traffic.",
            last.started_at,
            serves=True,
        )
    at, by, why = last.ended_at, last.ended_by, last.end_reason
    if last.arm == Arm.CANARY:
        return Fate(*steering.ends_of([last])[last.pk], why, at, by)
    then = (
        Deployment.objects.filter(previous=last, arm=Arm.STABLE)
        .select_related("version")
        .order_by("pk")
        .first()
    )
    if then is None:
        return Fate("bad", "Ended", why, at, by)
    if then.cause == Deployment.Cause.ROLLBACK:
        return Fate("bad", "Rolled back", f"All traffic went back to {then.version.semver}. {why}", at, by)
    return Fate("off", "Replaced", f"{then.version.semver} replaced it.", at, by)


def approval_of(live: Deployment) -> int | None:
    """The request by whose approval a version is live: of one that a rollback restored, the request that made
    it live last.
    """
    made_live = Deployment.objects.filter(
        endpoint=live.endpoint_id, version=live.version_id, arm=Arm.STABLE, approval__isnull=False
    )
    return made_live.order_by("-pk").values_list("approval", flat=True).first()
