"""What is kept for a while only: texts, predictions, small figures. Deleted in small batches; the larger
figures stay.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from monitoring.traffic.actions.building import DAYS, HOURS, OVERLAP, Step
from monitoring.traffic.actions.probing import forget_probes
from monitoring.traffic.models import Feedback, Prediction, RollupMark, ShadowAnswer
from monitoring.traffic.rules import DAY, floor
from registry.catalog.models import Endpoint
from registry.catalog.rules import task_type

BATCH = 1000


def forget_texts() -> int:
    """Erase the texts of predictions older than PREDICTION_TEXT_DAYS, with the candidates beside them and
    what was generated or should have been, at most 1,000 a transaction. Returns how many were erased.
    """
    limit = timezone.now() - timedelta(days=settings.PREDICTION_TEXT_DAYS)
    erased = 0
    for endpoint in Endpoint.objects.order_by("pk"):
        old = Prediction.objects.filter(endpoint=endpoint, at__lt=limit, text__isnull=False)
        written = [each.pk for each in endpoint.model.versions.all() if task_type(each.facts).writes_text]
        while keys := list(old.order_by().values_list("pk", flat=True)[:BATCH]):
            with transaction.atomic():
                some = Prediction.objects.filter(pk__in=keys, version__in=written)
                Feedback.objects.filter(prediction__in=some).update(value=None)
                some.update(value=None)
                erased += Prediction.objects.filter(pk__in=keys).update(text=None, content=None)
    return erased


def clear_old(now: datetime | None = None) -> int:
    """Delete what is older than the settings keep it; returns the number of rows. If interrupted, the next
    run continues.
    """
    now = now or timezone.now()
    limit = now - timedelta(days=settings.PREDICTION_DAYS)
    deleted = 0
    for endpoint in Endpoint.objects.order_by("pk"):
        deleted += clear(unlinked(Prediction.objects.filter(endpoint=endpoint, at__lt=limit)))
        deleted += clear(ShadowAnswer.objects.filter(endpoint=endpoint, at__lt=limit))
    return (
        deleted
        + forget_probes(now)
        + clear_level(HOURS, now, settings.MINUTE_DAYS)
        + clear_level(DAYS, now, settings.HOUR_DAYS)
    )


def unlinked(rows: QuerySet[Prediction]) -> QuerySet[Prediction]:
    """Those to which nothing holds on that must stay, such as a trace that someone asked for."""
    for link in Prediction._meta.related_objects:
        if getattr(link, "on_delete", None) is models.PROTECT:
            held = link.related_model._default_manager.filter(**{link.field.name: OuterRef("pk")})
            rows = rows.exclude(Exists(held))
    return rows


def clear(rows: QuerySet[models.Model]) -> int:
    """Delete rows with what belongs to them, at most 1,000 a transaction."""
    deleted = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted


def clear_level(step: Step, now: datetime, days: int) -> int:
    """Delete the smaller rows of a level, once all of them are in the larger ones. Later counts for that time
    go into the larger ones.
    """
    with transaction.atomic():
        mark = RollupMark.objects.select_for_update().filter(level=step.level).first()
        if mark is None:
            return 0
        limit = min(floor(now - timedelta(days=days), DAY), floor(mark.through, DAY))
        rows = step.source._default_manager.filter(start__lt=limit)
        if rows.filter(changed_at__gte=mark.changed_to - OVERLAP).exists():
            return 0  # some of it is perhaps not added up yet
        if mark.source_from is None or limit > mark.source_from:
            mark.source_from = limit
            mark.save(update_fields=["source_from"])
    return clear(rows)
