"""What runs from time to time."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from datasets_app.assist.actions import learning


@shared_task  # type: ignore[untyped-decorator]
def learn_due() -> int:
    """Have the built-in models learn for which enough answers have come in."""
    return learning.learn_due(timezone.now())
