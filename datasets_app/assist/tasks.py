"""Periodic tasks."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from datasets_app.assist.actions import learning


@shared_task  # type: ignore[untyped-decorator]
def learn_due() -> int:
    """Retrain the built-in models of datasets with enough new annotations."""
    return learning.learn_due(timezone.now())
