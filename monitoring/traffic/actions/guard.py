"""A canary that an inference server closed on its own is stopped in the registry too, and the result of that
is noted on the trip.
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Refusal
from monitoring.traffic.models import GuardTrip
from registry.endpoints import actions as endpoints
from registry.endpoints import rules
from registry.endpoints.models import Deployment

log = logging.getLogger(__name__)
STOPPED = "The canary was stopped."


def stop_tripped() -> int:
    """Stop the canaries of trips that no one has handled yet, oldest first. Returns how many were handled.

    One that is refused stays for the next time, doesn't delay others, and is logged; its server keeps the arm
    closed meanwhile.
    """
    handled = 0
    for key in GuardTrip.objects.filter(handled_at=None).order_by("id").values_list("pk", flat=True):
        try:
            handled += stop(key)
        except Refusal as refusal:
            log.warning(
                "event=guard_not_followed trip=%s code=%s message=%s", key, refusal.code, refusal.message
            )
        except Exception:
            log.exception("event=guard_failed trip=%s", key)
    return handled


@transaction.atomic
def stop(key: int) -> int:
    """Follow one trip; 0 when someone else has meanwhile."""
    trip = (
        GuardTrip.objects.select_for_update(of=("self",))
        .select_related("deployment")
        .filter(pk=key, handled_at=None)
        .first()
    )
    if trip is None:
        return 0
    trip.outcome = outcome(trip)[:300]
    trip.handled_at = timezone.now()
    trip.save(update_fields=["outcome", "handled_at"])
    return 1


def outcome(trip: GuardTrip) -> str:
    """Stop the canary, and its result as a sentence. A canary that ended meanwhile is left as it is."""
    if trip.deployment.arm != Deployment.Arm.CANARY:
        return "It wasn't a canary, so nothing was stopped."
    reason = rules.guard_reason(trip.failures, trip.of)
    found = endpoints.stop_closed(deployment_id=trip.deployment.uuid, failures=trip.failures, of=trip.of)
    if found.end_reason == reason:
        return STOPPED
    return f"It had already ended: {found.end_reason or 'no reason given'}"
