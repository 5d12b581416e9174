"""Periodic tasks of labeling."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from datasets_app.labeling.actions import claims, learning, quality, telling


@shared_task  # type: ignore[untyped-decorator]
def sweep() -> int:
    """Free the slots whose lease has run out."""
    return claims.sweep()


@shared_task  # type: ignore[untyped-decorator]
def tell_labels() -> int:
    """Send labels and annotations to webhooks."""
    return telling.tell_labels(timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def learn_due() -> int:
    """Have the built-in models learn for which enough answers have come in."""
    return learning.learn_due(timezone.now())


@shared_task  # type: ignore[untyped-decorator]
def measure_due() -> int:
    """Have the queues measured whose labels changed since their last measure, a day ago or longer."""
    return quality.measure_due(timezone.now())
