from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from lifecycle.ground.notices import delivery
from monitoring.alerts import actions


@shared_task  # type: ignore[untyped-decorator]
def evaluate() -> None:
    """Take in what happened, measure every objective, notify of what is due, and leave the heartbeat."""
    actions.read_outbox()
    actions.evaluate()
    actions.notify_due()
    actions.beat()
    actions.ping()


@shared_task  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Send the messages that are due."""
    delivery.deliver_due()


@shared_task  # type: ignore[untyped-decorator]
def digest() -> None:
    """Send the daily digest; delete old evaluations."""
    actions.digest()
    actions.forget_checks(timezone.now())
    delivery.forget_old(timezone.now())
