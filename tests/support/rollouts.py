"""A rollout as a row, for tests of what reads it; those of the controller start one by the real action."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from monitoring.rollouts.models import Rollout, Segment
from monitoring.rollouts.rules import Plan
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.ground.access.models import User
from registry.promotions.models import PromotionRequest


def make_rollout(
    endpoint: Endpoint,
    version: ModelVersion,
    request: PromotionRequest,
    by: User,
    *,
    started_at: datetime | None = None,
    share: int = 500,
    **more: Any,
) -> Rollout:
    """A running rollout with its canary and its first segment. more: other fields of the row."""
    at = started_at or timezone.now()
    canary = Deployment.objects.create(
        endpoint=endpoint,
        version=version,
        arm=Deployment.Arm.CANARY,
        share=share,
        cause=Deployment.Cause.PROMOTION,
        approval=request,
        epoch=1,
        started_by=by,
    )
    fields: dict[str, Any] = {
        "baseline": version,
        "plan": Plan().as_json(),
        "share": share,
        "step_started_at": at,
        "window_started_at": at,
    }
    rollout = Rollout.objects.create(
        endpoint=endpoint, version=version, request=request, started_at=at, started_by=by, **fields | more
    )
    Segment.objects.create(
        rollout=rollout, number=1, deployment=canary, share=share, started_at=at, counted_from=at
    )
    return rollout
