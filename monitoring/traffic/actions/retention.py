"""Texts of requests are kept for a while, then forgotten; the figures stay."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from monitoring.traffic.models import Prediction

BATCH = 1000


def forget_texts() -> int:
    """Erase the texts of predictions older than PREDICTION_TEXT_DAYS, at most 1,000 a transaction. Returns how many were erased."""
    limit = timezone.now() - timedelta(days=settings.PREDICTION_TEXT_DAYS)
    erased = 0
    while keys := list(Prediction.objects.filter(at__lt=limit, text__isnull=False).order_by().values_list("pk", flat=True)[:BATCH]):
        erased += Prediction.objects.filter(pk__in=keys).update(text=None)
    return erased
