"""Periodic tasks."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from datasets_app.queues.actions import claims, webhooks


@shared_task  # type: ignore[untyped-decorator]
def sweep() -> int:
    """Free the slots whose lease has run out."""
    return claims.sweep()


@shared_task  # type: ignore[untyped-decorator]
def send_labels() -> int:
    """Send labels and annotations to webhooks."""
    return webhooks.send_labels(timezone.now())
